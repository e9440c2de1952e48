"""One's own data: all of it to take along, and all of it to be forgotten."""

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from api.content.deps import CurrentLanguage, CurrentRelease
from api.core.db import Database
from api.http.conditional import JSON
from api.http.deps import CurrentClock, Db
from api.participants.deps import ReadingCaller, WritingCaller
from api.privacy import service
from api.privacy.schemas import ErasureReceipt, Export

router = APIRouter(prefix="/v1", tags=["participants"])


@router.delete("/me", responses={410: {}})
async def erase_everything(
    caller: WritingCaller,
    db: Db,
    release: CurrentRelease,
    language: CurrentLanguage,
    clock: CurrentClock,
) -> ErasureReceipt:
    """Erase everything at once. It can't be undone; later calls answer 410 for 30 days."""
    return await service.erase(db, caller.participant_id, release.catalogue, language, clock)


@router.get("/me/export", response_model=Export)
async def export_everything(
    request: Request, caller: ReadingCaller, clock: CurrentClock
) -> StreamingResponse:
    """Get everything that is stored about oneself, as one JSON document."""
    database: Database = request.app.state.database
    return StreamingResponse(
        service.export(database, caller.participant_id, clock),
        media_type=JSON,
        headers={"Content-Disposition": 'attachment; filename="footing-export.json"'},
    )
