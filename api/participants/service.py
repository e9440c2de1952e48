"""Enrols participants and verifies their tokens."""

import datetime
import uuid

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from api.content.catalogue import Catalogue
from api.core.clock import Clock
from api.core.config import Settings
from api.core.db import insert_once
from api.core.errors import CHALLENGE, Fault, InvalidRequest, NotAuthenticated
from api.core.tokens import hash_secret
from api.participants import devices
from api.participants.errors import Erased
from api.participants.models import CONSENTS, DEVICES, ERASED_TOKENS, PARTICIPANTS
from api.participants.schemas import (
    AgeBand,
    ConsentState,
    Enrolled,
    Enrolment,
    Profile,
)
from api.participants.tokens import DeviceToken

ERASED_TOKENS_KEPT = datetime.timedelta(days=30)


def check_enrolment(settings: Settings, catalogue: Catalogue, enrolment: Enrolment) -> None:
    """Refuse what can't be enrolled, naming every place."""
    faults = []
    versions = {consent.version for consent in catalogue.consents}
    if enrolment.consent.version not in versions:
        message = f"Unknown version; there is {', '.join(sorted(versions))}."
        faults.append(Fault("/consent/version", "unknown_consent_version", message))
    if settings.adults_only and enrolment.age_band is AgeBand.UNDER_18:
        message = "This service is for adults. A child's back pain needs a doctor."
        faults.append(Fault("/age_band", "adults_only", message))
    regions = {*settings.regions, "unknown"}
    if enrolment.region not in regions:
        message = f"Unknown region; there is {', '.join(sorted(regions))}."
        faults.append(Fault("/region", "unknown_region", message))
    conditions = {condition.id for condition in catalogue.conditions}
    faults.extend(
        Fault(f"/conditions/{index}", "unknown_condition", "There is no such condition.")
        for index, name in enumerate(enrolment.conditions)
        if name not in conditions
    )
    if faults:
        detail = "; ".join(f"{fault.pointer}: {fault.message}" for fault in faults[:3])
        raise InvalidRequest(detail, faults=faults)


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
            age_band=enrolment.age_band.value,
            region=enrolment.region,
            conditions=sorted(set(enrolment.conditions)),
            last_change=0,
        )
    )
    token = await devices.add_device(db, participant_id, now)
    recovery_code = await devices.renew_recovery_code(db, participant_id, now)
    await db.execute(
        insert(CONSENTS).values(
            participant_id=participant_id,
            consent_id=uuid.uuid4(),
            version=enrolment.consent.version,
            storage=enrolment.consent.storage,
            research=enrolment.consent.research,
            given_at=now,
        )
    )
    return Enrolled(
        participant_id=participant_id,
        device_id=token.device_id,
        device_token=str(token),
        recovery_code=recovery_code,
    )


async def verify(db: AsyncSession, token: DeviceToken, *, writing: bool = False) -> bool:
    """Let a token pass that names a device and holds its secret.

    True where it is a new token in its first use, which then has to be taken up. A call that
    writes holds on to the participant, so that an erasure comes before it or after it.
    """
    own = (DEVICES.c.participant_id == token.participant_id) & (
        DEVICES.c.device_id == token.device_id
    )
    statement = (
        select(DEVICES.c.secret_hash, DEVICES.c.pending_hash, DEVICES.c.revoked_at)
        .join(PARTICIPANTS, PARTICIPANTS.c.participant_id == DEVICES.c.participant_id)
        .where(own)
    )
    if writing:
        statement = statement.with_for_update(read=True, key_share=True, of=PARTICIPANTS)
    row = (await db.execute(statement)).first()
    if row is None:
        await _refuse_erased(db, token)
    elif row.revoked_at is None:
        if token.matches(row.secret_hash):
            return False
        if token.matches(row.pending_hash):
            return True
    # The same answer for all that fails: it tells nobody which ids exist.
    raise NotAuthenticated("The token is not valid.", headers=CHALLENGE)


async def _refuse_erased(db: AsyncSession, token: DeviceToken) -> None:
    statement = select(ERASED_TOKENS.c.erased_at).where(
        ERASED_TOKENS.c.secret_hash == hash_secret(token.secret)
    )
    if (await db.execute(statement)).first() is not None:
        message = "Everything of this participant was erased. Enrol again to start anew."
        raise Erased(message)


async def remember_erased_tokens(
    db: AsyncSession, participant_id: uuid.UUID, now: datetime.datetime
) -> None:
    """Keep the hashes of a participant's tokens for a while, and drop the ones kept too long."""
    await db.execute(
        delete(ERASED_TOKENS).where(ERASED_TOKENS.c.erased_at < now - ERASED_TOKENS_KEPT)
    )
    own = select(DEVICES.c.secret_hash, DEVICES.c.pending_hash).where(
        DEVICES.c.participant_id == participant_id
    )
    for row in (await db.execute(own)).all():
        for secret_hash in filter(None, row):
            values = {"secret_hash": secret_hash, "erased_at": now}
            await insert_once(db, ERASED_TOKENS, values)


async def lock_participant(db: AsyncSession, participant_id: uuid.UUID) -> None:
    """Let one transaction at a time change what depends on a person's other records.

    SQLite has one writer anyway; PostgreSQL locks the participant's row.
    """
    await db.execute(
        select(PARTICIPANTS.c.participant_id)
        .where(PARTICIPANTS.c.participant_id == participant_id)
        # FOR NO KEY UPDATE: every upload holds the row's key already (`verify`), and a full
        # FOR UPDATE would make any two of them wait for each other.
        .with_for_update(key_share=True)
    )


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
    newest = (
        select(CONSENTS)
        .where(CONSENTS.c.participant_id == participant_id)
        .order_by(CONSENTS.c.given_at.desc(), CONSENTS.c.consent_id)
        .limit(1)
    )
    consent = (await db.execute(newest)).one()
    return Profile(
        participant_id=person.participant_id,
        enrolled_at=person.enrolled_at,
        time_zone=person.time_zone,
        language=person.language,
        age_band=AgeBand(person.age_band),
        region=person.region,
        conditions=person.conditions,
        consent=ConsentState(
            version=consent.version,
            storage=consent.storage,
            research=consent.research,
            given_at=consent.given_at,
        ),
    )
