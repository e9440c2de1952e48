"""The policy: below the ceiling over every rolling year, as OpenDP counts; else nothing runs."""

import datetime
import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from api.content.loading import load_catalogue
from api.core.config import SEED_FOLDER
from api.core.dates import monday_of
from api.participants.schemas import AgeBand
from api.publications.accounting import Accountant
from api.publications.budget import (
    PeriodCost,
    best_guess_percent,
    most_in_any_window,
    most_touched,
)
from api.publications.cell_keys import cell_keys_of
from api.publications.measures import STATISTICS, TableName
from api.publications.periods import due
from api.publications.policy import InvalidPolicy, PublicationPolicy, read_policy
from tests.publications.population import MONDAY, PILOT, STANDARD

Json = dict[str, Any]
DAY = datetime.timedelta(days=1)
POLICIES = pytest.mark.parametrize("policy", [STANDARD, PILOT], ids=lambda policy: policy.profile)


@pytest.fixture
def seed(tmp_path: Path) -> Path:
    shutil.copytree(SEED_FOLDER / "aggregates", tmp_path / "aggregates")
    return tmp_path


def changed(seed: Path, *path: str | int, to: Any) -> Path:
    """Change one figure of the standard policy."""
    file = seed / "aggregates" / "standard.json"
    document = json.loads(file.read_text("utf-8"))
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    file.write_text(json.dumps(document), "utf-8")
    return seed


@POLICIES
def test_every_figure_is_what_opendp_says(policy: PublicationPolicy) -> None:
    Accountant().check(policy)


@POLICIES
def test_no_365_days_cost_more_than_the_ceiling_with_a_rerun(policy: PublicationPolicy) -> None:
    """Counted day by day over four years, not by the formula that checks the policy."""
    costs = [
        PeriodCost(period.starts_on, period.after, kind.rho)
        for kind in policy.periods
        for period in due(kind.kind, kind.days, MONDAY, 14, MONDAY + 1500 * DAY)
    ]
    rerun = math.fsum(times * policy.period(kind).rho for kind, times in policy.year.reruns.items())
    by_day = max(
        math.fsum(
            each.rho for each in costs if each.starts_on < start + 365 * DAY and each.after > start
        )
        for start in (MONDAY + number * DAY for number in range(1000))
    )
    assert most_in_any_window(costs) == pytest.approx(by_day, rel=1e-12)
    assert by_day + rerun <= policy.year.rho * (1 + 1e-12)
    assert policy.year.rho <= policy.year.ceiling_rho == 0.5


def test_a_year_touches_53_weeks_14_cycles_and_5_quarters() -> None:
    """Not 52, 13 and 4: a calendar year is not the worst case."""
    for days, touched in ((7, 53), (28, 14), (91, 5)):
        starts = range(2 * days)
        counted = max(
            sum(1 for first in range(0, 900, days) if first < s + 365 and first + days > s)
            for s in starts
        )
        assert most_touched(days) == counted == touched


def test_the_guarantee_in_words_is_the_one_of_the_design() -> None:
    assert best_guess_percent(0.5) == pytest.approx(69.15, abs=0.01)
    assert best_guess_percent(STANDARD.period("week").rho) == pytest.approx(51.9, abs=0.05)
    assert best_guess_percent(0) == 50


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("periods", 0, "tables", 0, "measures", 0, "scale"), 72, "rho of people is"),
        (("periods", 0, "tables", 0, "measures", 0, "rho"), 0.001, "rho of people is"),
        (("periods", 0, "tables", 0, "measures", 0, "bound"), 1, "rho of people is"),
        (("periods", 0, "rho"), 0.001, "rho of week adds up to"),
        (("periods", 0, "session_cap"), 14, "bound of sessions in a week is 14, not 7"),
        (("pain", "lowest_tenths"), -70, "bound of pain in a week is 50, not 40"),
        (("year", "rho"), 0.1, "rho of a year adds up to"),
        (("year", "ceiling_rho"), 0.4, "above the ceiling of 0.4"),
        (("periods", 0, "days"), 8, "not in whole weeks"),
        (("periods", 0, "tables", 0, "table"), "shoe_size", "/periods/0/tables/0/table"),
        (("seed",), 42, "/seed"),
    ],
)
def test_a_policy_that_is_wrong_is_refused_in_one_line(
    seed: Path, path: tuple[str | int, ...], value: Any, says: str
) -> None:
    with pytest.raises(InvalidPolicy) as caught:
        read_policy(changed(seed, *path, to=value), "standard")
    message = str(caught.value)
    assert says in message
    assert "standard.json" in message
    assert "\n" not in message


@pytest.mark.parametrize("name", ["epsilon", "rho"])
def test_a_figure_that_only_opendp_can_tell_wrong_is_refused(seed: Path, name: str) -> None:
    right = STANDARD.periods[0].epsilon
    if name == "epsilon":
        policy = read_policy(changed(seed, "periods", 0, "epsilon", to=right * 0.99), "standard")
    else:
        # Past the check by formula, which is coarser.
        measure = STANDARD.periods[0].tables[0].measures[0]
        place = ("periods", 0, "tables", 0, "measures", 0, "rho")
        policy = read_policy(changed(seed, *place, to=measure.rho * (1 - 5e-11)), "standard")
    with pytest.raises(InvalidPolicy, match=r"OpenDP's map says"):
        Accountant().check(policy)


def test_a_missing_policy_and_one_that_is_no_json_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidPolicy, match=r"Cannot read the policy .*standard\.json"):
        read_policy(tmp_path, "standard")
    (tmp_path / "aggregates").mkdir()
    (tmp_path / "aggregates" / "standard.json").write_text("{", "utf-8")
    with pytest.raises(InvalidPolicy, match="is not JSON"):
        read_policy(tmp_path, "standard")


@POLICIES
def test_the_hash_names_the_policy_and_changes_with_every_figure(
    policy: PublicationPolicy, seed: Path
) -> None:
    assert policy.hash == read_policy(SEED_FOLDER, policy.profile).hash
    assert policy.hash != read_policy(changed(seed, "grace_days", to=15), "standard").hash


@POLICIES
def test_every_age_band_that_people_can_enrol_with_has_a_key(policy: PublicationPolicy) -> None:
    assert policy.age_bands == list(AgeBand)


def test_the_keys_come_from_catalogue_settings_and_rules() -> None:
    catalogue = load_catalogue(SEED_FOLDER)
    keys = cell_keys_of(catalogue, ("south", "north"), STANDARD)
    assert keys.of(TableName.ROUTINE, STANDARD) == (
        *sorted(routine.id for routine in catalogue.routines),
        "personalised",
    )
    assert keys.of(TableName.REGION, STANDARD) == ("north", "south", "unknown")
    rules = keys.of(TableName.RED_FLAG_RULE, STANDARD)
    assert rules[0] == "E01"
    assert rules[-1] == "other"
    levels = {rule.id: rule.level for rule in catalogue.rules}
    assert {levels[rule] for rule in rules[:-1]} == {"emergency", "urgent"}
    ranks = [("emergency", "urgent").index(levels[rule]) for rule in rules[:-1]]
    assert ranks == sorted(ranks)


def test_periods_begin_on_mondays_and_close_two_weeks_after_their_sunday() -> None:
    assert monday_of(datetime.date(2026, 9, 13)) == MONDAY
    assert monday_of(MONDAY) == MONDAY
    closing = MONDAY + 21 * DAY
    assert not list(due("week", 7, MONDAY, 14, closing - DAY))
    (only,) = due("week", 7, MONDAY, 14, closing)
    assert (only.id, only.ends_on) == ("week-2026-09-07", MONDAY + 6 * DAY)


def test_every_statistic_belongs_to_one_measure() -> None:
    every = [statistic for statistics in STATISTICS.values() for statistic in statistics]
    assert len(every) == len(set(every))
