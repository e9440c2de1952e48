"""Reads what changed for a participant, and compares what a phone believes with what is stored."""

import re
import uuid
from collections.abc import Iterable

from sqlalchemy import select
from sqlmodel.ext.asyncio.session import AsyncSession

from api.core.canonical import sha256
from api.core.errors import Fault, InvalidRequest
from api.http.fields import LARGEST_INT32
from api.http.pages import decode_cursor, encode_cursor, unreadable_cursor
from api.journal import reading
from api.journal.models import CLEARANCES, SESSIONS
from api.journal.writing import TABLES
from api.participants.changes import ChangedKind, change_at, deleted_among
from api.participants.models import CHANGES
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
    """Bind a cursor to its owner: one of another participant would skip changes in silence."""
    return sha256(participant_id.bytes)[:16]


async def _position(db: AsyncSession, participant_id: uuid.UUID, cursor: str | None) -> int:
    """Return the number that a cursor stands at."""
    if cursor is None:
        return 0
    owner, digits, record_id = decode_cursor(cursor, 3)
    if owner != _owner_mark(participant_id) or not NUMBER.match(digits):
        raise unreadable_cursor()
    number = int(digits)
    if number == 0:
        return 0
    # Larger numbers are none that a database holds.
    stored = await change_at(db, participant_id, number) if number <= LARGEST_INT32 else None
    if stored is None or stored.hex != record_id:
        # The server went back to a backup, and may have gone on from there since: what the phone
        # holds may be missing here, and these numbers may mean other changes.
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
    """Return a page of changes behind a cursor, with each record as it is now."""
    position = await _position(db, participant_id, cursor)
    statement = (
        select(CHANGES)
        .where(CHANGES.c.participant_id == participant_id, CHANGES.c.number > position)
        .order_by(CHANGES.c.number)
        .limit(limit + 1)
    )
    rows = (await db.execute(statement)).all()
    page = rows[:limit]

    def ids(kind: ChangedKind) -> set[uuid.UUID]:
        return {row.record_id for row in page if row.kind == kind}

    sessions = await reading.rows_of(db, SESSIONS, participant_id, ids(ChangedKind.SESSION))
    reports = await reading.reports_of(db, participant_id, ids(ChangedKind.SYMPTOM_REPORT))
    clearances = await reading.rows_of(db, CLEARANCES, participant_id, ids(ChangedKind.CLEARANCE))
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
                # Also where it was deleted after this change: its content is nowhere any more.
                deleted=row.deleted if row.kind in singular else there is None,
                session=session and reading.session_of(session, rule_set, language),
                symptom_report=report and reading.report_of(report, report.decision),
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
    """Compare what a phone believes to be stored with what is."""
    hashes: dict[ChangedKind, dict[uuid.UUID, str]] = {}
    for kind, table in TABLES.items():
        ids = {item.id for item in believed.items if item.kind == kind}
        rows = await reading.rows_of(db, table, participant_id, ids)
        hashes[kind] = {record_id: row.content_hash for record_id, row in rows.items()}
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
