"""Closes periods: exact figures, noise, and the publication with its cells in one transaction.

Each period is closed exactly once, also by concurrent publishers, and never computed again.
"""

import datetime
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from sqlalchemy import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from api.content.service import active_hash, load_release
from api.core.clock import Clock
from api.core.config import Settings
from api.core.db import Database, insert_once
from api.core.errors import NotReady
from api.core.locks import Notify, job_lock, quiet
from api.publications import cube, periods
from api.publications.accounting import Accountant
from api.publications.budget import PeriodCost, most_in_any_window
from api.publications.cell_keys import CellKeys, cell_keys_of
from api.publications.log import LoggedPublication, PublicationLog
from api.publications.measures import STATISTICS
from api.publications.models import Publication, PublicationCell
from api.publications.noise import Noise, OpenDpNoise
from api.publications.periods import Period
from api.publications.policy import PublicationPolicy, TablePolicy, read_policy
from api.publications.reading import first_day
from api.publications.restoring import installation_id


@dataclass(frozen=True)
class Publisher:
    """Closes the periods of one installation."""

    database: Database
    policy: PublicationPolicy
    keys: CellKeys
    noise: Noise
    log: PublicationLog
    clock: Clock
    notify: Notify = quiet

    @classmethod
    async def open(
        cls, settings: Settings, database: Database, clock: Clock, notify: Notify
    ) -> "Publisher":
        """Check the policy with OpenDP, and derive the cells from the active release."""
        policy = read_policy(settings.seed_folder, settings.aggregates_profile)
        Accountant().check(policy)
        async with database.read() as db:
            active = await active_hash(db)
            if active is None:
                message = "There is no content in the database yet. Run: footing seed"
                raise NotReady(message)
            catalogue = (await load_release(db, active)).catalogue
        keys = cell_keys_of(catalogue, settings.regions, policy)
        log = PublicationLog(settings.publication_log)
        return cls(database, policy, keys, OpenDpNoise(), log, clock, notify)

    async def due(self) -> list[Period]:
        """Return the periods that are due, oldest first."""
        today = self.clock.now().date()
        async with self.database.read() as db:
            first = await first_day(db)
            closed = set(await db.exec(select(Publication.id)))
        found = [
            period
            for kind in self.policy.periods
            for period in periods.due(kind.kind, kind.days, first, self.policy.grace_days, today)
        ]
        return sorted(period for period in found if period.id not in closed)

    async def close(self, due: Iterable[Period]) -> AsyncIterator[tuple[Period, bool]]:
        """Close periods one by one; yield each with whether it was closed here."""
        for period in due:
            async with job_lock(self.database, "publish", self.notify) as db:
                installation = await installation_id(db)
                publication = await self._close(db, period)
            if publication is not None:
                self.log.closed(publication, installation)
            yield period, publication is not None

    async def _close(self, db: AsyncSession, period: Period) -> LoggedPublication | None:
        """Publish one period in a transaction, unless another publisher did."""
        kind = self.policy.period(period.kind)
        publication = LoggedPublication(
            id=period.id,
            kind=period.kind,
            starts_on=period.starts_on,
            ends_on=period.ends_on,
            # When it was due: the time that computing took would reveal the amount of data.
            closed_at=period.closes_at(self.policy.grace_days),
            profile=self.policy.profile,
            plan_hash=self.policy.hash,
            rho=kind.rho,
            epsilon=kind.epsilon,
            delta=self.policy.delta,
        )
        # First: a concurrent publisher waits here until this transaction ends, and then skips.
        if not await insert_once(db, Publication, {**vars(publication), "released": True}):
            return None
        await self._refuse_above_ceiling(db, period)
        for table in kind.tables:
            exact = await cube.compute(db, period, self.policy, table, self.keys)
            await db.exec(insert(PublicationCell), params=self._cells(period, table, exact))
        return publication

    def _cells(
        self, period: Period, table: TablePolicy, exact: cube.Exact
    ) -> list[dict[str, object]]:
        """Draw the noise of a table, measure by measure."""
        cells: list[dict[str, object]] = []
        for measure in table.measures:
            places = [place for place in exact if place[1] in STATISTICS[measure.measure]]
            noisy = self.noise.draw([exact[place] for place in places], measure.scale)
            cells += [
                {
                    "publication_id": period.id,
                    "table_name": table.table.value,
                    "key": key,
                    "statistic": statistic.value,
                    "noisy": value,
                    "scale": measure.scale,
                }
                for (key, statistic), value in zip(places, noisy, strict=True)
            ]
        return cells

    async def _refuse_above_ceiling(self, db: AsyncSession, period: Period) -> None:
        """Compare what was published with the ceiling: policies can change within a year."""
        rows = await db.exec(
            select(col(Publication.starts_on), col(Publication.ends_on), col(Publication.rho))
        )
        one = datetime.timedelta(days=1)
        costs = [PeriodCost(starts_on, ends_on + one, rho) for starts_on, ends_on, rho in rows]
        most = most_in_any_window(costs)
        if most > self.policy.year.ceiling_rho:
            message = (
                f"Publishing {period.id} would bring some 365 days to rho {most:.4f}, above the "
                f"ceiling of {self.policy.year.ceiling_rho}; nothing was published. After a change "
                "of the profile, publish again when the year before it has passed."
            )
            raise NotReady(message)
