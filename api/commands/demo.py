"""`footing demo`: fills an empty database with synthetic users, and publishes their figures."""

import collections
import datetime
import random
import sys
from dataclasses import dataclass, field
from typing import Annotated

import typer
from sqlalchemy import exists, insert, text, update
from sqlmodel import SQLModel, select

from api.clinicians.identity import READ_AGGREGATES
from api.clinicians.service import add_key
from api.commands.console import PATIENT_SECONDS, notify, opened, read_settings, run
from api.commands.demo_data import TABLES, People
from api.commands.publish import close_due
from api.content.service import active_hash, load_release
from api.core.clock import SystemClock
from api.core.config import Settings
from api.core.dates import monday_of
from api.core.db import UNSYNCED, Database
from api.core.errors import NotReady
from api.core.logging import set_up_logging
from api.journal.models import ExerciseSession, SymptomReport
from api.migrations import require_head
from api.participants.models import Participant
from api.participants.tokens import DeviceToken
from api.publications.models import Installation, Publication
from api.publications.periods import Period
from api.publications.publishing import Publisher
from api.triage.service import RuleSets

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

WEEK = datetime.timedelta(weeks=1)
# Otherwise SQLAlchemy omits None, and inserts rows that differ in that one by one.
AS_GIVEN = {"render_nulls": True}
TOGETHER = 100
# The page and the audit log show this name.
KEY_NAME = "Demo (synthetic data)"
KEY_DAYS = 30


async def require_empty(database: Database) -> None:
    """Reject a database that may contain data of real people."""
    async with database.read() as db:
        for table in (Participant, Publication):
            if (await db.exec(select(exists().select_from(table)))).one():
                message = (
                    "This database already contains participants or publications. Fictitious "
                    "people must not be mixed with real ones: set FOOTING_DATABASE_URL to an "
                    "empty database. Nothing was changed."
                )
                raise NotReady(message)


@dataclass
class Filled:
    """What the database holds now."""

    counts: collections.Counter[type[SQLModel]] = field(default_factory=collections.Counter)
    # The token of one of the participants.
    sample: DeviceToken | None = None


async def people_of(database: Database, settings: Settings, weeks: int, seed: int) -> People:
    """Return the generator of users for the active content."""
    now = SystemClock().now()
    async with database.read() as db:
        # `Publisher.open` has refused a database without content.
        release = await load_release(db, await active_hash(db) or "")
    return People(
        catalogue=release.catalogue,
        rule_set=RuleSets().of(release),
        regions=settings.regions,
        first=monday_of(now.date()) - weeks * WEEK,
        now=now,
        chance=random.Random(seed),
    )


async def fill(database: Database, people: People, participants: int) -> Filled:
    """Store synthetic users in one transaction, as if the service had run since their first day."""
    filled = Filled()
    async with database.write() as db:
        # The database is empty, so that this date reveals nothing about anyone.
        await db.exec(
            update(Installation).values(installed_on=people.first), execution_options=UNSYNCED
        )
        with typer.progressbar(length=participants, label="Making up", file=sys.stderr) as bar:
            for begin in range(0, participants, TOGETHER):
                made = [people.make() for _ in range(min(TOGETHER, participants - begin))]
                for table in TABLES:
                    rows = [row for person in made for row in person.rows[table]]
                    filled.counts[table] += len(rows)
                    if rows:
                        await db.exec(insert(table), params=rows, execution_options=AS_GIVEN)
                busiest = max(made, key=lambda person: len(person.rows[ExerciseSession]))
                filled.sample = filled.sample or busiest.token
                bar.update(len(made))
    async with database.write() as db:
        # Otherwise the query planner would assume empty tables.
        await (await db.connection()).execute(text("ANALYZE"))
    return filled


def summary(filled: Filled, publisher: Publisher, closed: list[Period], key: str) -> str:
    """Return what was created, and how to view it."""
    counts = filled.counts
    periods = collections.Counter(period.kind for period in closed)
    kinds = [f"{periods[kind.kind]} of kind {kind.kind}" for kind in publisher.policy.periods]
    return f"""\
Created: {counts[Participant]} people, {counts[ExerciseSession]} sessions, \
{counts[SymptomReport]} reports.
All of these users are synthetic. Closed periods: {", ".join(kinds)}.

To see their figures:

  footing serve

Open http://127.0.0.1:8000/clinic and sign in with this key, which is shown once and ends in \
{KEY_DAYS} days:

  {key}

To see one of the people as their app does:

  curl http://127.0.0.1:8000/v1/me/progress -H "Authorization: Bearer {filled.sample}"
"""


@app.command()
def demo(
    participants: Annotated[
        int, typer.Option(help="Number of synthetic users.", min=1, max=1_000_000)
    ] = 3000,
    weeks: Annotated[int, typer.Option(help="Number of weeks of records.", min=4, max=520)] = 26,
    seed: Annotated[
        int, typer.Option(help="Another number creates other people; the noise has no seed.")
    ] = 1,
) -> None:
    """Fill an empty database with synthetic users and publish their figures."""
    settings = read_settings()
    patient = {"database_timeout_seconds": PATIENT_SECONDS}
    settings = settings.model_copy(update=patient)
    set_up_logging(settings)

    async def work() -> str:
        async with opened(settings, patient=True) as database:
            await require_head(database)
            publisher = await Publisher.open(settings, database, SystemClock(), notify)
            await require_empty(database)
            people = await people_of(database, settings, weeks, seed)
            filled = await fill(database, people, participants)
            closed = await close_due(publisher)
            async with database.write() as db:
                key, _ = await add_key(db, KEY_NAME, KEY_DAYS, [READ_AGGREGATES], SystemClock())
        return summary(filled, publisher, closed, str(key))

    typer.echo(run(work()))
