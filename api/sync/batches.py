"""Takes what a phone kept while it was offline, and gives a receipt for each record."""

import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from pydantic import TypeAdapter, ValidationError

from api.core.db import is_outage
from api.core.errors import Fault, InvalidRequest, Problem
from api.http.fields import LARGEST_INT32, RecordId, counting_faults
from api.http.problems import fault_of
from api.journal import decisions, reading, service
from api.journal.errors import IdConflict
from api.journal.history import in_order
from api.journal.schemas import NewClearance, NewSession, NewSymptomReport, Record
from api.journal.service import Kept
from api.journal.writing import Writing
from api.participants.changes import ChangedKind
from api.sync.schemas import MAX_ITEMS, Batch, BatchReceipts, Receipt
from api.triage.evaluation import advise, ranks
from api.triage.refusals import decide_on_usable

log = structlog.get_logger(__name__)
RECORD_ID: TypeAdapter[uuid.UUID] = TypeAdapter(RecordId)
# A receipt's `detail` names this many faults of its record.
FAULTS_TOLD = 3
# The fault may be ours: a release that knows what the record names may be yet to come.
RETRIED = {"unknown_activity", "unknown_question", "unknown_choice", "internal_error"}


@dataclass
class Entry:
    """A record of a batch: where it stands, what was read of it, and what became of it."""

    kind: ChangedKind
    place: str
    index: int
    # As it was sent.
    sent: Any = None
    record_id: uuid.UUID | None = None
    record: Record | None = None
    kept: Kept | None = None
    conflict: bool = False
    # The care level that is to be shown, with its words: of the decision on a report, whether it is
    # stored or not, and of the advice on a session.
    level: str | None = None
    headline: str | None = None
    faults: Sequence[Fault] = field(default_factory=tuple)

    def receipt(self) -> Receipt:
        """Say what became of it."""
        found: dict[str, Any] = dict.fromkeys(("code", "detail", "pointer", "content_hash"))
        found["adjusted"] = []
        if self.kept is None:
            first = self.faults[0]
            found["status"] = "conflict" if self.conflict else "rejected"
            found["action"] = "retry_later" if first.code in RETRIED else "fix"
            found["code"] = first.code
            found["detail"] = "; ".join(fault.message for fault in self.faults[:FAULTS_TOLD])[:1000]
            found["pointer"] = first.pointer[:500]
        else:
            found["status"] = "created" if self.kept.created else "duplicate"
            found["action"] = "none"
            found["content_hash"] = self.kept.row.content_hash
            found["adjusted"] = reading.adjusted(self.kept.row, self.place)
            if self.kept.status == "deleted":
                found["code"], found["action"] = "deleted", "drop"
        return Receipt(
            kind=self.kind.value,
            index=self.index,
            id=self.record_id,
            decision_level=self.level,
            decision_headline=self.headline,
            **found,
        )


Keep = Callable[[Writing, Any], Awaitable[Kept]]
KINDS: tuple[tuple[ChangedKind, str, type[Record], Keep], ...] = (
    (ChangedKind.SESSION, "sessions", NewSession, service.keep_session),
    (ChangedKind.SYMPTOM_REPORT, "symptom_reports", NewSymptomReport, service.keep_report),
    (ChangedKind.CLEARANCE, "clearances", NewClearance, service.keep_clearance),
)


def _read(
    kind: ChangedKind, name: str, model: type[Record], items: Iterable[Any]
) -> Iterator[Entry]:
    """Read the records of one kind; what can't be read keeps its place, with what is wrong."""
    for index, item in enumerate(items):
        entry = Entry(kind, f"/{name}/{index}", index, item)
        try:
            with counting_faults(enough=FAULTS_TOLD):
                entry.record = model.model_validate(item)
            entry.record_id = entry.record.id
        except ValidationError as error:
            entry.faults = [
                fault_of({**found, "loc": ("body", name, index, *found["loc"])})
                for found in error.errors(include_input=False, include_url=False)
            ]
            entry.record_id = _readable_id(item)
        yield entry


def _readable_id(item: Any) -> uuid.UUID | None:
    try:
        return RECORD_ID.validate_python(item["id"])
    except (KeyError, TypeError, ValidationError):
        return None


async def _keep(writing: Writing, entry: Entry, keep: Keep) -> None:
    """Store one record, or find out why not; the others go on either way."""
    changes, deleted = len(writing.changes), set(writing.deleted)
    try:
        async with writing.db.begin_nested():
            entry.kept = await keep(writing, entry.record)
    except Problem as problem:
        if not problem.faults:
            raise  # it is about more than this record
        entry.conflict = isinstance(problem, IdConflict)
        entry.faults = [fault.below(entry.place) for fault in problem.faults]
    except Exception as error:
        if is_outage(error):
            raise
        log.exception("a record of a batch could not be stored", kind=entry.kind.value)
        message = "Something went wrong on our side; this record was not stored."
        entry.faults = [Fault(entry.place, "internal_error", message)]
    if entry.kept is None:
        del writing.changes[changes:]
        writing.deleted = deleted


def _in_order(entries: list[Entry]) -> list[Entry]:
    """Put reports in the order in which they were made, so that none is late for another.

    An id that comes twice is judged in the order of the batch: its repeats stay behind it.
    """
    first: dict[uuid.UUID | None, Entry] = {}
    for entry in entries:
        first.setdefault(entry.record_id, entry)
    repeats = [entry for entry in entries if first[entry.record_id] is not entry]
    return sorted(first.values(), key=_moment) + repeats


def _moment(entry: Entry) -> tuple[Any, ...]:
    match entry.record:
        case NewSymptomReport(reported_at=reported_at, id=record_id):
            return reported_at, record_id
        case _:
            return ()


async def _find_levels(writing: Writing, entries: Sequence[Entry]) -> None:
    """Find what is to be shown of every record, after all are stored that can be."""
    rule_set, language = writing.rule_set, writing.language
    rank = ranks(rule_set)
    reports = [entry for entry in entries if entry.kind is ChangedKind.SYMPTOM_REPORT]
    ids = {entry.kept.row.id for entry in reports if entry.kept is not None}
    current = await reading.said_on(writing.db, writing.participant_id, ids)
    for entry in reports:
        if entry.kept is None:
            said = decide_on_usable(rule_set, entry.sent, language, writing.now)
            entry.level, entry.headline = said["level"], said["headline"]
        elif entry.kept.decision is not None:
            said = entry.kept.decision
            entry.level, entry.headline = said["level"], said["headline"]
        else:
            entry.level, entry.headline = current[entry.kept.row.id]
    for entry in entries:
        if entry.kind is ChangedKind.SESSION and entry.kept is not None:
            row = entry.kept.row
            advice = advise(rule_set, row.pain_before, row.pain_after, language)
            first = max(advice, key=lambda each: rank[each["level"]], default=None)
            if first is not None:
                entry.level, entry.headline = first["level"], first["headline"]


async def take(writing: Writing, batch: Batch) -> BatchReceipts:
    """Store every record that can be stored, each once, and tell of every one what became of it."""
    entries: list[Entry] = []
    for kind, name, model, _ in KINDS:
        entries += _read(kind, name, model, getattr(batch, name))
    if len(entries) > MAX_ITEMS:
        message = f"The batch holds {len(entries)} records; there may be {MAX_ITEMS} together."
        raise InvalidRequest(message, faults=[Fault("", "too_many_records", message)])
    await writing.look_up(entry.record for entry in entries if entry.record is not None)
    if batch.symptom_reports:
        writing.timeline = await decisions.read_timeline(writing.db, writing.participant_id)
    for kind, _, _, keep in KINDS:
        readable = [entry for entry in entries if entry.kind is kind and entry.record is not None]
        for entry in _in_order(readable):
            await _keep(writing, entry, keep)
    new = [
        decisions.past_report(entry.kept.row)
        for entry in entries
        if entry.kind is ChangedKind.SYMPTOM_REPORT and entry.kept and entry.kept.created
    ]
    if new:
        ordered = in_order(new)
        await decisions.reconsider_later(writing, ordered[0], until=ordered[-1])
    await _find_levels(writing, entries)
    skew = None
    if batch.device_time is not None:
        ahead = round((batch.device_time - writing.now).total_seconds())
        skew = min(max(ahead, -LARGEST_INT32), LARGEST_INT32)
    return BatchReceipts(
        receipts=[entry.receipt() for entry in entries],
        server_time=writing.now,
        clock_skew_seconds=skew,
    )
