"""The policy: what is published, for which periods, with how much noise, below which ceiling.

It is data, in `seed/aggregates/`. Its consistency is checked here, with the formula of the noise;
`accounting` checks it with OpenDP's own maps before anything is drawn.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from api.content.vocabulary import WarningLevel
from api.core.canonical import content_hash
from api.core.errors import NotReady
from api.publications.budget import WINDOW_DAYS, most_touched
from api.publications.measures import FROM_REPORTS, PEOPLE_BOUND, Measure, TableName

FOLDER = "aggregates"
# One table of a statement holds its cell's number in three decimal digits.
MOST_KEYS = 999
SAME = 1e-9

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=32)]


class _PolicyModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class MeasurePolicy(_PolicyModel):
    """One noise, for all cells of a table and all statistics of the measure."""

    measure: Annotated[Measure, Field(strict=False)]
    # How much one participant can change the exact numbers: the length of the contribution.
    bound: Annotated[int, Field(ge=1)]
    # The scale of the discrete Gaussian, in the same unit.
    scale: Annotated[int, Field(ge=1)]
    rho: Annotated[float, Field(gt=0)]

    @model_validator(mode="after")
    def _rho_follows(self) -> Self:
        rho = self.bound**2 / (2 * self.scale**2)
        if not math.isclose(self.rho, rho, rel_tol=SAME):
            message = f"rho of {self.measure} is {rho!r} for scale {self.scale}, not {self.rho!r}"
            raise ValueError(message)
        return self


class TablePolicy(_PolicyModel):
    """A table with its measures."""

    table: Annotated[TableName, Field(strict=False)]
    measures: Annotated[list[MeasurePolicy], Field(min_length=1)]

    @model_validator(mode="after")
    def _measures_fit(self) -> Self:
        names = [measure.measure for measure in self.measures]
        if len(set(names)) < len(names):
            message = f"{self.table} has a measure twice"
            raise ValueError(message)
        if (self.table in FROM_REPORTS) != (names == [Measure.RED_FLAGS]):
            message = f"{self.table} cannot measure {', '.join(names)}"
            raise ValueError(message)
        return self


class PeriodPolicy(_PolicyModel):
    """A kind of period, and what is published for it."""

    kind: Name
    days: Annotated[int, Field(ge=7, le=371)]
    # From how many sessions on the dose counts as met, and above how many none are counted.
    dose: Annotated[int, Field(ge=1)]
    session_cap: Annotated[int, Field(ge=1)]
    tables: Annotated[list[TablePolicy], Field(min_length=1)]
    rho: Annotated[float, Field(gt=0)]
    epsilon: Annotated[float, Field(gt=0)]

    @property
    def measures(self) -> list[MeasurePolicy]:
        """All noises of such a publication."""
        return [measure for table in self.tables for measure in table.measures]

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.days % 7:
            message = f"{self.kind} has {self.days} days, which is not in whole weeks"
            raise ValueError(message)
        names = [table.table for table in self.tables]
        if len(set(names)) < len(names):
            message = f"{self.kind} has a table twice"
            raise ValueError(message)
        rho = math.fsum(measure.rho for measure in self.measures)
        if not math.isclose(self.rho, rho, rel_tol=SAME):
            message = f"rho of {self.kind} adds up to {rho!r}, not {self.rho!r}"
            raise ValueError(message)
        return self


class PainClamp(_PolicyModel):
    """The range to which a participant's mean pain change is clamped, in tenths of a point."""

    lowest_tenths: Annotated[int, Field(ge=-100, le=100)]
    highest_tenths: Annotated[int, Field(ge=-100, le=100)]

    @model_validator(mode="after")
    def _has_a_middle(self) -> Self:
        if self.lowest_tenths >= self.highest_tenths or (
            (self.lowest_tenths + self.highest_tenths) % 2
        ):
            message = "the clamp of pain needs a middle in whole tenths"
            raise ValueError(message)
        return self

    @property
    def middle(self) -> int:
        """The middle: subtracted, so that the largest contribution is as small as possible."""
        return (self.lowest_tenths + self.highest_tenths) // 2

    @property
    def reach(self) -> int:
        """The largest distance of a contribution from the middle."""
        return self.highest_tenths - self.middle


class YearLimit(_PolicyModel):
    """The most that can be learnt about one participant in any 365 days."""

    ceiling_rho: Annotated[float, Field(gt=0)]
    # Publications that may be drawn a second time in such a year, by kind.
    reruns: dict[Name, Annotated[int, Field(ge=0, le=10)]]
    rho: Annotated[float, Field(gt=0)]
    epsilon: Annotated[float, Field(gt=0)]


class PublicationPolicy(_PolicyModel):
    """A publication policy. Every publication stores the hash of its policy."""

    format: Literal["footing-aggregates/1"]
    profile: Name
    delta: Annotated[float, Field(gt=0, le=1e-5)]
    grace_days: Annotated[int, Field(ge=1, le=60)]
    # Sessions that arrive later than this after their date are not counted.
    late_days: Annotated[int, Field(ge=1, le=365)]
    age_bands: Annotated[list[str], Field(min_length=1, max_length=MOST_KEYS)]
    red_flag_levels: Annotated[
        list[Annotated[WarningLevel, Field(strict=False)]], Field(min_length=1)
    ]
    pain: PainClamp
    periods: Annotated[list[PeriodPolicy], Field(min_length=1)]
    year: YearLimit

    @property
    def hash(self) -> str:
        """The hash of the policy's canonical JSON."""
        return content_hash(self.model_dump(mode="json"))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of periods, in order."""
        return tuple(period.kind for period in self.periods)

    def period(self, kind: str) -> PeriodPolicy:
        """Return a kind of period."""
        return next(period for period in self.periods if period.kind == kind)

    def times_in_a_year(self, period: PeriodPolicy) -> int:
        """Return how often one participant can be in such a publication within any 365 days."""
        return most_touched(period.days, WINDOW_DAYS) + self.year.reruns.get(period.kind, 0)

    def _right_bound(self, period: PeriodPolicy, measure: Measure) -> int:
        return {
            Measure.PEOPLE: PEOPLE_BOUND,
            Measure.PAIN: self.pain.reach,
            Measure.SESSIONS: period.session_cap,
            Measure.RED_FLAGS: 1,
            Measure.PAIN_SQUARES: self.pain.reach**2,
        }[measure]

    @model_validator(mode="after")
    def _bounds_and_ceiling_hold(self) -> Self:
        kinds = [period.kind for period in self.periods]
        if len(set(kinds)) < len(kinds) or not set(self.year.reruns) <= set(kinds):
            message = "each kind of period must be listed exactly once"
            raise ValueError(message)
        for period in self.periods:
            for measure in period.measures:
                right = self._right_bound(period, measure.measure)
                if measure.bound != right:
                    message = (
                        f"the bound of {measure.measure} in a {period.kind} is {right}, "
                        f"not {measure.bound}"
                    )
                    raise ValueError(message)
        rho = math.fsum(self.times_in_a_year(period) * period.rho for period in self.periods)
        if not math.isclose(self.year.rho, rho, rel_tol=SAME):
            message = f"rho of a year adds up to {rho!r}, not {self.year.rho!r}"
            raise ValueError(message)
        if rho > self.year.ceiling_rho:
            message = f"rho of a year is {rho:.4f}, above the ceiling of {self.year.ceiling_rho}"
            raise ValueError(message)
        return self


class InvalidPolicy(NotReady):
    """The policy is invalid; the message says why."""


def read_policy(seed_folder: Path, profile: str) -> PublicationPolicy:
    """Read and check the policy of a policy profile, or raise InvalidPolicy."""
    path = seed_folder / FOLDER / f"{profile}.json"
    try:
        document: Any = json.loads(path.read_text("utf-8"))
        return PublicationPolicy.model_validate(document)
    except OSError as error:
        message = f"Cannot read the policy {path}: {error.strerror}"
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)[0]
        place = "/".join(map(str, found["loc"]))
        reason = found["msg"].removeprefix("Value error, ")
        message = f"The policy {path} is wrong{f' at /{place}' if place else ''}: {reason}"
    except ValueError as error:
        message = f"The policy {path} is not JSON: {error}"
    raise InvalidPolicy(message)


@dataclass(frozen=True)
class PublicationPolicies:
    """The policy in force, and those that earlier publications may have used."""

    active: PublicationPolicy
    by_profile: Mapping[str, PublicationPolicy]

    @property
    def every(self) -> tuple[PublicationPolicy, ...]:
        """All policies, the one in force first."""
        others = (policy for policy in self.by_profile.values() if policy is not self.active)
        return (self.active, *others)

    def of(self, kind: str, profile: str | None = None) -> PublicationPolicy | None:
        """Return the policy of a kind of period: the one in force, or of another profile."""
        having = [policy for policy in self.every if kind in policy.kinds]
        return next(
            (policy for policy in having if policy.profile == profile), next(iter(having), None)
        )


def read_policies(seed_folder: Path, profile: str) -> PublicationPolicies:
    """Read the policy in force, and all others."""
    active = read_policy(seed_folder, profile)
    others = sorted(path.stem for path in (seed_folder / FOLDER).glob("*.json"))
    found = {name: read_policy(seed_folder, name) for name in others if name != profile}
    return PublicationPolicies(active, {profile: active, **found})
