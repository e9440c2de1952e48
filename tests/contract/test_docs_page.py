"""`/docs` in a real browser: hospital networks reach no other server, and it must work there."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support import databases
from tests.support.server import Server, running_server

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.json"
CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}

PATIENCE_MILLISECONDS = 60_000
expect.set_options(timeout=PATIENCE_MILLISECONDS)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")


@dataclass
class Visit:
    """What a browser did and complained of while it showed the page."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def listen(self) -> None:
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("requestfailed", lambda request: self.complaints.append(request.url))
        self.page.on(
            "console",
            lambda message: (
                self.complaints.append(message.text)
                if message.type in {"error", "warning"}
                else None
            ),
        )


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
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def visit(request: pytest.FixtureRequest, browser: Browser, server: Server) -> Iterator[Visit]:
    """The page, opened on a large or on a small screen and shown in full."""
    context = browser.new_context(viewport=request.param)
    context.set_default_timeout(PATIENCE_MILLISECONDS)
    visit = Visit(context.new_page())
    visit.listen()
    visit.page.goto(f"{server.url}/docs")
    expect(visit.page.locator(".opblock").first).to_be_visible()
    yield visit
    assert visit.complaints == []
    context.close()


def test_every_operation_of_the_document_is_shown(visit: Visit) -> None:
    paths = json.loads(DOCUMENT.read_bytes())["paths"]
    operations = [operation for path in paths.values() for operation in path.values()]
    expect(visit.page.locator(".opblock")).to_have_count(len(operations))
    for operation in operations:
        block = f"#operations-{operation['tags'][0]}-{operation['operationId']}"
        expect(visit.page.locator(block)).to_be_visible()


def test_no_request_leaves_the_server(visit: Visit, server: Server) -> None:
    visit.page.locator("#operations-journal-logSession .opblock-summary-control").click()
    expect(
        visit.page.locator("#operations-journal-logSession .opblock-section-request-body")
    ).to_be_visible()
    fetched = [url for url in visit.requests if not url.startswith("data:")]
    assert f"{server.url}/v1/openapi.json" in fetched
    assert {urlsplit(url).netloc for url in fetched} == {urlsplit(server.url).netloc}


def test_an_operation_shows_its_recorded_example(visit: Visit) -> None:
    operation = visit.page.locator("#operations-journal-logSession")
    operation.locator(".opblock-summary-control").click()
    expect(operation.locator(".opblock-section-request-body")).to_contain_text("daily-15-minutes")
    expect(operation.locator(".responses-wrapper")).to_contain_text("id_conflict")


def test_a_call_can_be_tried_from_the_page(visit: Visit) -> None:
    operation = visit.page.locator("#operations-content-getExercise")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_placeholder("item_id").fill("toe-curls")
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table")).to_contain_text("Toe curls")


def test_the_page_fits_a_small_screen(visit: Visit) -> None:
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert visit.page.evaluate(overflow) == 0
