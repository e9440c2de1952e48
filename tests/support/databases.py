"""A fresh database for every test: a copy of one that was migrated and seeded once."""

import asyncio
import datetime
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from api.content import checks as content_checks
from api.content import service
from api.content.loading import load_valid
from api.core.config import SEED_FOLDER, Settings
from api.core.db import Database
from api.migrations import migrate
from api.triage import checks as triage_checks
from api.triage.vectors import vector_answers
from tests.support import postgres
from tests.support.clock import FakeClock

KINDS = ("sqlite", "postgresql")
POSTGRES_URL = "FOOTING_TEST_POSTGRES_URL"
TEMPLATE = "footing_template"
TODAY = datetime.date(2026, 11, 22)
EVERY_CHECK = (*content_checks.ALL, content_checks.check_reviews(TODAY), *triage_checks.ALL)


def postgres_url() -> str:
    """Return the URL of the run's cluster, which the controller started."""
    return os.environ[POSTGRES_URL]


def url_of(name: str) -> str:
    return postgres_url().rpartition("/")[0] + f"/{name}"


async def _fill(settings: Settings) -> None:
    catalogue, _ = load_valid(SEED_FOLDER, EVERY_CHECK)
    database = Database(settings)
    await migrate(database)
    async with database.write() as db:
        await service.seed(db, catalogue, FakeClock(), more=vector_answers)
    await database.close()


async def _copy_content(source: Settings, target: Settings) -> None:
    """Store the release of one database in another; compressing it again would take seconds."""
    here, there = Database(source), Database(target)
    await migrate(there)
    async with here.read() as db:
        name = await service.active_hash(db)
        assert name is not None
        release = await service.load_release(db, name)
    async with there.write() as db:
        await service.store(db, release, None, FakeClock())
        await service.activate(db, release.hash, FakeClock())
    await here.close()
    await there.close()


def make_templates(folder: Path) -> None:
    """Migrate and seed one database of each kind, once a run."""
    settings = Settings(database_url=f"sqlite:///{folder}/template.db")
    asyncio.run(_fill(settings))
    asyncio.run(postgres.execute(postgres_url(), f"CREATE DATABASE {TEMPLATE}"))
    asyncio.run(_copy_content(settings, Settings(database_url=url_of(TEMPLATE))))


@contextmanager
def fresh_database(kind: str, templates: Path, folder: Path) -> Iterator[str]:
    """Yield the URL of a migrated and seeded database that no other test uses."""
    name = f"t{uuid.uuid4().hex}"
    if kind == "sqlite":
        path = folder / f"{name}.db"
        shutil.copy(templates / "template.db", path)
        yield f"sqlite:///{path}"
        return
    create = f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY"
    asyncio.run(postgres.execute(postgres_url(), create))
    yield url_of(name)
    asyncio.run(postgres.execute(postgres_url(), f"DROP DATABASE {name} WITH (FORCE)"))


@contextmanager
def empty_database(kind: str, folder: Path) -> Iterator[str]:
    """Yield the URL of a database without a single table."""
    name = f"e{uuid.uuid4().hex}"
    if kind == "sqlite":
        yield f"sqlite:///{folder / name}.db"
        return
    asyncio.run(postgres.execute(postgres_url(), f"CREATE DATABASE {name}"))
    yield url_of(name)
    asyncio.run(postgres.execute(postgres_url(), f"DROP DATABASE {name} WITH (FORCE)"))


@contextmanager
def copied_database(url: str, folder: Path) -> Iterator[str]:
    """Yield the URL of a copy of a database without connections."""
    name = f"c{uuid.uuid4().hex}"
    if url.startswith("sqlite"):
        path = folder / f"{name}.db"
        shutil.copy(url.removeprefix("sqlite:///"), path)
        yield f"sqlite:///{path}"
        return
    source = url.rpartition("/")[2]
    create = f"CREATE DATABASE {name} TEMPLATE {source} STRATEGY FILE_COPY"
    asyncio.run(postgres.execute(postgres_url(), create))
    yield url_of(name)
    asyncio.run(postgres.execute(postgres_url(), f"DROP DATABASE {name} WITH (FORCE)"))
