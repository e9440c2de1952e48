"""Enrolment, devices, consent and profile."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from api.content.deps import CurrentRelease
from api.core.errors import refuse
from api.http.deps import Context, CurrentClock, CurrentSettings, Db, ReadDb
from api.http.fields import RecordId
from api.http.limits import EnrolmentLimit
from api.participants import consents, devices, service
from api.participants.deps import (
    ReadingCaller,
    StoringCaller,
    WritingCaller,
    failures_counted,
)
from api.participants.schemas import (
    ConsentChoice,
    ConsentHistory,
    DeviceLink,
    DeviceList,
    Enrolled,
    Enrolment,
    LinkedDevice,
    NewRecoveryCode,
    Profile,
    ProfileChange,
)

router = APIRouter(prefix="/v1", tags=["participants"])
OwnDeviceId = Annotated[RecordId, Path(description="One of your devices.")]


@router.post("/participants", status_code=201, dependencies=[EnrolmentLimit])
async def enrol_participant(
    enrolment: Enrolment,
    release: CurrentRelease,
    settings: CurrentSettings,
    clock: CurrentClock,
    db: Db,
    response: Response,
) -> Enrolled:
    """Enrol. The participant is a random id; the token is shown only once."""
    service.check_enrolment(settings, release.catalogue, enrolment)
    response.headers["Location"] = "/v1/me"
    return await service.enrol(db, enrolment, clock)


@router.post("/devices", status_code=201, responses={401: {}}, dependencies=[EnrolmentLimit])
async def link_device(link: DeviceLink, request: Request, context: Context) -> LinkedDevice:
    """Link another device by the recovery code, also to replace a lost one."""
    async with failures_counted(request):
        return await devices.link_device(context.database, link.recovery_code, context.clock)


@router.get("/devices")
async def list_devices(caller: ReadingCaller, db: ReadDb) -> DeviceList:
    """List your devices."""
    return await devices.list_devices(db, caller.participant_id, caller.device_id)


@router.delete("/devices/{device_id}", status_code=204)
async def revoke_device(
    caller: WritingCaller, db: Db, clock: CurrentClock, device_id: OwnDeviceId
) -> None:
    """Revoke a device's token at once, for example of a lost or sold device."""
    await devices.revoke_device(db, caller.participant_id, device_id, clock)


@router.post("/devices/current/rotate")
async def rotate_token(caller: WritingCaller, db: Db) -> LinkedDevice:
    """Get a new token for this device; the old one stays valid until the new one is used."""
    return await devices.rotate_token(db, caller.participant_id, caller.device_id)


@router.post("/me/recovery-code", status_code=201)
async def renew_recovery_code(
    caller: WritingCaller, db: Db, clock: CurrentClock
) -> NewRecoveryCode:
    """Get a new recovery code; the previous one becomes invalid."""
    code = await devices.renew_recovery_code(db, caller.participant_id, clock.now())
    return NewRecoveryCode(recovery_code=code)


@router.get("/me/consent")
async def get_consent(caller: ReadingCaller, db: ReadDb) -> ConsentHistory:
    """Get your current consent and the ones before it, newest first."""
    return await consents.history(db, caller.participant_id)


@router.put("/me/consent")
async def give_consent(
    caller: WritingCaller,
    choice: ConsentChoice,
    release: CurrentRelease,
    clock: CurrentClock,
    db: Db,
) -> ConsentHistory:
    """Give or withdraw consent to storage and to research, separately.

    Without consent to storage nothing new is stored; stored data stays until it is erased. Sending
    the current consent again changes nothing.
    """
    refuse(consents.version_faults(release.catalogue, choice, "/version"))
    return await consents.give(db, caller.participant_id, choice, clock.now())


@router.patch("/me")
async def change_profile(
    caller: StoringCaller,
    change: ProfileChange,
    release: CurrentRelease,
    settings: CurrentSettings,
    clock: CurrentClock,
    db: Db,
) -> Profile:
    """Change your profile; fields that are omitted or null keep their values."""
    refuse(service.profile_faults(settings, release.catalogue, change))
    return await service.change_profile(db, caller.participant_id, change, clock.now())


@router.get("/me")
async def get_profile(caller: ReadingCaller, db: ReadDb) -> Profile:
    """Get your profile."""
    return await service.profile(db, caller.participant_id)
