"""Enrols participants and verifies their tokens."""

import datetime
import itertools
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from api.content.catalogue import Catalogue
from api.core.clock import Clock
from api.core.config import Settings
from api.core.db import insert_once
from api.core.errors import CHALLENGE, Fault, NotAuthenticated, refuse
from api.core.tokens import hash_secret
from api.participants import consents, devices
from api.participants.changes import Change, ChangedKind, record_changes
from api.participants.errors import Erased
from api.participants.models import DEVICES, ERASED_TOKENS, PARTICIPANTS
from api.participants.schemas import AgeBand, Enrolled, Enrolment, Profile, ProfileChange
from api.participants.tokens import DeviceToken

ERASED_TOKENS_KEPT = datetime.timedelta(days=30)


def profile_faults(
    settings: Settings, catalogue: Catalogue, profile: ProfileChange
) -> Iterator[Fault]:
    """Say what is wrong with a profile beyond its shape."""
    if settings.adults_only and profile.age_band is AgeBand.UNDER_18:
        message = "This service is for adults. A child's back pain needs a doctor."
        yield Fault("/age_band", "adults_only", message)
    regions = {*settings.regions, "unknown"}
    if profile.region is not None and profile.region not in regions:
        message = f"Unknown region; there is {', '.join(sorted(regions))}."
        yield Fault("/region", "unknown_region", message)
    conditions = {condition.id for condition in catalogue.conditions}
    for index, name in enumerate(profile.conditions or ()):
        if name not in conditions:
            yield Fault(f"/conditions/{index}", "unknown_condition", "There is no such condition.")


def check_enrolment(settings: Settings, catalogue: Catalogue, enrolment: Enrolment) -> None:
    """Refuse what can't be enrolled, naming every place."""
    faults = (
        consents.version_faults(catalogue, enrolment.consent, "/consent/version"),
        profile_faults(settings, catalogue, enrolment),
    )
    refuse(itertools.chain(*faults))


async def enrol(db: AsyncSession, enrolment: Enrolment, clock: Clock) -> Enrolled:
    """Make a participant with one device, and record the consent."""
    participant_id = uuid.uuid4()
    now = clock.now()
    await db.execute(
        insert(PARTICIPANTS).values(
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
    """What looking up a token found beside it."""

    # A new token in its first use, which then has to be taken up.
    pending: bool
    # The participant's first call ever, which has to be noted.
    first_call: bool
    # The one they enrolled with.
    language: str


# How a call keeps hold of its participant until it is done, where it does. One that writes lets
# others write too, and an erasure comes before it or after it. One that erases waits for all:
# two that held on as the others do would wait for each other.
Hold = Mapping[str, bool]
WRITING: Hold = {"read": True, "key_share": True}
ERASING: Hold = {"read": False}


async def verify(db: AsyncSession, token: DeviceToken, hold: Hold | None = None) -> Verified:
    """Let a token pass that names a device and holds its secret."""
    own = (DEVICES.c.participant_id == token.participant_id) & (
        DEVICES.c.device_id == token.device_id
    )
    statement = (
        select(
            DEVICES.c.secret_hash,
            DEVICES.c.pending_hash,
            DEVICES.c.revoked_at,
            PARTICIPANTS.c.used,
            PARTICIPANTS.c.language,
        )
        .join(PARTICIPANTS, PARTICIPANTS.c.participant_id == DEVICES.c.participant_id)
        .where(own)
    )
    if hold is not None:
        statement = statement.with_for_update(of=PARTICIPANTS, **hold)
    row = (await db.execute(statement)).first()
    if row is None:
        await _refuse_erased(db, token)
    elif row.revoked_at is None:
        pending = token.matches(row.pending_hash)
        if pending or token.matches(row.secret_hash):
            return Verified(pending, not row.used, row.language)
    # The same answer for all that fails: it tells nobody which ids exist.
    raise NotAuthenticated("The token is not valid.", headers=CHALLENGE)


async def note_use(db: AsyncSession, token: DeviceToken, found: Verified) -> None:
    """Write down what the first use of a token or of an enrolment changes."""
    if found.pending:
        await devices.take_up_pending(db, token)
    if found.first_call:
        await devices.mark_used(db, token.participant_id)


async def _refuse_erased(db: AsyncSession, token: DeviceToken) -> None:
    statement = select(ERASED_TOKENS.c.erased_at).where(
        ERASED_TOKENS.c.secret_hash == hash_secret(token.secret)
    )
    if (await db.execute(statement)).first() is not None:
        message = "Everything of this participant was erased. Enrol again to start anew."
        raise Erased(message)


def kept_too_long(now: datetime.datetime) -> ColumnElement[bool]:
    """Make the condition that the hash of an erased token has been kept for long enough."""
    return ERASED_TOKENS.c.erased_at < now - ERASED_TOKENS_KEPT


async def remember_erased_tokens(
    db: AsyncSession, participant_id: uuid.UUID, now: datetime.datetime
) -> None:
    """Keep the hashes of a participant's tokens for a while, and drop the ones kept too long."""
    await db.execute(delete(ERASED_TOKENS).where(kept_too_long(now)))
    own = select(DEVICES.c.secret_hash, DEVICES.c.pending_hash).where(
        DEVICES.c.participant_id == participant_id
    )
    for row in (await db.execute(own)).all():
        for secret_hash in filter(None, row):
            values = {"secret_hash": secret_hash, "erased_at": now}
            await insert_once(db, ERASED_TOKENS, values)


async def lock_participant(db: AsyncSession, participant_id: uuid.UUID) -> bool:
    """Let one transaction at a time change what depends on a person's other records.

    Tell whether they consent to storage, which nobody else can change from here on.

    SQLite has one writer anyway; PostgreSQL locks the participant's row.
    """
    statement = (
        select(PARTICIPANTS.c.storage_consent)
        .where(PARTICIPANTS.c.participant_id == participant_id)
        # FOR NO KEY UPDATE: every upload holds the row's key already (`verify`), and a full
        # FOR UPDATE would make any two of them wait for each other.
        .with_for_update(key_share=True)
    )
    # Nobody consents who was erased in the meantime.
    return bool((await db.execute(statement)).scalar_one_or_none())


async def language_of(db: AsyncSession, participant_id: uuid.UUID) -> str:
    """Return the language a participant enrolled with."""
    statement = select(PARTICIPANTS.c.language).where(
        PARTICIPANTS.c.participant_id == participant_id
    )
    return str((await db.execute(statement)).scalar_one())


async def time_zone_of(db: AsyncSession, participant_id: uuid.UUID) -> str:
    """Return the time zone of a participant."""
    statement = select(PARTICIPANTS.c.time_zone).where(
        PARTICIPANTS.c.participant_id == participant_id
    )
    return str((await db.execute(statement)).scalar_one())


async def conditions_of(db: AsyncSession, participant_id: uuid.UUID) -> list[str]:
    """Return the conditions that a participant said are their own."""
    statement = select(PARTICIPANTS.c.conditions).where(
        PARTICIPANTS.c.participant_id == participant_id
    )
    return list((await db.execute(statement)).scalar_one())


async def profile(db: AsyncSession, participant_id: uuid.UUID) -> Profile:
    """Return what is known about a participant."""
    people = select(PARTICIPANTS).where(PARTICIPANTS.c.participant_id == participant_id)
    person = (await db.execute(people)).one()
    return Profile(
        participant_id=person.participant_id,
        enrolled_at=person.enrolled_at,
        time_zone=person.time_zone,
        language=person.language,
        age_band=AgeBand(person.age_band),
        region=person.region,
        conditions=person.conditions,
        consent=(await consents.history(db, participant_id)).current,
    )


async def change_profile(
    db: AsyncSession, participant_id: uuid.UUID, change: ProfileChange, now: datetime.datetime
) -> Profile:
    """Change what was sent, the participant being locked; the same again is no change."""
    sent = change.model_dump(mode="json", exclude_none=True)
    if "conditions" in sent:
        sent["conditions"] = sorted(set(sent["conditions"]))
    stored = (await profile(db, participant_id)).model_dump(mode="json")
    new = {name: value for name, value in sent.items() if value != stored[name]}
    if new:
        own = PARTICIPANTS.c.participant_id == participant_id
        await db.execute(update(PARTICIPANTS).where(own).values(**new))
        changed = Change(ChangedKind.PROFILE, participant_id)
        await record_changes(db, participant_id, [changed], now)
    return await profile(db, participant_id)
