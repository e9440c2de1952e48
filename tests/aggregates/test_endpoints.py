"""What clinicians can read over HTTP: everything that was published, and nothing else."""

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fhir.resources import get_fhir_model_class as r5_model
from fhir.resources.R4B import get_fhir_model_class as r4b_model
from sqlalchemy import insert
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.testclient import TestClient

from api.aggregates.estimates import Status
from api.clinicians.models import AuditEntry
from api.core.config import Settings
from api.main import create_app
from api.publications.accounting import Accountant
from api.publications.budget import epsilon_of
from api.publications.models import Publication
from tests.aggregates.forms import (
    NUMBERS,
    R4B,
    R5,
    absent,
    ask,
    cells,
    csv_rows,
    forms_that_agree,
    strata,
)
from tests.aggregates.published import DAY, ROUTINE, person, publish_a_week, real_keys
from tests.conftest import AppMaker
from tests.core.stored import in_database, rows
from tests.publications.population import MONDAY, STANDARD
from tests.publications.test_publishing import NoNoise, publish, settle
from tests.support import databases
from tests.support.clinician import Clinician, give_key
from tests.support.clock import FakeClock

Json = dict[str, Any]
TABLE = "/v1/aggregates/tables/routine"
SERIES = "/v1/aggregates/series"
FIGURE = {"table": "routine", "key": ROUTINE, "stat": "people"}


@pytest.fixture
def clinician(database_url: str, make_client: AppMaker, clock: FakeClock) -> Clinician:
    """A clinician before an installation that has published nothing yet."""
    settle(database_url)
    return Clinician(make_client(database_url=database_url), give_key(database_url, clock))


@pytest.fixture(scope="module", params=databases.KINDS)
def reader(
    request: pytest.FixtureRequest, templates: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Clinician]:
    """A clinician before an installation that has published its first week; they only read."""
    folder = tmp_path_factory.mktemp("reader")
    with databases.fresh_database(request.param, templates, folder) as url:
        publish_a_week(url, folder)
        app = create_app(
            Settings(database_url=url, rate_limit_clinician="100000/minute"), FakeClock()
        )
        with TestClient(app, raise_server_exceptions=False) as client:
            yield Clinician(client, give_key(url, FakeClock()))


# What there is.


def test_the_index_lists_every_table_with_its_keys_and_every_period(reader: Clinician) -> None:
    index = ask(reader, "/v1/aggregates").json()
    listed = [(table["table"], table["period_kind"]) for table in index["tables"]]
    assert listed == [
        ("routine", "week"),
        ("routine", "cycle"),
        ("age", "cycle"),
        ("region", "cycle"),
        ("red_flag_rule", "cycle"),
    ]
    assert index["tables"][0]["stats"] == ["people", "adherence", "sessions", "pain_change"]
    assert {"key": ROUTINE, "title": "Daily 15-minute set"} in index["tables"][0]["keys"]
    first, newest = index["periods"][-1], index["periods"][0]
    assert (first["status"], first["publication_id"]) == ("released", "week-2026-09-07")
    assert (newest["status"], newest["publication_id"]) == ("not_released", None)
    ends = [period["ends_on"] for period in index["periods"]]
    assert ends == sorted(ends, reverse=True)


def test_the_index_states_the_guarantee_of_the_policy(reader: Clinician) -> None:
    guarantee = ask(reader, "/v1/aggregates").json()["guarantee"]
    assert guarantee["best_guess_percent"] == 69.2
    assert "69.2" in guarantee["text"]
    assert guarantee["plan_hash"] == STANDARD.hash
    assert guarantee["year_epsilon"] == STANDARD.year.epsilon


def test_everything_with_a_name_has_a_title_in_the_language_that_is_asked_for(
    reader: Clinician,
) -> None:
    english, spanish = (ask(reader, "/v1/aggregates", lang=lang).json() for lang in ("en", "es"))

    def titles(index: Json) -> Iterator[str]:
        yield index["guarantee"]["text"]
        for entry in (*index["stats"], *index["statuses"], *index["tables"]):
            yield entry["title"]
            yield from (key["title"] for key in entry.get("keys", ()))

    pairs = list(zip(titles(english), titles(spanish), strict=True))
    assert len(pairs) > 50
    assert not [pair for pair in pairs if pair[0] == pair[1]]
    assert not [title for pair in pairs for title in pair if "{" in title]


# A table.


def test_a_cell_has_its_estimate_and_its_uncertainty(reader: Clinician) -> None:
    said = cells(reader, TABLE)
    people = said[ROUTINE, "people"]
    # 100 people, and no noise in this publication.
    assert (people["status"], people["estimate"], people["unit"]) == ("ok", 100.0, "people")
    assert people["standard_error"] == pytest.approx(144 / 7, abs=1e-4)
    assert people["ci95_low"] == pytest.approx(100 - 1.96 * 144 / 7, abs=1e-3)
    assert said[ROUTINE, "adherence"]["estimate"] == pytest.approx(0.6)
    assert said[ROUTINE, "sessions"]["estimate"] == 500.0
    assert said[ROUTINE, "pain_change"]["estimate"] == -1.0


def test_a_cell_with_too_few_people_is_suppressed_and_carries_no_number(reader: Clinician) -> None:
    for stat in ("people", "adherence", "sessions", "pain_change"):
        cell = cells(reader, TABLE)["exercises-only", stat]
        assert cell["status"] == "suppressed"
        assert [cell[name] for name in NUMBERS] == [None] * 6


def test_without_a_wish_it_is_the_newest_released_period(
    clinician: Clinician, database_url: str, tmp_path: Path
) -> None:
    settle(database_url, *(person(start=MONDAY + week * DAY) for week in (0, 7) for _ in range(90)))
    publish(
        database_url, tmp_path, MONDAY + 28 * DAY, noise=NoNoise(), keys=real_keys(database_url)
    )
    newest = ask(clinician, TABLE).json()
    assert newest["period"]["publication_id"] == "week-2026-09-14"
    older = ask(clinician, TABLE, starts_on="2026-09-07").json()
    assert older["period"]["publication_id"] == "week-2026-09-07"
    assert older["privacy"]["unit"] == "participant-week"
    assert older["privacy"]["best_guess_percent"] == 51.9
    cycle = ask(clinician, TABLE, period_kind="cycle").json()
    assert cycle["period"]["status"] == "not_released"
    assert {cell["status"] for cell in cycle["cells"]} == {"not_released"}


def test_before_anything_is_published_every_figure_is_not_released(clinician: Clinician) -> None:
    table = ask(clinician, TABLE).json()
    assert {cell["status"] for cell in table["cells"]} == {"not_released"}
    assert not [cell for cell in table["cells"] for name in NUMBERS if cell[name] is not None]
    points = ask(clinician, SERIES, **FIGURE).json()["points"]
    assert {point["status"] for point in points} == {"not_released"}


def test_a_period_whose_cells_are_lost_is_not_released(
    clinician: Clinician, database_url: str, tmp_path: Path
) -> None:
    publish_a_week(database_url, tmp_path)
    (week,) = rows(database_url, Publication)
    lost = week | {"id": "week-2026-09-14", "released": False}
    lost |= {"starts_on": MONDAY + 7 * DAY, "ends_on": MONDAY + 13 * DAY}

    async def lose(db: AsyncSession) -> None:
        await db.execute(insert(Publication).values(lost))

    in_database(database_url, lose)
    table = ask(clinician, TABLE, starts_on="2026-09-14").json()
    assert table["period"]["status"] == "not_released"
    assert table["period"]["publication_id"] == "week-2026-09-14"
    assert {cell["status"] for cell in table["cells"]} == {"not_released"}
    report = ask(clinician, TABLE, R4B, starts_on="2026-09-14").json()
    assert report["status"] == "error"
    assert {absent(stratum) for stratum in strata(report).values()} == {"unknown"}
    # The newest that is released is another one.
    assert ask(clinician, TABLE).json()["period"]["publication_id"] == "week-2026-09-07"


# A series.


def test_a_series_has_a_point_for_every_period_also_those_without_a_number(
    clinician: Clinician, database_url: str, tmp_path: Path
) -> None:
    counts = {0: 90, 1: 5, 2: 120}
    people = [person(start=MONDAY + 7 * w * DAY) for w, many in counts.items() for _ in range(many)]
    settle(database_url, *people)
    publish(
        database_url, tmp_path, MONDAY + 35 * DAY, noise=NoNoise(), keys=real_keys(database_url)
    )
    series = ask(clinician, SERIES, **FIGURE).json()
    points = [
        (point["starts_on"], point["status"], point["estimate"]) for point in series["points"]
    ]
    assert points == [
        ("2026-09-07", "ok", 90.0),
        ("2026-09-14", "suppressed", None),
        ("2026-09-21", "ok", 120.0),
    ]
    span = {"from": "2026-09-14", "to": "2026-10-04"}
    cut = ask(clinician, SERIES, **FIGURE, **span).json()["points"]
    assert [(point["starts_on"], point["status"]) for point in cut] == [
        ("2026-09-14", "suppressed"),
        ("2026-09-21", "ok"),
        ("2026-09-28", "not_released"),
    ]


def test_a_series_agrees_with_the_tables(reader: Clinician) -> None:
    for (key, stat), cell in cells(reader, TABLE).items():
        (point,) = ask(reader, SERIES, table="routine", key=key, stat=stat).json()["points"]
        assert {name: point[name] for name in ("status", *NUMBERS)} == {
            name: cell[name] for name in ("status", *NUMBERS)
        }


# What is refused.


@pytest.mark.parametrize(
    ("path", "params", "pointer", "nearest"),
    [
        (TABLE, {"starts_on": "2026-09-09"}, "starts_on", "2026-09-07 and 2026-09-14"),
        (TABLE, {"starts_on": "2020-01-06"}, "starts_on", "the nearest: 2026-09-07."),
        (TABLE, {"starts_on": "2030-01-07"}, "starts_on", "the nearest: 2026-11-16."),
        (SERIES, {"from": "2026-09-08"}, "from", "2026-09-07 and 2026-09-14"),
        (SERIES, {"to": "2026-09-14"}, "to", "2026-09-13 and 2026-09-20"),
        (SERIES, {"from": "2026-09-14", "to": "2026-09-13"}, "to", "2026-09-20"),
        (TABLE, {"period_kind": "cycle", "starts_on": "2026-09-14"}, "starts_on", "2026-10-05"),
    ],
)
def test_days_that_bound_no_period_are_rejected_with_the_nearest_ones(
    reader: Clinician, path: str, params: dict[str, str], pointer: str, nearest: str
) -> None:
    response = ask(reader, path, **(params | FIGURE if path == SERIES else params))
    assert response.status_code == 422
    (fault,) = response.json()["errors"]
    assert (fault["pointer"], fault["code"]) == (f"/query/{pointer}", "period_not_aligned")
    assert nearest in fault["message"]


@pytest.mark.parametrize(
    ("name", "there_is"),
    [
        ("table", "routine, age, region, red_flag_rule"),
        ("key", "personalised"),
        ("stat", "people, adherence, sessions, pain_change"),
        ("period_kind", "week, cycle"),
    ],
)
def test_an_unavailable_choice_is_rejected_with_the_available_ones(
    reader: Clinician, name: str, there_is: str
) -> None:
    response = ask(reader, SERIES, **(FIGURE | {name: "nothing"}))
    assert response.status_code == 422
    (fault,) = response.json()["errors"]
    assert (fault["pointer"], fault["code"]) == (f"/query/{name}", "not_offered")
    assert there_is in fault["message"]
    unknown = ask(reader, "/v1/aggregates/tables/nothing")
    assert unknown.status_code == 404
    assert "routine, age, region, red_flag_rule" in unknown.json()["detail"]


def test_every_query_leaves_its_entry_in_the_audit_log(
    clinician: Clinician, database_url: str
) -> None:
    ask(clinician, TABLE, accept="text/csv", starts_on="2026-09-07")
    ask(clinician, SERIES, **FIGURE)
    entries = [(row["operation"], row["parameters"]) for row in rows(database_url, AuditEntry)]
    assert entries == [
        ("getAggregateTable", {"table": "routine", "starts_on": "2026-09-07"}),
        ("getAggregateSeries", FIGURE),
    ]


# What a client keeps.


@pytest.mark.parametrize("accept", ["application/json", "text/csv", R4B, R5])
def test_an_unchanged_response_is_304_and_each_format_has_its_own_etag(
    reader: Clinician, accept: str
) -> None:
    first = ask(reader, TABLE, accept)
    assert first.headers["Cache-Control"] == "private, max-age=0"
    assert first.headers["Vary"] == "Accept, Accept-Language, Accept-Encoding"
    headers = {"Authorization": f"Bearer {reader.token}", "If-None-Match": first.headers["ETag"]}
    again = reader.client.get(TABLE, headers=headers | {"Accept": accept})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    others = {"application/json", "text/csv", R4B, R5} - {accept}
    tags = {ask(reader, TABLE, other).headers["ETag"] for other in others}
    assert first.headers["ETag"] not in tags
    assert len(tags) == 3


def test_what_was_asked_for_twice_is_the_same_to_the_byte(reader: Clinician) -> None:
    for path in ("/v1/aggregates", TABLE):
        assert len({ask(reader, path).content for _ in range(20)}) == 1


# The other forms.


def test_what_is_suppressed_is_suppressed_in_every_form_and_never_a_zero(
    reader: Clinician,
) -> None:
    agreed = forms_that_agree(reader, TABLE)
    assert agreed.keys() == {Status.OK, Status.UNSTABLE, Status.SUPPRESSED}


@pytest.mark.parametrize(
    ("accept", "model", "version"), [(R4B, r4b_model, "4.3"), (R5, r5_model, "5.0")]
)
def test_a_measure_report_is_valid_fhir_and_carries_its_guarantee(
    reader: Clinician, accept: str, model: Any, version: str
) -> None:
    response = ask(reader, TABLE, accept)
    assert response.headers["Content-Type"] == f"application/fhir+json; fhirVersion={version}"
    report = response.json()
    model("MeasureReport").model_validate(report)
    assert report["type"] == "summary"
    assert report["meta"]["security"][0]["code"] == "ANONYED"
    (privacy,) = report["extension"]
    parts = {part["url"]: part.get("valueDecimal") for part in privacy["extension"]}
    assert parts["rho"] == STANDARD.period("week").rho
    bundle = ask(reader, SERIES, accept, **FIGURE).json()
    model("Bundle").model_validate(bundle)
    assert [entry["resource"]["status"] for entry in bundle["entry"]] == ["complete"]
    pending = ask(reader, SERIES, accept, **FIGURE, to="2026-09-20").json()
    assert [entry["resource"]["status"] for entry in pending["entry"]] == ["complete", "pending"]


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("application/fhir+json;fhirVersion=4.3", f"{R4B}; fhirVersion=4.3"),
        ("application/fhir+json; fhirVersion=5.0;q=0.5, */*;q=0.1", R5),
        ("application/fhir+json;fhirVersion=4.0, application/fhir+json;fhirVersion=5.0", R5),
        ("text/html, text/csv;q=0.9, */*;q=0.8", "text/csv; charset=utf-8"),
        ("*/*", "application/json"),
    ],
)
def test_the_form_is_the_one_that_the_client_likes_best(
    reader: Clinician, accept: str, content_type: str
) -> None:
    assert ask(reader, TABLE, accept).headers["Content-Type"] == content_type


@pytest.mark.parametrize("accept", ["image/png", "application/fhir+json; fhirVersion=4.0"])
def test_an_unavailable_media_type_is_rejected(reader: Clinician, accept: str) -> None:
    assert ask(reader, TABLE, accept).status_code == 406
    assert ask(reader, "/v1/aggregates", "text/csv").status_code == 406


def test_csv_has_a_file_name(reader: Clinician) -> None:
    response = ask(reader, TABLE, "text/csv")
    assert response.headers["Content-Disposition"] == (
        'attachment; filename="footing-routine-week-2026-09-07.csv"'
    )


def test_no_text_of_csv_is_run_as_a_formula(
    database_url: str, make_client: AppMaker, clock: FakeClock
) -> None:
    regions = ('=HYPERLINK("http://evil.example")', "+1", "-1", "@SUM(1)", 'quo"te, and more')
    settle(database_url)
    client = make_client(database_url=database_url, regions=regions)
    reader = Clinician(client, give_key(database_url, clock))
    lines = csv_rows(ask(reader, "/v1/aggregates/tables/region", "text/csv"))
    keys = {line["key"] for line in lines}
    assert 'quo"te, and more' in keys
    assert not [key for key in keys if key.startswith(("=", "+", "-", "@"))]
    assert {key.removeprefix("'") for key in keys} == {*regions, "unknown"}


# The sums.


@pytest.mark.parametrize("rho", [1e-6, 0.0045, 0.0182, 0.4986, 1.5, 20.0])
def test_epsilon_equals_that_of_opendp(rho: float) -> None:
    assert epsilon_of(rho, 1e-6) == pytest.approx(Accountant().epsilon([rho], 1e-6), rel=1e-9)


def test_a_clock_that_is_behind_the_installation_is_no_fault(
    clinician: Clinician, clock: FakeClock
) -> None:
    clock.instant = datetime.datetime(2026, 9, 1, tzinfo=datetime.UTC)
    # By this clock the key was created in the future, which is no error either.
    assert ask(clinician, TABLE).status_code == 200
