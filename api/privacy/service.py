"""Erasure and export of everything that is stored about a participant."""

import asyncio
import datetime
import json
import math
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, select
from sqlalchemy.orm import Mapped, aliased
from sqlmodel import SQLModel, col
from sqlmodel import select as typed_select
from sqlmodel.ext.asyncio.session import AsyncSession

from api.aggregates.ledger import EnteredPublication
from api.aggregates.texts import Texts, promised_percent
from api.content.catalogue import Catalogue
from api.content.service import find_body
from api.core.clock import Clock
from api.core.dates import utc_text
from api.core.db import Database, table_of
from api.http.conditional import IDENTITY
from api.http.languages import choose_language
from api.journal import counted
from api.journal.decisions import IS_CURRENT, activities_in_force
from api.journal.models import (
    ActivityHold,
    Clearance,
    ExerciseSession,
    StoredDecision,
    SymptomReport,
)
from api.participants.models import ConsentRecord, Participant
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

    The hashes of their tokens are kept for 30 days without any id, so that other devices learn why
    their tokens are refused.
    """
    now = clock.now()
    await remember_erased_tokens(db, participant_id, now)
    erased = []
    for personal in REGISTRY:
        result = await db.exec(personal.delete(participant_id))
        erased.append(ErasedTable(name=personal.name, records=deleted(result)))
    return ErasureReceipt(
        erased_at=now,
        erased=erased,
        what_stays=catalogue.phrase("erasure_what_stays", language),
    )


def describe_ledger(
    found: Sequence[EnteredPublication], delta: float, texts: Texts
) -> PrivacyLedger:
    """Sum what publications can reveal about one participant, with an explanation."""
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
    """Return a column's value as JSON; instants in UTC with Z."""
    if isinstance(value, datetime.datetime):
        return utc_text(value)
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    return value


async def _rows(db: AsyncSession, statement: Select[Any]) -> AsyncIterator[Any]:
    """Stream rows, so that a long history takes no more memory than a short one."""
    rows = await db.stream(statement.execution_options(yield_per=PAGE))
    async for row in rows:
        yield row
        # Serialising rows that are already fetched never waits: give other tasks a turn.
        await asyncio.sleep(0)


def _of(model: type[SQLModel], participant_id: uuid.UUID) -> Select[Any]:
    """Select a participant's rows of a table, ordered by its key; columns, not entities."""
    table = table_of(model)
    return (
        select(table).where(table.c.participant_id == participant_id).order_by(*table.primary_key)
    )


async def export(
    database: Database, participant_id: uuid.UUID, clock: Clock
) -> AsyncGenerator[bytes, None]:
    """Yield everything stored about a participant as one JSON document, in pieces."""
    now = plain(clock.now())
    head = {"format": FORMAT, "exported_at": now, "participant_id": str(participant_id)}
    async with database.snapshot() as db:
        yield json.dumps(head)[:-1].encode()
        for personal in REGISTRY:
            yield f', "{personal.name}": ['.encode()
            separator = b""
            async for row in _rows(db, _of(personal.model, participant_id)):
                entry = {name: plain(getattr(row, name)) for name in personal.exported}
                entry |= {name: show(entry[name]) for name, show in personal.shown.items()}
                yield separator + json.dumps(entry, ensure_ascii=False).encode()
                separator = b", "
            yield b"]"
    yield b"}"


async def export_fhir(
    database: Database, participant_id: uuid.UUID, clock: Clock
) -> AsyncGenerator[bytes, None]:
    """Yield a participant's records as a FHIR R4B Bundle, in pieces."""
    async with database.snapshot() as db:
        yield fhir.opening(clock.now())
        separator = b""
        async for resource in _resources(db, participant_id):
            yield separator + fhir.entry(resource)
            separator = b", "
    yield fhir.CLOSING


async def _resources(db: AsyncSession, participant_id: uuid.UUID) -> AsyncIterator[fhir.Resource]:
    """Yield the resources of all records that FHIR can express."""
    corrected = aliased(ExerciseSession, name="corrected")
    has_corrected = (
        select(col(corrected.id))
        .where(col(corrected.participant_id) == participant_id)
        .where(col(corrected.id) == col(ExerciseSession.replaces))
        .exists()
    )
    rank = func.row_number().over(order_by=col(ConsentRecord.number).desc())
    decisions = select(col(StoredDecision.id)).where(
        col(StoredDecision.participant_id) == participant_id
    )
    of_report = and_(
        col(SymptomReport.participant_id) == col(StoredDecision.participant_id),
        col(SymptomReport.id) == col(StoredDecision.report_id),
    )
    rules_in_force = (await activities_in_force(db, participant_id)).rule_ids
    questions = await _questions(db, participant_id)

    def of(model: type[fhir.Owned], *more: ColumnElement[Any] | Mapped[Any]) -> Select[Any]:
        own = col(model.participant_id) == participant_id
        return select(model, *more).where(own).order_by(*table_of(model).primary_key)

    parts: tuple[tuple[Select[Any], Callable[..., Iterator[fhir.Resource]]], ...] = (
        (of(Participant), fhir.person),
        (
            of(ConsentRecord, rank),
            lambda consent, rank: fhir.consents(consent, newest=rank == 1),
        ),
        (
            of(ExerciseSession, counted.superseded(), has_corrected),
            lambda session, superseded, has_corrected: fhir.session(
                session, superseded=superseded, has_corrected=has_corrected
            ),
        ),
        (
            of(SymptomReport, col(StoredDecision.rule_set_hash)).join(
                StoredDecision, IS_CURRENT, isouter=True
            ),
            lambda report, rule_set: fhir.report(report, rule_set, questions.get(rule_set, {})),
        ),
        (
            of(StoredDecision, col(SymptomReport.reported_at), col(SymptomReport.decision_id)).join(
                SymptomReport, of_report
            ),
            fhir.decision,
        ),
        (of(Clearance), fhir.clearance),
        (
            of(ActivityHold, col(ActivityHold.decision_id).in_(decisions)),
            lambda hold, has_decision: fhir.hold(hold, rules_in_force, has_decision=has_decision),
        ),
    )
    for statement, describe in parts:
        async for row in _rows(db, statement):
            for resource in describe(*row):
                yield resource


async def _questions(db: AsyncSession, participant_id: uuid.UUID) -> dict[str, dict[str, str]]:
    """Return the questions of all rule sets in use for the participant, in their language."""
    language = await language_of(db, participant_id)
    used = typed_select(StoredDecision.rule_set_hash).where(
        StoredDecision.participant_id == participant_id
    )
    found: dict[str, dict[str, str]] = {}
    for name in await db.exec(used.distinct()):
        body = await find_body(db, path_of(name))
        document: dict[str, Any] = {"questions": [], "languages": []}
        if body is not None:
            document = json.loads(body.encodings[IDENTITY])
        spoken = choose_language(None, language, tuple(document["languages"]))
        found[name] = {asked["id"]: asked["text"][spoken] for asked in document["questions"]}
    return found
