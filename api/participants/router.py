"""Enrolment and one's own profile."""

from fastapi import APIRouter, Response

from api.content.deps import CurrentRelease
from api.http.deps import CurrentClock, CurrentSettings, Db, ReadDb
from api.http.limits import EnrolmentLimit
from api.participants import service
from api.participants.deps import ReadingCaller
from api.participants.schemas import Enrolled, Enrolment, Profile

router = APIRouter(prefix="/v1", tags=["participants"])


@router.post("/participants", status_code=201)
async def enrol_participant(
    enrolment: Enrolment,
    release: CurrentRelease,
    settings: CurrentSettings,
    clock: CurrentClock,
    db: Db,
    response: Response,
    _: EnrolmentLimit,
) -> Enrolled:
    """Enrol. The person stays a random id; the token is shown this once."""
    service.check_enrolment(settings, release.catalogue, enrolment)
    response.headers["Location"] = "/v1/me"
    return await service.enrol(db, enrolment, clock)


@router.get("/me")
async def get_profile(caller: ReadingCaller, db: ReadDb) -> Profile:
    """Get one's own profile."""
    return await service.profile(db, caller.participant_id)
