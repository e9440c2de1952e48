"""`footing demo`: fills an empty database with made-up people, and publishes their figures."""

import collections
import datetime
import random
import sys
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from sqlalchemy import Table, exists, insert, select, text, update

from api.aggregates.models import INSTALLATIONS, PUBLICATIONS
from api.aggregates.periods import monday_of
from api.aggregates.publishing import Publisher
from api.clinicians.identity import READ_AGGREGATES
from api.clinicians.service import add_key
from api.console import opened, read_settings, run
from api.content.service import active_hash, load_release
from api.core.clock import SystemClock
from api.core.config import Settings
from api.core.db import Database
from api.core.errors import NotReady
from api.core.logging import set_up_logging
from api.demo import TABLES, People, Person
from api.journal.models import REPORTS, SESSIONS
from api.participants.models import PARTICIPANTS
from api.publish_cli import PATIENT_SECONDS, close_due, publisher_of
from api.triage.service import RuleSets

WEEK = datetime.timedelta(weeks=1)
TOGETHER = 100
# Whoever signs in with it is told by its name, on the page as well as in the audit log.
KEY_NAME = "Demo with made-up people"
KEY_DAYS = 30


async def require_empty(database: Database) -> None:
    """Refuse a database that may hold anything about anybody."""
    async with database.read() as db:
        for table in (PARTICIPANTS, PUBLICATIONS):
            if (await db.execute(select(exists().select_from(table)))).scalar_one():
                message = (
                    "This database already holds participants or publications. Made-up people "
                    "must not stand beside real ones: give FOOTING_DATABASE_URL an empty one. "
                    "Nothing was changed."
                )
                raise NotReady(message)


@dataclass
class Filled:
    """What the database holds now."""

    counts: collections.Counter[Table]
    somebody: Person


async def fill(
    database: Database, settings: Settings, *, participants: int, weeks: int, seed: int
) -> Filled:
    """Store made-up people in one transaction, as if the service had run for so many weeks."""
    now = SystemClock().now()
    first = monday_of(now.date()) - weeks * WEEK
    async with database.read() as db:
        name = await active_hash(db)
        if name is None:
            message = "There is no content in the database yet. Run: footing seed"
            raise NotReady(message)
        release = await load_release(db, name)
    people = People(
        catalogue=release.catalogue,
        rule_set=RuleSets().of(release),
        regions=settings.regions,
        first=first,
        now=now,
        chance=random.Random(seed),
    )
    counts: collections.Counter[Table] = collections.Counter()
    async with database.write() as db:
        # With nobody in it, the date of the first migration says nothing about anybody yet.
        await db.execute(update(INSTALLATIONS).values(installed_on=first))
        with typer.progressbar(length=participants, label="Making up", file=sys.stderr) as bar:
            for begin in range(0, participants, TOGETHER):
                made = [people.make() for _ in range(min(TOGETHER, participants - begin))]
                for table in TABLES:
                    rows = [row for person in made for row in person.rows[table]]
                    counts[table] += len(rows)
                    if rows:
                        await db.execute(insert(table), rows)
                bar.update(len(made))
    async with database.write() as db:
        # Else a planner would go by tables that were empty a moment ago.
        await db.execute(text("ANALYZE"))
    return Filled(counts, made[0])


def told(filled: Filled, publisher: Publisher, closed: list[Any], key: str) -> str:
    """Say what there is to see, and how."""
    counts = filled.counts
    periods = collections.Counter(period.kind for period in closed)
    kinds = [f"{periods[kind.kind]} of kind {kind.kind}" for kind in publisher.plan.periods]
    return f"""\
Made up: {counts[PARTICIPANTS]} people, {counts[SESSIONS]} sessions, {counts[REPORTS]} reports.
None of these people exists. Closed periods: {", ".join(kinds)}.

To see their figures:

  footing serve

Open http://127.0.0.1:8000/clinic and sign in with this key, which is shown once and ends in \
{KEY_DAYS} days:

  {key}

To see one of the people as their phone does:

  curl http://127.0.0.1:8000/v1/progress -H "Authorization: Bearer {filled.somebody.token}"
"""


def demo(
    participants: Annotated[
        int, typer.Option(help="How many people to make up.", min=1, max=1_000_000)
    ] = 3000,
    weeks: Annotated[
        int, typer.Option(help="For how many weeks they have been there.", min=4, max=520)
    ] = 26,
    seed: Annotated[
        int, typer.Option(help="Another number makes other people up; the noise has none.")
    ] = 1,
) -> None:
    """Fill an empty database with made-up people and publish their figures, to look at."""
    settings = read_settings()
    patient = {"database_timeout_seconds": PATIENT_SECONDS}
    settings = settings.model_copy(update=patient)
    set_up_logging(settings)

    async def work() -> str:
        async with opened(settings, patient=True) as database:
            publisher = await publisher_of(settings, database)
            await require_empty(database)
            filled = await fill(
                database, settings, participants=participants, weeks=weeks, seed=seed
            )
            closed = await close_due(publisher)
            async with database.write() as db:
                key, _ = await add_key(db, KEY_NAME, KEY_DAYS, [READ_AGGREGATES], SystemClock())
        return told(filled, publisher, closed, str(key))

    typer.echo(run(work()))
