"""Synchronisation: uploads records kept offline, downloads changes of other devices."""

from fastapi import APIRouter, Response

from api.http.deps import ReadDb
from api.http.pages import DEFAULT_LIMIT
from api.journal.deps import ReadingLanguage, StoringJournal
from api.journal.router import PageCursor, PageLimit
from api.participants.deps import ReadingCaller
from api.sync import batches, changes
from api.sync.deps import BatchRoute
from api.sync.schemas import (
    Batch,
    BatchReceipts,
    ChangeList,
    Reconciled,
    Reconciliation,
)
from api.triage.deps import CurrentRules

BATCHES = "/v1/batches"
router = APIRouter(tags=["journal"])
batching = APIRouter(tags=["journal"], route_class=BatchRoute)


@batching.post(BATCHES)
async def upload_batch(journal: StoringJournal, batch: Batch, _response: Response) -> BatchReceipts:
    """Upload records that were kept offline. Each record gets a receipt, and none blocks another.

    A batch can be sent again: records that are already stored are a `duplicate`. A batch that is
    rejected as a whole gets one decision for all of its reports, in the problem: the strictest.
    """
    return await batches.take(journal, batch)


@router.get("/v1/changes")
async def list_changes(
    caller: ReadingCaller,
    db: ReadDb,
    rule_set: CurrentRules,
    language: ReadingLanguage,
    response: Response,
    limit: PageLimit = DEFAULT_LIMIT,
    cursor: PageCursor = None,
) -> ChangeList:
    """Get what changed since a cursor: on another device, by a deletion, by a new decision.

    Without a cursor it starts at the beginning, for another device or a new installation.
    """
    response.headers["Content-Language"] = language
    return await changes.list_changes(
        db, caller.participant_id, rule_set, language, limit=limit, cursor=cursor
    )


@router.post("/v1/reconcile")
async def reconcile(caller: ReadingCaller, db: ReadDb, believed: Reconciliation) -> Reconciled:
    """Compare the records that the device believes to be stored with those that are."""
    return await changes.reconcile(db, caller.participant_id, believed)
