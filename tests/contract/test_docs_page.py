"""`/docs` in a real browser: hospital networks reach no other server, and it must work there."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect

from tests.support import databases
from tests.support.browser import (
    DESKTOP,
    OVERFLOW,
    PHONE,
    Visit,
    needs_chromium,
    running_browser,
    visiting,
)
from tests.support.document import RECORDED
from tests.support.server import Server, running_server

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def server(templates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("docs-page")
    with (
        databases.fresh_database("sqlite", templates, folder) as url,
        running_server(url, folder) as server,
    ):
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture(scope="module", params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def visit(request: pytest.FixtureRequest, browser: Browser, server: Server) -> Iterator[Visit]:
    """The page, opened once on a large and once on a small screen and shown in full."""
    with visiting(browser, f"{server.url}/docs", viewport=request.param) as visit:
        expect(visit.page.locator(".opblock").first).to_be_visible()
        yield visit


def test_every_operation_of_the_document_is_shown(visit: Visit) -> None:
    paths = RECORDED["paths"]
    operations = [operation for path in paths.values() for operation in path.values()]
    expect(visit.page.locator(".opblock")).to_have_count(len(operations))
    for operation in operations:
        block = f"#operations-{operation['tags'][0]}-{operation['operationId']}"
        expect(visit.page.locator(block)).to_be_visible()


def test_no_request_leaves_the_server(visit: Visit, server: Server) -> None:
    visit.page.locator("#operations-participants-putSchedule .opblock-summary-control").click()
    expect(
        visit.page.locator("#operations-participants-putSchedule .opblock-section-request-body")
    ).to_be_visible()
    fetched = [url for url in visit.requests if not url.startswith("data:")]
    assert f"{server.url}/v1/openapi.json" in fetched
    assert {urlsplit(url).netloc for url in fetched} == {urlsplit(server.url).netloc}


def test_an_operation_shows_its_recorded_example(visit: Visit) -> None:
    operation = visit.page.locator("#operations-journal-logSession")
    operation.locator(".opblock-summary-control").click()
    expect(operation.locator(".opblock-section-request-body")).to_contain_text("daily-15-minutes")
    expect(operation.locator(".responses-wrapper")).to_contain_text("id_conflict")


def test_a_request_can_be_sent_from_the_page(visit: Visit) -> None:
    operation = visit.page.locator("#operations-content-getExercise")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_placeholder("item_id").fill("toe-curls")
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table")).to_contain_text("Toe curls")


def test_the_page_fits_a_small_screen(visit: Visit, server: Server) -> None:
    # As it is opened: its address keeps which operations were unfolded.
    visit.page.goto("about:blank")
    visit.page.goto(f"{server.url}/docs")
    expect(visit.page.locator(".opblock").first).to_be_visible()
    assert visit.page.evaluate(OVERFLOW) == 0
