"""Reads the change feed, and compares a device's records with the stored ones."""

import re
import uuid
from collections.abc import Iterable

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from api.core.canonical import sha256
from api.core.errors import Fault, InvalidRequest
from api.http.fields import LARGEST_INT32
from api.http.pages import decode_cursor, encode_cursor, unreadable_cursor
from api.journal import reading
from api.journal.models import Clearance, ExerciseSession
from api.journal.writing import MODELS, RecordModel, find_records
from api.participants.changes import ChangedKind, change_at, deleted_among
from api.participants.models import RecordedChange
from api.sync.schemas import (
    ChangedRecord,
    ChangeList,
    Reconciled,
    ReconciledRecord,
    Reconciliation,
)
from api.triage.rules import RuleSet

NUMBER = re.compile(r"^[0-9]{1,10}$", re.ASCII)


def _owner_mark(participant_id: uuid.UUID) -> str:
    """Bind a cursor to its participant: that of another one would silently skip changes."""
    return sha256(participant_id.bytes)[:16]


async def _position(db: AsyncSession, participant_id: uuid.UUID, cursor: str | None) -> int:
    """Return the number of the last change that a cursor covers."""
    if cursor is None:
        return 0
    owner, digits, record_id = decode_cursor(cursor, 3)
    if owner != _owner_mark(participant_id) or not NUMBER.match(digits):
        raise unreadable_cursor()
    number = int(digits)
    if number == 0:
        return 0
    # The database cannot hold larger numbers.
    stored = await change_at(db, participant_id, number) if number <= LARGEST_INT32 else None
    if stored is None or stored.hex != record_id:
        # The server was restored from a backup and may have gone on since: the device may hold
        # records that are missing here, and the numbers may belong to other changes.
        message = "The cursor is ahead of the server. Start again without one, and reconcile."
        fault = Fault("/query/cursor", "cursor_ahead", message)
        raise InvalidRequest(message, faults=[fault])
    return number


async def list_changes(
    db: AsyncSession,
    participant_id: uuid.UUID,
    rule_set: RuleSet,
    language: str,
    *,
    limit: int,
    cursor: str | None,
) -> ChangeList:
    """Return a page of changes after a cursor, with each record as it is now."""
    position = await _position(db, participant_id, cursor)
    statement = (
        select(RecordedChange)
        .where(RecordedChange.participant_id == participant_id, RecordedChange.number > position)
        .order_by(col(RecordedChange.number))
        .limit(limit + 1)
    )
    rows = (await db.exec(statement)).all()
    page = rows[:limit]

    def ids(kind: ChangedKind) -> set[uuid.UUID]:
        return {row.record_id for row in page if row.kind == kind}

    async def stored(model: type[RecordModel], ids: set[uuid.UUID]) -> dict[uuid.UUID, RecordModel]:
        return {row.id: row for row in await find_records(db, model, participant_id, ids)}

    sessions = await stored(ExerciseSession, ids(ChangedKind.SESSION))
    reports = await reading.reports_of(db, participant_id, ids(ChangedKind.SYMPTOM_REPORT))
    clearances = await stored(Clearance, ids(ChangedKind.CLEARANCE))
    singular = {ChangedKind.PROFILE, ChangedKind.CONSENT, ChangedKind.SCHEDULE}
    items = []
    for row in page:
        session = sessions.get(row.record_id) if row.kind == ChangedKind.SESSION else None
        report = reports.get(row.record_id) if row.kind == ChangedKind.SYMPTOM_REPORT else None
        clearance = clearances.get(row.record_id) if row.kind == ChangedKind.CLEARANCE else None
        there = session or report or clearance
        items.append(
            ChangedRecord(
                number=row.number,
                kind=row.kind,
                id=row.record_id,
                changed_at=row.changed_at,
                # True also if it was deleted after this change: its content no longer exists.
                deleted=row.deleted if row.kind in singular else there is None,
                session=session and reading.session_of(session, rule_set, language),
                symptom_report=report and reading.report_of(*report),
                clearance=clearance and reading.clearance_of(clearance),
            )
        )
    here = encode_cursor(_owner_mark(participant_id), "0", "")
    if page:
        last = page[-1]
        here = encode_cursor(_owner_mark(participant_id), str(last.number), last.record_id.hex)
    return ChangeList(
        items=items,
        next_cursor=here if page or cursor is None else cursor,
        has_more=len(rows) > limit,
    )


async def reconcile(
    db: AsyncSession, participant_id: uuid.UUID, believed: Reconciliation
) -> Reconciled:
    """Compare the records that a device believes to be stored with those that are."""
    hashes: dict[ChangedKind, dict[uuid.UUID, str]] = {}
    for kind, model in MODELS.items():
        ids = {item.id for item in believed.items if item.kind == kind}
        rows = await find_records(db, model, participant_id, ids)
        hashes[kind] = {row.id: row.content_hash for row in rows}
    missing = {item.id for item in believed.items if item.id not in hashes[ChangedKind(item.kind)]}
    deleted = await deleted_among(db, participant_id, missing)
    return Reconciled(items=list(_judged(believed, hashes, deleted)))


def _judged(
    believed: Reconciliation,
    hashes: dict[ChangedKind, dict[uuid.UUID, str]],
    deleted: set[tuple[ChangedKind, uuid.UUID]],
) -> Iterable[ReconciledRecord]:
    for item in believed.items:
        kind = ChangedKind(item.kind)
        stored = hashes[kind].get(item.id)
        if stored is None:
            status = "deleted" if (kind, item.id) in deleted else "missing"
        else:
            status = "different" if item.content_hash not in {None, stored} else "present"
        yield ReconciledRecord.model_validate(
            {"kind": item.kind, "id": item.id, "status": status, "content_hash": stored}
        )
