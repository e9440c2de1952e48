"""`/clinic` in a real Chromium, on synthetic users: what a clinician sees, hears and downloads."""

import contextlib
import itertools
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx
import pytest
from filelock import FileLock
from playwright.sync_api import Browser, Download, Locator, Page, expect

from api.core.clock import SystemClock
from tests.support import databases
from tests.support.browser import (
    DESKTOP,
    OVERFLOW,
    Visit,
    needs_chromium,
    running_browser,
    visiting,
)
from tests.support.budget import budget
from tests.support.clinician import Clinician
from tests.support.issuer import Issuer, running_issuer
from tests.support.server import Server, footing, running_server

Json = dict[str, Any]
AXE = Path(__file__).parent / "accessibility" / "node_modules" / "axe-core" / "axe.min.js"
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Enough people for a week's larger routines to be shown, and few enough for others not to be.
DEMO = ("--participants", "700", "--weeks", "14")
SMALL_SCREENS = (320, 360, 768)
REGIONS = '["north", "south"]'
HIDDEN = {"suppressed": "too few people", "not_released": "not published"}
DIGITS = {"people": "1", "sessions": "1", "share": "0.001", "points": "0.01"}

pytestmark = needs_chromium


@dataclass(frozen=True)
class Ward:
    """A server with published figures, and a clinician who reads them over HTTP as well."""

    server: Server
    database_url: str
    folder: Path
    key: str
    api: Clinician

    def series(self, **query: str) -> list[Json]:
        points: list[Json] = self.api.get("/v1/aggregates/series", **query).json()["points"]
        return points


def new_key(url: str, folder: Path, name: str = "Ward 3") -> str:
    """Give a key out by the command: Playwright's own event loop allows no other here."""
    done = footing("clinician", "add", name, "--days", "9", database_url=url, folder=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@contextlib.contextmanager
def running_ward(url: str, folder: Path, **settings: str) -> Iterator[Ward]:
    key = new_key(url, folder)
    with (
        running_server(url, folder, regions=REGIONS, **settings) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        yield Ward(server, url, folder, key, Clinician(client, key))


@pytest.fixture(scope="module")
def demo_database(templates: Path) -> str:
    """The synthetic users, created once a run: several workers share the tests of this module."""
    file = templates / "demo.db"
    url = f"sqlite:///{file}"
    with FileLock(templates / "demo.lock"):
        if not (templates / "demo.done").exists():
            shutil.copy(templates / "template.db", file)
            done = footing("demo", *DEMO, database_url=url, folder=templates, regions=REGIONS)
            assert done.returncode == 0, done.stderr
            (templates / "demo.done").touch()
    return url


@pytest.fixture(scope="module")
def ward(demo_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    folder = tmp_path_factory.mktemp("clinic")
    with (
        databases.copied_database(demo_database, folder) as url,
        running_ward(url, folder) as ward,
    ):
        yield ward


@pytest.fixture
def new_ward(templates: Path, tmp_path: Path) -> Iterator[Ward]:
    """A server on which nothing is published yet, and which does not wait long."""
    with (
        databases.fresh_database("sqlite", templates, tmp_path) as url,
        running_ward(url, tmp_path, database_timeout_seconds="0.5") as ward,
    ):
        yield ward


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


Open = Callable[..., Visit]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Open the page in a window of its own; what any of them complains of fails the test."""
    with contextlib.ExitStack() as stack:

        def opened(ward: Ward, query: str = "", **context: Any) -> Visit:
            given = {"viewport": DESKTOP, "locale": "en-GB"} | context
            url = f"{ward.server.url}/clinic{query}"
            return stack.enter_context(visiting(browser, url, **given))

        yield opened


def sign_in(page: Page, key: str) -> None:
    page.locator("#token").fill(key)
    page.locator("#token").press("Enter")


def shown(page: Page) -> None:
    """Wait until what was chosen last is there."""
    expect(page.locator("#busy")).to_have_class("hidden")
    expect(page.locator("#series-table tbody tr").first).to_be_visible()


@pytest.fixture
def visit(open_page: Open, ward: Ward) -> Visit:
    """The page with its figures."""
    visit = open_page(ward)
    sign_in(visit.page, ward.key)
    shown(visit.page)
    return visit


def choose(page: Page, **chosen: str) -> None:
    for name, value in chosen.items():
        page.locator(f"#{name.replace('_', '-')}").select_option(value)
        shown(page)


def refusals_are_expected(visit: Visit) -> None:
    """Chromium itself complains of every answer that is an error."""
    visit.complaints[:] = [
        text for text in visit.complaints if not text.startswith("Failed to load resource")
    ]


def written(value: float, unit: str) -> str:
    """Write a number as the page does in English."""
    rounded = Decimal(repr(value)).quantize(Decimal(DIGITS[unit]), ROUND_HALF_UP)
    text = f"{abs(rounded):,.1%}" if unit == "share" else f"{abs(rounded):,}"
    return f"−{text}" if rounded < 0 else text


def published_tables(index: Json) -> list[Json]:
    """Return the tables of the kinds of period that the demo is long enough for."""
    kinds = {each["period_kind"] for each in index["periods"] if each["status"] == "released"}
    assert {"week", "cycle"} <= kinds
    return [table for table in index["tables"] if table["period_kind"] in kinds]


def row_texts(rows: Locator) -> list[list[str]]:
    texts: list[list[str]] = rows.evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    )
    return texts


# Getting in.


def test_a_key_opens_the_figures_and_is_kept_nowhere(visit: Visit, ward: Ward) -> None:
    page = visit.page
    expect(page.locator("#who-name")).to_contain_text("Ward 3, until")
    expect(page.locator("#period-kind")).to_be_focused()
    assert page.locator("#token").input_value() == ""
    assert ward.key not in page.url
    assert ward.key not in page.content()
    assert page.context.cookies() == []
    assert page.evaluate("sessionStorage.length + localStorage.length") == 0
    assert not [url for url in visit.requests if ward.key in url]


def test_screen_readers_announce_figures_with_their_uncertainty(visit: Visit) -> None:
    summary = visit.page.locator("[role=status]").text_content() or ""
    assert re.search(
        r"Newest, .*: about [\d,]+ \([\d,]+ to [\d,]+\) people(, uncertain)?\.$", summary
    ), summary


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("fc_" + "0" * 32 + "_" + "0" * 64, "not accepted"),
        ("a word", "not accepted"),
        ("fp_" + "0" * 32 + "_" + "0" * 32 + "_" + "0" * 64, "participant's device"),
    ],
)
def test_an_invalid_key_is_rejected_in_plain_words(
    open_page: Open, ward: Ward, token: str, reason: str
) -> None:
    visit = open_page(ward)
    sign_in(visit.page, token)
    expect(visit.page.get_by_role("alert")).to_contain_text(reason)
    expect(visit.page.locator("#figures")).to_be_hidden()
    expect(visit.page.locator("#token")).to_be_focused()
    sign_in(visit.page, ward.key)
    shown(visit.page)
    expect(visit.page.locator("#trouble")).to_be_hidden()
    refusals_are_expected(visit)


def test_a_key_that_ends_while_it_is_used_leads_back_to_the_door(
    open_page: Open, ward: Ward
) -> None:
    key = new_key(ward.database_url, ward.folder, "Night shift")
    visit = open_page(ward)
    sign_in(visit.page, key)
    shown(visit.page)
    ended = footing(
        "clinician", "revoke", "Night shift", database_url=ward.database_url, folder=ward.folder
    )
    assert ended.returncode == 0
    visit.page.locator("#stat").select_option("sessions")
    expect(visit.page.get_by_role("alert")).to_contain_text("The key was revoked.")
    expect(visit.page.locator("#figures")).to_be_hidden()
    assert "Everybody" not in visit.page.content()
    refusals_are_expected(visit)


def test_signing_out_and_reloading_both_forget_the_key_and_keep_the_choice(
    visit: Visit, ward: Ward
) -> None:
    page = visit.page
    choose(page, stat="sessions")
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("#token")).to_be_focused()
    expect(page.locator("#figures")).to_be_hidden()
    assert row_texts(page.locator("#series-table tr")) == []
    sign_in(page, ward.key)
    shown(page)
    page.reload()
    expect(page.locator("#token")).to_be_visible()
    sign_in(page, ward.key)
    shown(page)
    expect(page.locator("#stat")).to_have_value("sessions")


# Getting in through the organisation's own sign-in.


@pytest.fixture
def hospital(templates: Path, tmp_path: Path) -> Iterator[tuple[Issuer, Ward]]:
    """An issuer, and a server on which people sign in there."""
    with (
        running_issuer(SystemClock()) as issuer,
        databases.fresh_database("sqlite", templates, tmp_path) as url,
        running_ward(url, tmp_path, **issuer.settings(), oidc_client_id="footing-page") as ward,
    ):
        yield issuer, ward


def test_the_organisations_sign_in_opens_the_figures_and_leaves_nothing_behind(
    open_page: Open, hospital: tuple[Issuer, Ward]
) -> None:
    issuer, ward = hospital
    visit = open_page(ward, "?lang=es")
    page = visit.page
    page.get_by_role("button", name="Entrar con tu organización").click()
    expect(page.locator("#who-name")).to_contain_text("Dr Quokka")
    assert urlsplit(page.url).query.startswith("lang=es&period_kind=")
    assert "code" not in page.url
    assert page.evaluate("sessionStorage.length + localStorage.length") == 0
    assert page.context.cookies() == []
    places = {urlsplit(url).netloc for url in visit.requests}
    assert places == {urlsplit(ward.server.url).netloc, urlsplit(issuer.url).netloc}
    (asked,) = [call for call in issuer.calls if call.startswith("/authorize?")]
    assert "code_challenge_method=S256" in asked
    page.reload()
    expect(page.locator("#token")).to_be_visible()


def test_the_refusal_of_an_issuer_is_shown(open_page: Open, hospital: tuple[Issuer, Ward]) -> None:
    issuer, ward = hospital
    issuer.refusal = {"error": "access_denied"}
    page = open_page(ward).page
    page.get_by_role("button", name="Sign in with your organisation").click()
    expect(page.get_by_role("alert")).to_contain_text("refused access")
    expect(page.get_by_role("alert")).to_contain_text("access_denied")
    assert urlsplit(page.url).query.replace("lang=en", "") == ""


def test_an_unsolicited_authorization_code_is_ignored(
    open_page: Open, hospital: tuple[Issuer, Ward]
) -> None:
    issuer, ward = hospital
    issuer.codes["slipped-in"] = {}
    visit = open_page(ward, "?code=slipped-in&state=invented")
    expect(visit.page.get_by_role("alert")).to_contain_text("did not end in the tab")
    expect(visit.page.locator("#figures")).to_be_hidden()
    assert "slipped-in" in issuer.codes
    assert "slipped-in" not in visit.page.url


# The figures.


@pytest.mark.proof
def test_every_number_is_the_one_of_the_api_and_a_hidden_one_is_never_a_number(
    visit: Visit, ward: Ward
) -> None:
    page, index = visit.page, ward.api.get("/v1/aggregates").json()
    unit_of = {each["stat"]: each["unit"] for each in index["stats"]}
    seen = set()
    turns = itertools.count()
    for entry in published_tables(index):
        table, kind = entry["table"], entry["period_kind"]
        # One after the other, so that each is looked at in some table.
        some = [entry["stats"][next(turns) % len(entry["stats"])]]
        for stat in budget(quick=some, full=entry["stats"]):
            key = entry["keys"][-1 if stat == "sessions" else 0]["key"]
            choose(page, period_kind=kind, table=table, key=key, stat=stat)
            points = ward.series(table=table, key=key, stat=stat, period_kind=kind)
            texts = row_texts(page.locator("#series-table tbody tr"))
            assert len(texts) == len(points) > 0
            for point, (_, estimate, interval, error, noise, status) in zip(
                reversed(points), texts, strict=True
            ):
                seen.add(point["status"])
                if point["status"] in HIDDEN:
                    assert (estimate, interval, error, noise) == ("–",) * 4
                    assert status == HIDDEN[point["status"]]
                    continue
                unit = unit_of[stat]
                assert estimate == written(point["estimate"], unit)
                low, high = (written(point[f"ci95_{end}"], unit) for end in ("low", "high"))
                assert interval == f"{low} to {high}"
                assert error == written(point["standard_error"], unit)
    assert budget(quick={"ok", "suppressed"}, full={"ok", "unstable", "suppressed"}) <= seen


def test_all_groups_of_a_period_are_those_of_the_api(visit: Visit, ward: Ward) -> None:
    page, index = visit.page, ward.api.get("/v1/aggregates").json()
    seen = set()
    for entry in published_tables(index):
        table, kind = entry["table"], entry["period_kind"]
        choose(page, period_kind=kind, table=table)
        starts_on = page.locator("#period").input_value()
        path = f"/v1/aggregates/tables/{table}"
        found = ward.api.get(path, period_kind=kind, starts_on=starts_on).json()
        cells = {(cell["key"], cell["stat"]): cell for cell in found["cells"]}
        texts = row_texts(page.locator("#period-table tbody tr"))
        assert len(texts) == len(entry["keys"])
        for key, (title, *row) in zip(entry["keys"], texts, strict=True):
            assert title == key["title"]
            for stat, text in zip(entry["stats"], row, strict=True):
                cell = cells[key["key"], stat]
                seen.add(cell["status"])
                if cell["status"] in HIDDEN:
                    assert text == HIDDEN[cell["status"]]
                else:
                    assert text.startswith(f"{written(cell['estimate'], cell['unit'])} (")
    assert {"ok", "suppressed"} <= seen


def test_the_chart_has_a_gap_wherever_there_is_no_number(visit: Visit, ward: Ward) -> None:
    found = set()
    tables = ward.api.get("/v1/aggregates").json()["tables"]
    (keys,) = (
        [key["key"] for key in table["keys"]]
        for table in tables
        if (table["table"], table["period_kind"]) == ("routine", "week")
    )
    choose(visit.page, table="routine")
    for key in keys:
        choose(visit.page, key=key)
        points = ward.series(table="routine", key=key, stat="people", period_kind="week")
        is_shown = "".join("x" if point["estimate"] is not None else " " for point in points)
        runs = is_shown.split()
        chart = visit.page.locator("#chart")
        assert chart.locator(".gap").count() == is_shown.count(" ")
        assert chart.locator(".dot").count() == is_shown.count("x")
        # A line and its band never reach over a gap.
        assert chart.locator(".line").count() == sum(len(run) > 1 for run in runs)
        assert chart.locator(".band").count() == sum(len(run) > 1 for run in runs)
        assert chart.locator(".bar").count() == sum(len(run) == 1 for run in runs)
        found |= {"gap"} if " " in is_shown else set()
        found |= {"line"} if "xx" in is_shown else set()
    assert found == {"gap", "line"}


def test_another_period_can_be_looked_at(visit: Visit) -> None:
    page = visit.page
    periods = page.locator("#period option").evaluate_all("all => all.map(each => each.value)")
    choose(page, period=periods[-1])
    assert f"starts_on={periods[-1]}" in page.url
    expect(page.locator("#period-table tbody tr").first).to_be_visible()


def saved(page: Page, within: str, label: str) -> tuple[str, bytes]:
    with page.expect_download() as caught:
        page.locator(within).get_by_role("button", name=label).click()
    download: Download = caught.value
    return download.suggested_filename, Path(download.path()).read_bytes()


def test_downloads_are_the_bytes_of_the_api(visit: Visit, ward: Ward) -> None:
    choose(visit.page, table="routine", key="daily-15-minutes")
    query = {"table": "routine", "key": "daily-15-minutes", "stat": "people"}
    query |= {"period_kind": "week"}
    starts_on = visit.page.locator("#period").input_value()
    places: dict[str, tuple[str, Json]] = {
        "#series-downloads": ("/v1/aggregates/series", query),
        "#period-downloads": (
            "/v1/aggregates/tables/routine",
            {"period_kind": "week", "starts_on": starts_on},
        ),
    }
    forms = {
        "Download CSV": ("text/csv", ".csv"),
        "FHIR R4B": ("application/fhir+json; fhirVersion=4.3", ".r4b.json"),
        "FHIR R5": ("application/fhir+json; fhirVersion=5.0", ".r5.json"),
    }
    for within, (path, params) in places.items():
        for label, (accept, ending) in forms.items():
            name, data = saved(visit.page, within, label)
            headers = {
                "Authorization": f"Bearer {ward.key}",
                "Accept": accept,
                "Accept-Language": "en",
            }
            response = httpx.get(f"{ward.server.url}{path}", params=params, headers=headers)
            assert response.status_code == 200, response.text
            assert data == response.content
            assert name.startswith("footing-")
            assert name.endswith(ending)
    assert b"suppressed" in saved(visit.page, "#period-downloads", "Download CSV")[1]


# Accessibility.


def test_the_keyboard_alone_is_enough(open_page: Open, ward: Ward) -> None:
    page = open_page(ward).page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the figures")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Key")).to_be_focused()
    page.keyboard.insert_text(ward.key)
    page.keyboard.press("Enter")
    shown(page)
    for label in ("Period", "Table", "Group", "Figure"):
        expect(page.locator("#choice").get_by_label(label)).to_be_focused()
        page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#series-title")).to_contain_text("Share who met the dose")
    shown(page)
    for _ in range(3):
        page.keyboard.press("Tab")
    button = page.locator("#series-downloads").get_by_role("button", name="Download CSV")
    expect(button).to_be_focused()
    with page.expect_download():
        page.keyboard.press("Enter")


@pytest.mark.parametrize("language", ["en", "es"])
def test_axe_finds_nothing(open_page: Open, ward: Ward, language: str) -> None:
    if not AXE.exists():
        pytest.skip("run: npm ci --prefix tests/clinicians/accessibility")
    page = open_page(ward, f"?lang={language}").page
    page.evaluate(AXE.read_text("utf-8"))

    def violations(scheme: Literal["light", "dark"]) -> list[Json]:
        page.emulate_media(color_scheme=scheme)
        found: list[Json] = page.evaluate(
            "rules => axe.run({runOnly: rules}).then(done => done.violations)", AXE_RULES
        )
        return found

    assert violations("light") == violations("dark") == []
    sign_in(page, ward.key)
    shown(page)
    choose(page, period_kind="cycle", table="red_flag_rule")
    expect(page.locator("#period-table .status-hidden").first).to_be_visible()
    assert violations("dark") == violations("light") == []


@pytest.mark.parametrize("language", ["en", "es"])
def test_nothing_is_wider_than_a_small_screen(open_page: Open, ward: Ward, language: str) -> None:
    page = open_page(ward, f"?lang={language}").page

    def overflows() -> dict[int, int]:
        found = {}
        for width in SMALL_SCREENS:
            page.set_viewport_size({"width": width, "height": 740})
            found[width] = page.evaluate(OVERFLOW)
        return found

    assert set(overflows().values()) == {0}
    sign_in(page, ward.key)
    shown(page)
    assert set(overflows().values()) == {0}
    choose(page, period_kind="cycle", table="red_flag_rule")
    assert set(overflows().values()) == {0}
    for width in SMALL_SCREENS:
        page.set_viewport_size({"width": width, "height": 740})
        # The chart is drawn again once its place has changed.
        page.wait_for_function(
            "width => document.querySelector('#chart svg').getBoundingClientRect().width <= width",
            arg=width,
        )


def test_the_language_follows_the_browser_and_can_be_switched(open_page: Open, ward: Ward) -> None:
    page = open_page(ward, locale="es-MX").page
    expect(page.locator("html")).to_have_attribute("lang", "es")
    sign_in(page, ward.key)
    shown(page)
    expect(page.locator("#series-title")).to_have_text(
        "Personas que practicaron: Todas las personas"
    )
    expect(page.locator("#newest")).to_contain_text("en torno a")
    page.locator("#language").select_option("en")
    expect(page.locator("#series-title")).to_have_text("People who practised: Everybody")
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_both_languages_say_the_same_things(open_page: Open, ward: Ward) -> None:
    outline = """async () => {
        const { languages } = await import("/clinic/texts.js");
        const shape = value => typeof value === "object"
            ? Object.fromEntries(Object.entries(value).map(([key, each]) => [key, shape(each)]))
            : typeof value;
        return shape(languages);
    }"""
    page = open_page(ward).page
    outlines = page.evaluate(outline)
    assert list(outlines) == ["en", "es"]
    assert outlines["en"] == outlines["es"]
    expect(page.locator("[data-text]:empty")).to_have_count(0)


# Keeping to itself, and when things go wrong.


def test_no_request_leaves_the_server(visit: Visit, ward: Ward) -> None:
    choose(visit.page, period_kind="cycle", table="tenure")
    fetched = [url for url in visit.requests if not url.startswith("blob:")]
    assert any("/v1/aggregates/series" in url for url in fetched)
    assert {urlsplit(url).netloc for url in fetched} == {urlsplit(ward.server.url).netloc}


def test_a_script_that_is_slipped_in_does_not_run(open_page: Open, ward: Ward) -> None:
    visit = open_page(ward)
    visit.page.evaluate(
        """() => {
            const script = document.createElement("script");
            try { script.textContent = "window.slippedIn = true"; } catch { }
            document.body.append(script);
        }"""
    )
    assert visit.page.evaluate("window.slippedIn") is None
    visit.complaints.clear()


def test_without_publications_the_page_says_so(open_page: Open, new_ward: Ward) -> None:
    page = open_page(new_ward).page
    sign_in(page, new_ward.key)
    expect(page.locator("#busy")).to_contain_text("Nothing is published yet.")
    expect(page.locator("#chart")).to_be_hidden()


def test_an_outage_is_shown_and_can_be_tried_again(open_page: Open, new_ward: Ward) -> None:
    visit = open_page(new_ward)
    path = new_ward.database_url.removeprefix("sqlite:///")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        sign_in(visit.page, new_ward.key)
        alert = visit.page.get_by_role("alert")
        expect(alert).to_contain_text("The service is unavailable at the moment.")
        expect(alert).to_contain_text(re.compile(r"Try again in \d+ seconds\."))
        other.execute("ROLLBACK")
    visit.page.get_by_role("button", name="Try again").click()
    expect(visit.page.locator("#who-name")).to_contain_text("Ward 3")
    expect(alert).to_be_hidden()
    refusals_are_expected(visit)


def test_a_server_that_is_gone_is_shown(open_page: Open, templates: Path, tmp_path: Path) -> None:
    with databases.fresh_database("sqlite", templates, tmp_path) as url:
        with running_ward(url, tmp_path) as ward:
            visit = open_page(ward)
            expect(visit.page.locator("#token")).to_be_visible()
        sign_in(visit.page, ward.key)
    expect(visit.page.get_by_role("alert")).to_contain_text("The service cannot be reached.")
    visit.complaints.clear()
