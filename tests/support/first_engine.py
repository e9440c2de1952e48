"""What the first engine decided, recorded from the code of then: nothing of it is ever computed.

`rule-set.json` is the rule set as it was stored, `vectors.json` holds cases with the SHA-256 of the
canonical bytes of their decisions, `rows.json` one person's rows as they stood in the database.
"""

import datetime
import json
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Column, Date, Uuid, insert, select
from sqlmodel import SQLModel, col
from sqlmodel.ext.asyncio.session import AsyncSession

from api.content.models import ContentBody
from api.content.service import active_hash
from api.core.db import UtcDateTime, insert_once, table_of
from api.journal.models import ActivityHold, StoredDecision, SymptomReport
from api.participants.changes import Change, ChangedKind, record_changes
from api.triage.rules import RuleSet, compile_rule_set
from api.triage.service import path_of
from tests.support.device import Json

FOLDER = Path(__file__).parents[1] / "triage" / "engine_1"
RULE_SET_BYTES = (FOLDER / "rule-set.json").read_bytes().removesuffix(b"\n")
TABLES: dict[str, type[SQLModel]] = {
    "symptom_reports": SymptomReport,
    "decisions": StoredDecision,
    "activity_holds": ActivityHold,
}


def rule_set() -> RuleSet:
    """Compile the rule set of then."""
    return compile_rule_set(json.loads(RULE_SET_BYTES))


def vectors() -> list[Json]:
    """Return the cases, each with the hash of its decision's bytes."""
    found: list[Json] = json.loads((FOLDER / "vectors.json").read_bytes())
    return found


def recorded() -> dict[str, list[Json]]:
    """Return the rows as they were written out, by the name of their table."""
    found: dict[str, list[Json]] = json.loads((FOLDER / "rows.json").read_bytes())
    return found


def _value(column: Column[Any], value: Any) -> Any:
    if value is None:
        return None
    if isinstance(column.type, UtcDateTime):
        return datetime.datetime.fromisoformat(value)
    if isinstance(column.type, Date):
        return datetime.date.fromisoformat(value)
    return uuid.UUID(value) if isinstance(column.type, Uuid) else value


def row_of(model: type[SQLModel], recorded: Json) -> Json:
    """Read a row that was written out."""
    return {name: _value(table_of(model).c[name], value) for name, value in recorded.items()}


def report_rows() -> dict[uuid.UUID, Any]:
    """Return the reports by their ids."""
    rows = [row_of(SymptomReport, entry) for entry in recorded()["symptom_reports"]]
    return {row["id"]: SimpleNamespace(**row) for row in rows}


def report_as_sent(recorded: Json) -> Json:
    """Write a report as the client sent it; that gives the content hash of then."""
    names = ("id", "reported_at", "local_date", "time_zone", "pain_score", "weeks", "trend")
    sent = {name: recorded[name] for name in (*names, "age_years", "country", "answers", "note")}
    if recorded["device_level"] is not None:
        shown = {
            "level": recorded["device_level"],
            "rule_set_hash": recorded["device_rule_set_hash"],
        }
        sent["device_decision"] = shown
    return sent


async def store(db: AsyncSession, participant_id: uuid.UUID, now: datetime.datetime) -> None:
    """Put the rows of then under a participant of today, and the rule set beside those of today."""
    release = await active_hash(db)
    body = {"release_hash": release, "path": path_of(rule_set().hash), "language": ""}
    prepared = {"media_type": "application/json", "tag": "old", "identity": RULE_SET_BYTES}
    await insert_once(db, ContentBody, {**body, **prepared})
    for name, table in TABLES.items():
        rows = [row_of(table, entry) for entry in recorded()[name]]
        owned = [{"participant_id": participant_id} | row for row in rows]
        await db.exec(insert(table), params=owned)
    changes = [Change(ChangedKind.SYMPTOM_REPORT, report_id) for report_id in report_rows()]
    await record_changes(db, participant_id, changes, now)


async def stored_documents(db: AsyncSession) -> dict[str, Json]:
    """Return the decision documents as they are in the database."""
    rows = await db.execute(select(col(StoredDecision.id), col(StoredDecision.document)))
    return {str(row.id): row.document for row in rows}
