"""Stores the records that a device kept while offline, with a receipt for each."""

import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
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
from api.journal.models import ExerciseSession, SymptomReport
from api.journal.schemas import NewClearance, NewSession, NewSymptomReport, Record
from api.journal.service import Kept
from api.journal.writing import StoredRecord, Writing
from api.participants.changes import ChangedKind
from api.sync.schemas import MAX_ITEMS, Batch, BatchReceipts, Receipt
from api.triage.evaluation import advise, ranks
from api.triage.refusals import decide_on_usable

log = structlog.get_logger(__name__)
RECORD_ID: TypeAdapter[uuid.UUID] = TypeAdapter(RecordId)
# How many faults of its record a receipt's `detail` lists.
FAULTS_LISTED = 3
# The server may know these names after its next release.
RETRIED = {"unknown_activity", "unknown_question", "unknown_choice", "internal_error"}


@dataclass
class BatchItem:
    """A record of a batch, its place in the batch, and the result of storing it."""

    kind: ChangedKind
    place: str
    index: int
    # As it was sent.
    sent: Any = None
    record_id: uuid.UUID | None = None
    record: Record | None = None
    kept: Kept[StoredRecord] | None = None
    conflict: bool = False
    # The care level to display, with its headline: of the decision on a report, stored or not, or
    # of the advice on a session.
    level: str | None = None
    headline: str | None = None
    faults: Sequence[Fault] = field(default_factory=tuple)

    def receipt(self) -> Receipt:
        """Return the receipt."""
        found: dict[str, Any] = dict.fromkeys(("code", "detail", "pointer", "content_hash"))
        found["adjusted"] = []
        if self.kept is None:
            first = self.faults[0]
            found["status"] = "conflict" if self.conflict else "rejected"
            found["action"] = "retry_later" if first.code in RETRIED else "fix"
            found["code"] = first.code
            found["detail"] = "; ".join(fault.message for fault in self.faults[:FAULTS_LISTED])[
                :1000
            ]
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


Keep = Callable[[Writing, Any], Awaitable[Kept[StoredRecord]]]
KINDS: tuple[tuple[ChangedKind, str, type[Record]], ...] = (
    (ChangedKind.SESSION, "sessions", NewSession),
    (ChangedKind.SYMPTOM_REPORT, "symptom_reports", NewSymptomReport),
    (ChangedKind.CLEARANCE, "clearances", NewClearance),
)
KEEP: Mapping[ChangedKind, Keep] = {
    ChangedKind.SESSION: service.keep_session,
    ChangedKind.SYMPTOM_REPORT: service.keep_report,
    ChangedKind.CLEARANCE: service.keep_clearance,
}


def _read(
    kind: ChangedKind, name: str, model: type[Record], uploaded: Iterable[Any]
) -> Iterator[BatchItem]:
    """Parse the records of one kind; a record that cannot be parsed keeps its place and faults."""
    for index, sent in enumerate(uploaded):
        item = BatchItem(kind, f"/{name}/{index}", index, sent)
        try:
            with counting_faults(enough=FAULTS_LISTED):
                item.record = model.model_validate(sent)
            item.record_id = item.record.id
        except ValidationError as error:
            item.faults = [
                fault_of({**found, "loc": ("body", name, index, *found["loc"])})
                for found in error.errors(include_input=False, include_url=False)
            ]
            item.record_id = _readable_id(sent)
        yield item


def _readable_id(item: Any) -> uuid.UUID | None:
    try:
        return RECORD_ID.validate_python(item["id"])
    except (KeyError, TypeError, ValidationError):
        return None


async def _keep(writing: Writing, item: BatchItem, keep: Keep) -> None:
    """Keep one record, or find its faults."""
    item.kept, item.conflict, item.faults = None, False, ()
    try:
        item.kept = await keep(writing, item.record)
    except Problem as problem:
        if not problem.faults:
            raise  # it concerns more than this record
        item.conflict = isinstance(problem, IdConflict)
        item.faults = [fault.below(item.place) for fault in problem.faults]


async def _keep_all(writing: Writing, items: Sequence[BatchItem]) -> None:
    """Store all records with a few statements."""
    async with writing.db.begin_nested():
        for item in items:
            await _keep(writing, item, KEEP[item.kind])
        await writing.flush()


async def _keep_each(writing: Writing, items: Sequence[BatchItem]) -> None:
    """Store the records one by one, so that one that can't be stored holds up no other."""
    await _begin(writing, items)
    for item in items:
        try:
            async with writing.db.begin_nested():
                await _keep(writing, item, KEEP[item.kind])
                await writing.flush()
        except Exception as error:
            if isinstance(error, Problem) or is_outage(error):
                raise
            log.exception("a record of a batch could not be stored", kind=item.kind.value)
            message = "Internal error; this record was not stored."
            item.kept, item.faults = None, [Fault(item.place, "internal_error", message)]
            await _begin(writing, items)


async def _begin(writing: Writing, items: Sequence[BatchItem]) -> None:
    """Look up what is known of the records, from nothing."""
    writing.forget()
    await writing.look_up(item.record for item in items if item.record is not None)
    if any(item.kind is ChangedKind.SYMPTOM_REPORT for item in items):
        writing.timeline = await decisions.read_timeline(writing.db, writing.participant_id)


def _in_order(items: list[BatchItem]) -> list[BatchItem]:
    """Sort reports by when they were made, so that none of them is a late one.

    If an id comes twice, the order of the batch decides: its repeats come after it.
    """
    first: dict[uuid.UUID | None, BatchItem] = {}
    for item in items:
        first.setdefault(item.record_id, item)
    repeats = [item for item in items if first[item.record_id] is not item]
    return sorted(first.values(), key=_moment) + repeats


def _moment(item: BatchItem) -> tuple[Any, ...]:
    match item.record:
        case NewSymptomReport(reported_at=reported_at, id=record_id):
            return reported_at, record_id
        case _:
            return ()


async def _find_levels(writing: Writing, items: Sequence[BatchItem]) -> None:
    """Find the level to display for every record, after all were stored."""
    rule_set, language = writing.rule_set, writing.language
    rank = ranks(rule_set)
    reports = [item for item in items if item.kind is ChangedKind.SYMPTOM_REPORT]
    ids = {item.kept.row.id for item in reports if item.kept is not None}
    current = await reading.levels_of(writing.db, writing.participant_id, ids)
    for item in reports:
        if item.kept is None:
            said = decide_on_usable(rule_set, item.sent, language, writing.now)
            item.level, item.headline = said["level"], said["headline"]
        elif item.kept.status == "deleted" and item.kept.decision is not None:
            said = item.kept.decision
            item.level, item.headline = said["level"], said["headline"]
        else:
            item.level, item.headline = current[item.kept.row.id]
    for item in items:
        row = item.kept.row if item.kept is not None else None
        if isinstance(row, ExerciseSession):
            advice = advise(rule_set, row.pain_before, row.pain_after, language)
            first = max(advice, key=lambda each: rank[each["level"]], default=None)
            if first is not None:
                item.level, item.headline = first["level"], first["headline"]


async def take(writing: Writing, batch: Batch) -> BatchReceipts:
    """Store every record that can be stored, each once, and return a receipt for each."""
    items: list[BatchItem] = []
    for kind, name, model in KINDS:
        items += _read(kind, name, model, getattr(batch, name))
    if len(items) > MAX_ITEMS:
        message = f"The batch has {len(items)} records; at most {MAX_ITEMS} are allowed."
        raise InvalidRequest(message, faults=[Fault("", "too_many_records", message)])
    readable = [item for item in items if item.record is not None]
    ordered = [
        item
        for kind in KEEP
        for item in _in_order([item for item in readable if item.kind is kind])
    ]
    await _begin(writing, ordered)
    try:
        await _keep_all(writing, ordered)
    except Exception as error:
        if isinstance(error, Problem) or is_outage(error):
            raise
        log.warning("a batch could not be stored at once", exc_info=error)
        await _keep_each(writing, ordered)
    stored = [item.kept.row for item in items if item.kept is not None and item.kept.created]
    new = [decisions.past_report(row) for row in stored if isinstance(row, SymptomReport)]
    if new:
        by_time = in_order(new)
        await decisions.reconsider_later(writing, by_time[0], until=by_time[-1])
    await _find_levels(writing, items)
    skew = None
    if batch.device_time is not None:
        ahead = round((batch.device_time - writing.now).total_seconds())
        skew = min(max(ahead, -LARGEST_INT32), LARGEST_INT32)
    return BatchReceipts(
        receipts=[item.receipt() for item in items],
        server_time=writing.now,
        clock_skew_seconds=skew,
    )
