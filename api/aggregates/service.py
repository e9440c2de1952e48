"""What clinicians can read: the available figures and their values, from publications only.

Whether a number is shown is decided here, once. All formats are written from these responses.
"""

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeVar

from sqlmodel.ext.asyncio.session import AsyncSession

from api.aggregates.estimates import (
    NOT_RELEASED,
    Estimate,
    PainEstimateRange,
    Quantity,
    Status,
    quantities,
)
from api.aggregates.reading import (
    Cells,
    cells_of,
    published_keys,
    table_estimates,
)
from api.aggregates.schemas import (
    UNIT_OF,
    AggregateCell,
    AggregateIndex,
    AggregatePeriod,
    AggregatePoint,
    AggregatePrivacy,
    AggregateSeries,
    AggregateTable,
    AggregateTableEntry,
    Guarantee,
    ListedPeriod,
    TitledKey,
    TitledStat,
    TitledStatus,
)
from api.aggregates.texts import Texts, promised_percent
from api.core.errors import Fault, InvalidRequest, NotFound
from api.publications.cell_keys import cell_keys_of
from api.publications.measures import STATISTICS, TableName
from api.publications.periods import Period, periods
from api.publications.policy import PublicationPolicies, PublicationPolicy
from api.publications.reading import Published, first_day, published

METHOD_URL = "/clinic#method"
# Enough for any reading; the rest of a float would be noise about noise.
DECIMALS = 4

Named = TypeVar("Named", bound=str)


@dataclass(frozen=True)
class PrivacyCost:
    """How much a publication can reveal about one participant, and by which policy."""

    rho: float
    epsilon: float
    delta: float
    plan_hash: str


@dataclass(frozen=True)
class StartedPeriod:
    """A period that has begun, with its publication if it was closed, and the policy it follows."""

    period: Period
    publication: Published | None
    policy: PublicationPolicy

    @property
    def released(self) -> bool:
        """Whether its figures are available."""
        return self.publication is not None and self.publication.released

    @property
    def status(self) -> Literal["released", "not_released"]:
        """The state in one word."""
        return "released" if self.released else "not_released"

    @property
    def closed_at(self) -> datetime.datetime | None:
        """When it was closed."""
        return self.publication.closed_at if self.publication else None

    @property
    def publication_id(self) -> str | None:
        """The id of the publication, if the period was closed."""
        return self.publication.id if self.publication else None

    @property
    def cost(self) -> PrivacyCost:
        """The privacy cost of its publication: as published, or else as in the policy."""
        found = self.publication
        if found is not None:
            return PrivacyCost(found.rho, found.epsilon, found.delta, found.plan_hash)
        kind = self.policy.period(self.period.kind)
        return PrivacyCost(kind.rho, kind.epsilon, self.policy.delta, self.policy.hash)

    def described(self) -> AggregatePeriod:
        """Describe it for a response."""
        return AggregatePeriod(
            period_kind=self.period.kind,
            starts_on=self.period.starts_on,
            ends_on=self.period.ends_on,
            status=self.status,
            publication_id=self.publication_id,
            closed_at=self.closed_at,
        )


@dataclass(frozen=True)
class AvailableFigures:
    """Which tables, keys and periods have figures, without the figures."""

    policies: PublicationPolicies
    texts: Texts
    regions: Sequence[str]
    first: datetime.date
    today: datetime.date
    publications: Sequence[Published]
    once_published: dict[TableName, set[str]]

    @cached_property
    def tables(self) -> dict[tuple[TableName, str], tuple[Quantity, ...]]:
        """Return the figures of each table, by name and kind of period, in the policy's order.

        Beside those of the policy in force, those of other profiles with publications.
        """
        followed = {(each.profile, each.kind) for each in self.publications}
        found: dict[tuple[TableName, str], tuple[Quantity, ...]] = {}
        for policy in self.policies.every:
            for kind in policy.periods:
                if (
                    policy is not self.policies.active
                    and (policy.profile, kind.kind) not in followed
                ):
                    continue
                for table in kind.tables:
                    measured = [s for each in table.measures for s in STATISTICS[each.measure]]
                    said = quantities(measured, pain_range_of(policy))
                    if said:
                        before = found.get((table.table, kind.kind), ())
                        found[table.table, kind.kind] = tuple(dict.fromkeys((*before, *said)))
        return found

    def keys(self, table: TableName) -> tuple[str, ...]:
        """Return the keys of a table: current ones first, then earlier ones."""
        now = cell_keys_of(self.texts.catalogue, self.regions, self.policies.active)
        current = now.of(table, self.policies.active)
        return (*current, *sorted(self.once_published.get(table, set()) - set(current)))

    def started_periods(self, kind: str) -> list[StartedPeriod]:
        """Return every period of a kind that has begun, oldest first."""
        closed = {each.starts_on: each for each in self.publications if each.kind == kind}
        current = self.policies.of(kind)
        found: list[StartedPeriod] = []
        if current is None:
            return found
        for period in periods(kind, current.period(kind).days, self.first):
            # The first one is always there: clocks differ.
            if found and period.starts_on > self.today:
                break
            publication = closed.get(period.starts_on)
            profile = publication.profile if publication else None
            found.append(
                StartedPeriod(period, publication, self.policies.of(kind, profile) or current)
            )
        return found


def pain_range_of(policy: PublicationPolicy) -> PainEstimateRange:
    """Return the range of the pain change, in points."""
    return PainEstimateRange(policy.pain.lowest_tenths / 10, policy.pain.highest_tenths / 10)


async def find_available(
    db: AsyncSession,
    policies: PublicationPolicies,
    texts: Texts,
    regions: Sequence[str],
    today: datetime.date,
) -> AvailableFigures:
    """Look up what is available."""
    first = await first_day(db)
    every = await published(db)
    return AvailableFigures(policies, texts, regions, first, today, every, await published_keys(db))


def index(available: AvailableFigures) -> AggregateIndex:
    """List what is available."""
    policy, texts = available.policies.active, available.texts
    kinds = dict.fromkeys(kind for _, kind in available.tables)
    newest = sorted(
        (started for kind in kinds for started in available.started_periods(kind)),
        key=lambda started: (started.period.ends_on, started.period.kind),
        reverse=True,
    )
    return AggregateIndex(
        profile=policy.profile,
        guarantee=Guarantee(
            text=texts.guarantee(policy.year.rho),
            unit="participant",
            delta=policy.delta,
            year_ceiling_rho=policy.year.ceiling_rho,
            year_epsilon=policy.year.epsilon,
            best_guess_percent=promised_percent(policy.year.rho),
            plan_hash=policy.hash,
        ),
        method_url=METHOD_URL,
        late_days=policy.late_days,
        grace_days=policy.grace_days,
        stats=[
            TitledStat(stat=stat, title=texts.stat(stat), unit=UNIT_OF[stat]) for stat in Quantity
        ],
        statuses=[TitledStatus(status=status, title=texts.status(status)) for status in Status],
        tables=[
            AggregateTableEntry(
                table=table,
                title=texts.table(table),
                period_kind=kind,
                keys=[
                    TitledKey(key=key, title=texts.key(table, key)) for key in available.keys(table)
                ],
                stats=list(said),
            )
            for (table, kind), said in available.tables.items()
        ],
        periods=[
            ListedPeriod(
                **vars(started.described()), rho=started.cost.rho, epsilon=started.cost.epsilon
            )
            for started in newest
        ],
    )


def _known(place: str, asked: str, known: Iterable[Named]) -> Named:
    """Find a name among the available ones, or reject it and list them."""
    every = list(known)
    for name in every:
        if name == asked:
            return name
    message = f"Unknown {place.rpartition('/')[2]}. Available: {', '.join(every)}."
    raise InvalidRequest(message, faults=[Fault(place, "not_offered", message)])


def _not_aligned(
    place: str, asked: datetime.date, valid: Sequence[datetime.date]
) -> InvalidRequest:
    """Return the valid days before and after an invalid one."""
    before = [day for day in valid if day < asked][-1:]
    after = [day for day in valid if day > asked][:1]
    nearest = " and ".join(day.isoformat() for day in (*before, *after))
    which = "last" if place.endswith("/to") else "first"
    message = f"No period that has begun has {asked} as its {which} day; the nearest: {nearest}."
    return InvalidRequest(message, faults=[Fault(place, "period_not_aligned", message)])


def _kind_of(available: AvailableFigures, table: TableName, asked: str | None) -> str:
    kinds = [kind for name, kind in available.tables if name == table]
    return kinds[0] if asked is None else _known("/query/period_kind", asked, kinds)


def _started_period(
    available: AvailableFigures,
    table: TableName,
    asked_kind: str | None,
    starts_on: datetime.date | None,
) -> StartedPeriod:
    """Find the requested period, by default the newest released one."""
    kinds = [kind for name, kind in available.tables if name == table]
    if asked_kind is not None:
        kinds = [_known("/query/period_kind", asked_kind, kinds)]
    started_periods = [started for kind in kinds for started in available.started_periods(kind)]
    if starts_on is None:
        released = [started for started in started_periods if started.released] or started_periods
        # Of those that end on the same day the first kind of the policy.
        return max(released, key=lambda started: started.period.ends_on)
    for started in started_periods:
        if started.period.starts_on == starts_on:
            return started
    valid = sorted({started.period.starts_on for started in started_periods})
    raise _not_aligned("/query/starts_on", starts_on, valid)


def _privacy(started: StartedPeriod) -> AggregatePrivacy:
    return AggregatePrivacy(
        **vars(started.cost),
        unit=f"participant-{started.period.kind}",
        year_ceiling_rho=started.policy.year.ceiling_rho,
        best_guess_percent=promised_percent(started.cost.rho),
    )


def _rounded(number: float | None) -> float | None:
    # The sum makes a zero of what would be written as -0.0.
    return None if number is None else round(number, DECIMALS) + 0.0


def _said(estimate: Estimate) -> dict[str, Any]:
    """Convert an estimate to the fields of a response."""
    return {
        "status": estimate.status,
        "estimate": _rounded(estimate.value),
        "standard_error": _rounded(estimate.standard_error),
        "sampling_error": _rounded(estimate.sampling_error),
        "privacy_error": _rounded(estimate.privacy_error),
        "ci95_low": _rounded(estimate.lower),
        "ci95_high": _rounded(estimate.upper),
    }


def _estimates(
    started: StartedPeriod, cells: dict[str, Cells], table: TableName
) -> dict[str, dict[Quantity, Estimate]]:
    if not started.released or started.publication is None:
        return {}
    return table_estimates(
        cells.get(started.publication.id, {}), table, pain_range_of(started.policy)
    )


async def read_table(
    db: AsyncSession,
    available: AvailableFigures,
    asked: str,
    period_kind: str | None,
    starts_on: datetime.date | None,
) -> AggregateTable:
    """Read every figure of a table, of one period."""
    names = list(dict.fromkeys(name for name, _ in available.tables))
    table = next((name for name in names if name == asked), None)
    if table is None:
        message = f"Unknown table. Available: {', '.join(names)}."
        raise NotFound(message)
    started = _started_period(available, table, period_kind, starts_on)
    found = _estimates(started, await cells_of(db, [started.publication_id or ""]), table)
    keys = [key for key in available.keys(table) if not found or key in found]
    return AggregateTable(
        table=table,
        title=available.texts.table(table),
        period=started.described(),
        privacy=_privacy(started),
        method_url=METHOD_URL,
        cells=[
            AggregateCell(
                key=key,
                title=available.texts.key(table, key),
                stat=stat,
                unit=UNIT_OF[stat],
                **_said(found.get(key, {}).get(stat, NOT_RELEASED)),
            )
            for key in keys
            for stat in available.tables[table, started.period.kind]
        ],
    )


def _span(
    started_periods: Sequence[StartedPeriod],
    first: datetime.date | None,
    last: datetime.date | None,
) -> Sequence[StartedPeriod]:
    """Select the periods between two days, by default up to the last closed one."""
    starts = [started.period.starts_on for started in started_periods]
    ends = [started.period.ends_on for started in started_periods]
    closed = [
        number for number, started in enumerate(started_periods) if started.publication is not None
    ]
    begin, end = 0, closed[-1] if closed else len(started_periods) - 1
    if first is not None:
        if first not in starts:
            raise _not_aligned("/query/from", first, starts)
        begin = starts.index(first)
        end = max(begin, end)
    if last is not None:
        if last not in ends:
            raise _not_aligned("/query/to", last, ends)
        end = ends.index(last)
    if begin > end:
        message = f"to is before from: the first period ends on {ends[begin]}."
        raise InvalidRequest(message, faults=[Fault("/query/to", "period_not_aligned", message)])
    return started_periods[begin : end + 1]


async def read_series(
    db: AsyncSession,
    available: AvailableFigures,
    *,
    table: str,
    key: str,
    stat: str,
    period_kind: str | None,
    first: datetime.date | None,
    last: datetime.date | None,
) -> AggregateSeries:
    """Read one figure of one key, period by period."""
    name = _known("/query/table", table, dict.fromkeys(each for each, _ in available.tables))
    kind = _kind_of(available, name, period_kind)
    quantity = _known("/query/stat", stat, available.tables[name, kind])
    known_key = _known("/query/key", key, available.keys(name))
    started_periods = _span(available.started_periods(kind), first, last)
    ids = [
        started.publication.id
        for started in started_periods
        if started.publication and started.released
    ]
    cells = await cells_of(db, ids)
    return AggregateSeries(
        table=name,
        title=available.texts.table(name),
        key=known_key,
        key_title=available.texts.key(name, known_key),
        stat=quantity,
        stat_title=available.texts.stat(quantity),
        unit=UNIT_OF[quantity],
        period_kind=kind,
        privacy=_privacy(started_periods[-1]),
        method_url=METHOD_URL,
        points=[
            AggregatePoint(
                starts_on=started.period.starts_on,
                ends_on=started.period.ends_on,
                period_status=started.status,
                publication_id=started.publication_id,
                closed_at=started.closed_at,
                rho=started.cost.rho,
                epsilon=started.cost.epsilon,
                plan_hash=started.cost.plan_hash,
                **_said(
                    _estimates(started, cells, name).get(known_key, {}).get(quantity, NOT_RELEASED)
                ),
            )
            for started in started_periods
        ],
    )
