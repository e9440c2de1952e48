"""Enrols participants and verifies their tokens."""

import datetime
import itertools
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from sqlalchemy import ColumnElement, bindparam, delete, insert, update
from sqlalchemy import select as sa_select
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from api.content.catalogue import Catalogue
from api.core.clock import Clock
from api.core.config import Settings
from api.core.db import UNSYNCED, insert_once
from api.core.direct import Direct
from api.core.errors import CHALLENGE, Fault, NotAuthenticated, refuse
from api.core.tokens import hash_secret
from api.participants import consents, devices
from api.participants.changes import Change, ChangedKind, record_changes
from api.participants.errors import Erased
from api.participants.models import Device, ErasedToken, Participant
from api.participants.schemas import AgeBand, Enrolled, Enrolment, Profile, ProfileChange
from api.participants.tokens import DeviceToken

ERASED_TOKENS_KEPT = datetime.timedelta(days=30)


def profile_faults(
    settings: Settings, catalogue: Catalogue, profile: ProfileChange
) -> Iterator[Fault]:
    """Yield the faults of a profile that a schema cannot express."""
    if settings.adults_only and profile.age_band is AgeBand.UNDER_18:
        message = "This service is for adults. A child's back pain needs a doctor."
        yield Fault("/age_band", "adults_only", message)
    regions = {*settings.regions, "unknown"}
    if profile.region is not None and profile.region not in regions:
        message = f"Unknown region. Available: {', '.join(sorted(regions))}."
        yield Fault("/region", "unknown_region", message)
    conditions = {condition.id for condition in catalogue.conditions}
    for index, name in enumerate(profile.conditions or ()):
        if name not in conditions:
            yield Fault(f"/conditions/{index}", "unknown_condition", "Unknown condition.")


def check_enrolment(settings: Settings, catalogue: Catalogue, enrolment: Enrolment) -> None:
    """Refuse an enrolment with all of its faults at once."""
    faults = (
        consents.version_faults(catalogue, enrolment.consent, "/consent/version"),
        profile_faults(settings, catalogue, enrolment),
    )
    refuse(itertools.chain(*faults))


async def enrol(db: AsyncSession, enrolment: Enrolment, clock: Clock) -> Enrolled:
    """Create a participant with one device, a recovery code and the consent."""
    participant_id = uuid.uuid4()
    now = clock.now()
    await db.exec(
        insert(Participant).values(
            participant_id=participant_id,
            enrolled_at=now,
            time_zone=enrolment.time_zone,
            language=enrolment.language,
            age_band=(enrolment.age_band or AgeBand.UNKNOWN).value,
            region=enrolment.region or "unknown",
            conditions=sorted(set(enrolment.conditions or ())),
            last_change=0,
            used=False,
            storage_consent=enrolment.consent.storage,
        )
    )
    token = await devices.add_device(db, participant_id, now)
    recovery_code = await devices.renew_recovery_code(db, participant_id, now)
    await consents.add(db, participant_id, 1, enrolment.consent, now)
    return Enrolled(
        participant_id=participant_id,
        device_id=token.device_id,
        device_token=str(token),
        recovery_code=recovery_code,
    )


@dataclass(frozen=True, slots=True)
class Verified:
    """A valid token, and what has to be recorded about its use."""

    # The first use of a rotated token, which replaces the previous one.
    pending: bool
    # The participant's first authenticated request.
    first_call: bool
    # The language of the enrolment.
    language: str
    # The consent to storage, which no other transaction can change while the row is locked.
    storage_consent: bool


# Row locks on the participant, held until the transaction ends: their transactions run one after
# another. Foreign keys to the row can be checked meanwhile, except during an erasure.
class Locking(Enum):
    """A lock on a participant's row; `value` is whether its key may still be referenced."""

    WRITING = True
    ERASING = False


_CALLER = (
    sa_select(
        col(Device.secret_hash),
        col(Device.pending_hash),
        col(Device.revoked_at),
        col(Participant.used),
        col(Participant.language),
        col(Participant.storage_consent),
    )
    .join(Participant, col(Participant.participant_id) == Device.participant_id)
    .where(
        col(Device.participant_id) == bindparam("participant"),
        col(Device.device_id) == bindparam("device"),
    )
)
# After waiting for a lock, PostgreSQL reads the locked rows again, and only those: both are locked,
# so that an upload that waited for a revocation or a withdrawn consent is refused. The participant
# comes first, as everywhere: in another order two transactions could deadlock.
CALLER = Direct(_CALLER)
LOCKED_CALLER = {
    lock: Direct(_CALLER.with_for_update(of=[Participant, Device], key_share=lock.value))
    for lock in Locking
}


async def verify(db: AsyncSession, token: DeviceToken, lock: Locking | None = None) -> Verified:
    """Verify a device token, or raise NotAuthenticated (Erased, if its participant was erased)."""
    statement = CALLER if lock is None else LOCKED_CALLER[lock]
    ids = {"participant": token.participant_id, "device": token.device_id}
    found = await statement.rows(db, ids)
    if not found:
        await _refuse_erased(db, token)
    else:
        secret_hash, pending_hash, revoked_at, used, language, storage_consent = found[0]
        pending = token.matches(pending_hash)
        if revoked_at is None and (pending or token.matches(secret_hash)):
            return Verified(pending, not used, language, storage_consent)
    # The same response to every failure, so that it does not reveal which ids exist.
    raise NotAuthenticated("The token is not valid.", headers=CHALLENGE)


async def note_use(db: AsyncSession, token: DeviceToken, found: Verified) -> None:
    """Record the first use of a token or of an enrolment."""
    if found.pending:
        await devices.take_up_pending(db, token)
    if found.first_call:
        await devices.mark_used(db, token.participant_id)


async def _refuse_erased(db: AsyncSession, token: DeviceToken) -> None:
    statement = select(ErasedToken.erased_at).where(
        ErasedToken.secret_hash == hash_secret(token.secret)
    )
    if (await db.exec(statement)).first() is not None:
        message = "All data of this participant was erased. Enrol again to start over."
        raise Erased(message)


def kept_too_long(now: datetime.datetime) -> ColumnElement[bool]:
    """Return the condition that the hash of an erased token may be deleted."""
    return col(ErasedToken.erased_at) < now - ERASED_TOKENS_KEPT


async def remember_erased_tokens(
    db: AsyncSession, participant_id: uuid.UUID, now: datetime.datetime
) -> None:
    """Keep the hashes of a participant's tokens for 30 days, and delete older ones."""
    statement = delete(ErasedToken).where(kept_too_long(now))
    await db.exec(statement, execution_options=UNSYNCED)
    own = select(Device.secret_hash, Device.pending_hash).where(
        Device.participant_id == participant_id
    )
    for hashes in (await db.exec(own)).all():
        for secret_hash in filter(None, hashes):
            values = {"secret_hash": secret_hash, "erased_at": now}
            await insert_once(db, ErasedToken, values)


async def lock_participant(db: AsyncSession, participant_id: uuid.UUID) -> bool:
    """Serialise transactions that depend on a participant's other records.

    Return the consent to storage, which no other transaction can change while this one is open.

    SQLite has a single writer anyway; PostgreSQL locks the participant's row.
    """
    statement = (
        select(Participant.storage_consent)
        .where(Participant.participant_id == participant_id)
        .with_for_update(key_share=Locking.WRITING.value)
    )
    # None if the participant was erased in the meantime: no consent.
    return bool((await db.exec(statement)).one_or_none())


async def language_of(db: AsyncSession, participant_id: uuid.UUID) -> str:
    """Return the language of the enrolment."""
    statement = select(Participant.language).where(Participant.participant_id == participant_id)
    return (await db.exec(statement)).one()


async def time_zone_of(db: AsyncSession, participant_id: uuid.UUID) -> str:
    """Return the participant's time zone: an IANA name or an offset."""
    statement = select(Participant.time_zone).where(Participant.participant_id == participant_id)
    return (await db.exec(statement)).one()


async def conditions_of(db: AsyncSession, participant_id: uuid.UUID) -> list[str]:
    """Return the ids of the medical conditions in the participant's profile."""
    statement = select(Participant.conditions).where(Participant.participant_id == participant_id)
    return list((await db.exec(statement)).one())


async def profile(db: AsyncSession, participant_id: uuid.UUID) -> Profile:
    """Return the profile with the current consent."""
    statement = (
        select(Participant)
        .where(Participant.participant_id == participant_id)
        # It is read again after a change.
        .execution_options(populate_existing=True)
    )
    participant = (await db.exec(statement)).one()
    current = (await consents.history(db, participant_id)).current
    return Profile.model_validate({**participant.model_dump(), "consent": current})


async def change_profile(
    db: AsyncSession, participant_id: uuid.UUID, change: ProfileChange, now: datetime.datetime
) -> Profile:
    """Change the fields that were sent; the caller holds the participant's lock.

    Values equal to the stored ones are no change.
    """
    sent = change.model_dump(mode="json", exclude_none=True)
    if "conditions" in sent:
        sent["conditions"] = sorted(set(sent["conditions"]))
    stored = (await profile(db, participant_id)).model_dump(mode="json")
    new = {name: value for name, value in sent.items() if value != stored[name]}
    if new:
        own = col(Participant.participant_id) == participant_id
        await db.exec(update(Participant).where(own).values(**new), execution_options=UNSYNCED)
        changed = Change(ChangedKind.PROFILE, participant_id)
        await record_changes(db, participant_id, [changed], now)
    return await profile(db, participant_id)
