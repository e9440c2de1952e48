"""A participant's own data: export, erasure, and the privacy ledger."""

import contextlib
from functools import partial

from fastapi import APIRouter, Request

from api.aggregates import ledger
from api.aggregates.deps import CurrentPolicies
from api.aggregates.texts import Texts
from api.content.deps import CurrentLanguage, CurrentRelease
from api.http.conditional import JSON
from api.http.deps import Context, CurrentClock, CurrentSettings, Db, ReadDb
from api.http.media_types import choose_media_type
from api.http.spooled import SpooledResponse, spool
from api.participants.deps import ErasingCaller, ReadingCaller, StreamingCaller
from api.privacy import fhir, service
from api.privacy.exports import Exports
from api.privacy.schemas import FHIR_BUNDLE, FHIR_EXAMPLE, ErasureReceipt, Export, PrivacyLedger
from api.publications.log import PublicationLog

router = APIRouter(prefix="/v1", tags=["participants"])


@router.delete("/me", responses={410: {}})
async def erase_everything(
    caller: ErasingCaller,
    db: Db,
    release: CurrentRelease,
    language: CurrentLanguage,
    clock: CurrentClock,
    settings: CurrentSettings,
) -> ErasureReceipt:
    """Erase everything immediately. This cannot be undone; later requests get 410 for 30 days."""
    # First: a backup that is restored later must not bring the participant back.
    log = PublicationLog(settings.publication_log)
    await log.erased(caller.participant_id, clock.now().date())
    return await service.erase(db, caller.participant_id, release.catalogue, language, clock)


@router.get("/me/privacy-ledger")
async def read_privacy_ledger(
    caller: ReadingCaller,
    db: ReadDb,
    policies: CurrentPolicies,
    release: CurrentRelease,
    language: CurrentLanguage,
) -> PrivacyLedger:
    """Get the publications that your records entered, and what they can reveal about you.

    Computed from your records on request; it is not stored.
    """
    found = await ledger.entries(db, policies, caller.participant_id)
    return service.describe_ledger(found, policies.active.delta, Texts(release.catalogue, language))


@router.get(
    "/me/export",
    response_model=Export,
    responses={
        200: {"content": {fhir.MEDIA_TYPE: {"schema": FHIR_BUNDLE, "example": FHIR_EXAMPLE}}},
        406: {},
    },
)
async def export_everything(
    request: Request, caller: StreamingCaller, context: Context
) -> SpooledResponse:
    """Get everything that is stored about you, as one JSON document.

    With `Accept: application/fhir+json` it is a FHIR R4B Bundle of what FHIR can express. You can
    get one export at a time (429).
    """
    media_type = choose_media_type(request, (JSON, fhir.MEDIA_TYPE))
    clock, exports = context.clock, context.part(Exports)
    participant_id = caller.participant_id
    write = service.export if media_type == JSON else service.export_fhir
    with exports.prepare(participant_id):
        # However slowly it is read, the database is no longer involved.
        async with contextlib.aclosing(write(context.database, participant_id, clock)) as pieces:
            file = await spool(pieces)
    suffix = "json" if media_type == JSON else "fhir.json"
    name = f"footing-export-{clock.now().date()}.{suffix}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Vary": "Accept"}
    finished = partial(exports.sent, participant_id)
    return SpooledResponse(file, media_type=media_type, headers=headers, finished=finished)
