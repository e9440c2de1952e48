"""What is really stored of a person: read from the tables, past the API."""

import uuid
from collections.abc import Iterable

from sqlalchemy import select
from sqlmodel import SQLModel, col
from sqlmodel.ext.asyncio.session import AsyncSession

from api.core.db import table_of
from api.journal.models import Clearance, ExerciseSession, StoredDecision, SymptomReport
from api.participants.models import Participant, RecordedChange
from tests.core.stored import in_database
from tests.support.offline import OfflineDevice, QueuedRecord, key_of

TABLES: dict[str, type[SQLModel]] = {
    "session": ExerciseSession,
    "symptom_report": SymptomReport,
    "clearance": Clearance,
}


def stored_ids(database_url: str, device: OfflineDevice) -> list[tuple[str, str]]:
    """Read which records a person has, and check that every table agrees about them."""
    owner = uuid.UUID(device.participant_id)

    async def read(db: AsyncSession) -> list[tuple[str, str]]:
        ids = []
        for kind, model in TABLES.items():
            table = table_of(model)
            mine = select(table.c.id).where(table.c.participant_id == owner)
            ids += [(kind, str(record_id)) for record_id in (await db.execute(mine)).scalars()]
        decided = select(col(StoredDecision.report_id)).where(
            col(StoredDecision.participant_id) == owner
        )
        reports = {record_id for kind, record_id in ids if kind == "symptom_report"}
        assert {str(name) for name in (await db.execute(decided)).scalars()} == reports
        numbered = (
            select(
                col(RecordedChange.number), col(RecordedChange.kind), col(RecordedChange.record_id)
            )
            .where(col(RecordedChange.participant_id) == owner)
            .order_by(col(RecordedChange.number))
        )
        changes = (await db.execute(numbered)).all()
        assert [change.number for change in changes] == list(range(1, len(changes) + 1))
        assert set(ids) <= {(change.kind, str(change.record_id)) for change in changes}
        last = select(col(Participant.last_change)).where(col(Participant.participant_id) == owner)
        assert (await db.execute(last)).scalar_one() == len(changes)
        return ids

    return sorted(in_database(database_url, read))


def assert_stored(
    database_url: str, device: OfflineDevice, entries: Iterable[QueuedRecord]
) -> None:
    """Assert that a person has these records, each once, and nothing else."""
    expected = sorted(map(key_of, entries))
    assert stored_ids(database_url, device) == expected
    device.held, device.cursor, device.last_number = {}, None, 0
    device.fetch_all()
    assert sorted(device.held) == expected
