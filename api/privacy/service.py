"""Erases everything of a participant at once, and writes everything out."""

import asyncio
import datetime
import json
import math
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import Select, Table, and_, delete, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from api.aggregates.ledger import Entry
from api.aggregates.texts import Texts, promised_percent
from api.content.catalogue import Catalogue
from api.content.service import find_body
from api.core.clock import Clock
from api.core.db import Database
from api.http.conditional import IDENTITY
from api.http.languages import choose_language
from api.journal import counted
from api.journal.decisions import activities_in_force
from api.journal.models import CLEARANCES, DECISIONS, HOLDS, REPORTS, SESSIONS
from api.participants.models import CONSENTS, PARTICIPANTS
from api.participants.service import language_of, remember_erased_tokens
from api.privacy import fhir
from api.privacy.purge import deleted
from api.privacy.registry import REGISTRY
from api.privacy.schemas import (
    ErasedTable,
    ErasureReceipt,
    LedgerEntry,
    LedgerSum,
    PrivacyLedger,
)
from api.publications.budget import epsilon_of
from api.triage.service import path_of

FORMAT = "footing-export/1"
PAGE = 200


async def erase(
    db: AsyncSession,
    participant_id: uuid.UUID,
    catalogue: Catalogue,
    language: str,
    clock: Clock,
) -> ErasureReceipt:
    """Delete every row of a participant from every personal table, in one transaction.

    The hashes of their tokens stay for 30 days without any id beside them, so that a second phone
    learns why it is no longer let in.
    """
    now = clock.now()
    await remember_erased_tokens(db, participant_id, now)
    erased = []
    for personal in REGISTRY:
        statement = delete(personal.table).where(personal.table.c.participant_id == participant_id)
        result = await db.execute(statement)
        erased.append(ErasedTable(name=personal.name, records=deleted(result)))
    return ErasureReceipt(
        erased_at=now,
        erased=erased,
        what_stays=catalogue.phrase("erasure_what_stays", language),
    )


def describe_ledger(found: Sequence[Entry], delta: float, texts: Texts) -> PrivacyLedger:
    """Add up what publications can tell about one participant, and say it in words."""
    rho = math.fsum(entry.publication.rho for entry in found)
    return PrivacyLedger(
        text=texts.ledger(rho),
        entries=[
            LedgerEntry(
                period_kind=entry.publication.kind,
                starts_on=entry.publication.starts_on,
                ends_on=entry.publication.ends_on,
                publication_id=entry.publication.id,
                rho=entry.publication.rho,
                epsilon=entry.publication.epsilon,
                entered=entry.entered,
            )
            for entry in found
        ],
        cumulative=LedgerSum(
            rho=rho,
            epsilon=epsilon_of(rho, delta),
            delta=delta,
            best_guess_percent=promised_percent(rho),
        ),
    )


def plain(value: Any) -> Any:
    """Write a column's value as JSON; instants in UTC with Z, as everywhere."""
    if isinstance(value, datetime.datetime):
        return fhir.instant(value)
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    return value


async def _rows(db: AsyncSession, statement: Select[Any]) -> AsyncIterator[Any]:
    """Read rows some at a time, so that a long history takes no more memory than a short one."""
    rows = await db.stream(statement.execution_options(yield_per=PAGE))
    async for row in rows:
        yield row
        # Writing out what is at hand never waits: let the others have their turn.
        await asyncio.sleep(0)


def _of(table: Table, participant_id: uuid.UUID) -> Select[Any]:
    """Select a participant's rows of a table, in the order of its key."""
    return (
        select(table).where(table.c.participant_id == participant_id).order_by(*table.primary_key)
    )


async def export(
    database: Database, participant_id: uuid.UUID, clock: Clock
) -> AsyncGenerator[bytes, None]:
    """Write everything of a participant as one JSON document, piece by piece."""
    now = plain(clock.now())
    head = {"format": FORMAT, "exported_at": now, "participant_id": str(participant_id)}
    async with database.snapshot() as db:
        yield json.dumps(head)[:-1].encode()
        for personal in REGISTRY:
            yield f', "{personal.name}": ['.encode()
            separator = b""
            async for row in _rows(db, _of(personal.table, participant_id)):
                entry = {name: plain(getattr(row, name)) for name in personal.exported}
                entry |= {name: show(entry[name]) for name, show in personal.shown.items()}
                yield separator + json.dumps(entry, ensure_ascii=False).encode()
                separator = b", "
            yield b"]"
    yield b"}"


async def export_fhir(
    database: Database, participant_id: uuid.UUID, clock: Clock
) -> AsyncGenerator[bytes, None]:
    """Write a participant's records as a FHIR R4B Bundle, piece by piece."""
    async with database.snapshot() as db:
        yield fhir.opening(clock.now())
        separator = b""
        async for resource in _resources(db, participant_id):
            yield separator + fhir.entry(resource)
            separator = b", "
    yield fhir.CLOSING


async def _resources(db: AsyncSession, participant_id: uuid.UUID) -> AsyncIterator[fhir.Resource]:
    """Read the records that FHIR has a word for, each as its resources."""
    superseded = counted.superseded().label("superseded")
    corrected = SESSIONS.alias("corrected")
    has_corrected = (
        select(corrected.c.id)
        .where(corrected.c.participant_id == participant_id)
        .where(corrected.c.id == SESSIONS.c.replaces)
        .exists()
        .label("has_corrected")
    )
    standing = (await activities_in_force(db, participant_id)).rule_ids
    rank = func.row_number().over(order_by=CONSENTS.c.number.desc()).label("rank")
    questions = await _questions(db, participant_id)
    reports = select(REPORTS).where(REPORTS.c.participant_id == participant_id).subquery()
    decisions = select(DECISIONS.c.id).where(DECISIONS.c.participant_id == participant_id)
    parts: tuple[tuple[Select[Any], Callable[[Any], Iterator[fhir.Resource]]], ...] = (
        (_of(PARTICIPANTS, participant_id), fhir.person),
        (_of(CONSENTS, participant_id).add_columns(rank), fhir.consents),
        (_of(SESSIONS, participant_id).add_columns(superseded, has_corrected), fhir.session),
        (
            _of(REPORTS, participant_id)
            .join(
                DECISIONS,
                and_(
                    DECISIONS.c.participant_id == REPORTS.c.participant_id,
                    DECISIONS.c.id == REPORTS.c.decision_id,
                ),
                isouter=True,
            )
            .add_columns(DECISIONS.c.rule_set_hash),
            lambda row: fhir.report(row, questions.get(row.rule_set_hash, {})),
        ),
        (
            _of(DECISIONS, participant_id)
            .join(reports, reports.c.id == DECISIONS.c.report_id)
            .add_columns(reports.c.reported_at, reports.c.decision_id.label("current")),
            fhir.decision,
        ),
        (_of(CLEARANCES, participant_id), fhir.clearance),
        (
            _of(HOLDS, participant_id).add_columns(
                HOLDS.c.decision_id.in_(decisions).label("has_decision")
            ),
            lambda row: fhir.hold(row, standing),
        ),
    )
    for statement, describe in parts:
        async for row in _rows(db, statement):
            for resource in describe(row):
                yield resource


async def _questions(db: AsyncSession, participant_id: uuid.UUID) -> dict[str, dict[str, str]]:
    """Return what the rule sets asked that a person's reports were read by, in their language."""
    language = await language_of(db, participant_id)
    used = select(DECISIONS.c.rule_set_hash).where(DECISIONS.c.participant_id == participant_id)
    found: dict[str, dict[str, str]] = {}
    for name in (await db.execute(used.distinct())).scalars():
        body = await find_body(db, path_of(name))
        document: dict[str, Any] = {"questions": [], "languages": []}
        if body is not None:
            document = json.loads(body.codings[IDENTITY])
        spoken = choose_language(None, language, tuple(document["languages"]))
        found[name] = {asked["id"]: asked["text"][spoken] for asked in document["questions"]}
    return found
