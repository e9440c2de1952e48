"""Who is calling: the participant and the device behind a bearer token."""

import uuid
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.ext.asyncio import AsyncSession

from api.core.db import Database, is_outage
from api.core.errors import CHALLENGE, NotAuthenticated, WrongTokenKind
from api.core.tokens import token_kind
from api.http.deps import Db, ReadDb
from api.http.limits import Limiter
from api.participants import service
from api.participants.errors import StorageConsentWithdrawn
from api.participants.tokens import DeviceToken, read_token

bearer = HTTPBearer(
    auto_error=False,
    scheme_name="deviceToken",
    description="A participant's device token, from `POST /v1/participants`.",
    bearerFormat="fp_…",
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]


@dataclass(frozen=True)
class Caller:
    """The participant who calls, and the device they call from."""

    participant_id: uuid.UUID
    device_id: uuid.UUID


def read_credentials(credentials: Credentials) -> DeviceToken:
    """Read the token of a request, without looking it up."""
    if credentials is None:
        message = "Send the device token as Authorization: Bearer …"
        raise NotAuthenticated(message, headers=CHALLENGE)
    text = credentials.credentials
    if token_kind(text) in {"clinician_key", "access_token"}:
        message = "A clinician's key opens aggregates, never a participant's calls."
        raise WrongTokenKind(message)
    token = read_token(text)
    if token is None:
        raise NotAuthenticated("The token is not valid.", headers=CHALLENGE)
    return token


Token = Annotated[DeviceToken, Depends(read_credentials)]


async def limit_participant(request: Request, response: Response, token: Token) -> None:
    """Limit a participant's calls; one phone in a loop must not slow down the others."""
    limiter: Limiter = request.app.state.limiter
    caller = token.participant_id.hex
    headers = await limiter.hit(limiter.participant, "participant", caller)
    response.headers.update(headers)


async def authenticate_for_writing(
    db: Db, token: Token, _: Annotated[None, Depends(limit_participant)]
) -> Caller:
    """Look the token up in the transaction that will write."""
    await service.note_use(db, token, await service.verify(db, token, service.WRITING))
    return Caller(token.participant_id, token.device_id)


async def authenticate_for_erasing(
    db: Db, token: Token, _: Annotated[None, Depends(limit_participant)]
) -> Caller:
    """Look the token up once nobody else is writing, in the transaction that will erase."""
    await service.verify(db, token, service.ERASING)
    return Caller(token.participant_id, token.device_id)


def require_storage_consent(*, given: bool) -> None:
    """Refuse to store anything new about somebody who no longer agrees to that."""
    if not given:
        message = (
            "The person has withdrawn the consent to storage, so nothing new is stored. Reading, "
            "deleting, export, erasure, devices and evaluations without storing still work; a new "
            "consent is given with PUT /v1/me/consent."
        )
        raise StorageConsentWithdrawn(message)


async def admit_reader(request: Request, db: AsyncSession, token: DeviceToken) -> Caller:
    """Look a token up in a transaction that reads, and note the first use of it."""
    found = await service.verify(db, token)
    if found.pending or found.first_call:
        database: Database = request.app.state.database
        try:
            async with database.write_beside(db) as writing:
                await service.note_use(writing, token, found)
        except Exception as error:
            # Who reads does not wait for who writes: the next call notes it.
            if not is_outage(error):
                raise
    return Caller(token.participant_id, token.device_id)


async def authenticate_for_reading(
    request: Request, db: ReadDb, token: Token, _: Annotated[None, Depends(limit_participant)]
) -> Caller:
    """Look the token up in the transaction that will read."""
    return await admit_reader(request, db, token)


async def authenticate_for_streaming(
    request: Request, token: Token, _: Annotated[None, Depends(limit_participant)]
) -> Caller:
    """Look the token up in a transaction of its own.

    An answer that is streamed opens one later, and must not wait for it while it holds another.
    """
    database: Database = request.app.state.database
    async with database.read() as db:
        return await admit_reader(request, db, token)


# There is no cache of tokens: revoking one takes effect at once.
WritingCaller = Annotated[Caller, Depends(authenticate_for_writing, scope="function")]
ErasingCaller = Annotated[Caller, Depends(authenticate_for_erasing, scope="function")]
StreamingCaller = Annotated[Caller, Depends(authenticate_for_streaming, scope="function")]
ReadingCaller = Annotated[Caller, Depends(authenticate_for_reading, scope="function")]


async def authenticate_for_storing(db: Db, caller: WritingCaller) -> Caller:
    """Lock the participant: what is stored comes before a withdrawn consent, or not at all."""
    require_storage_consent(given=await service.lock_participant(db, caller.participant_id))
    return caller


# For calls that store something new about the person.
StoringCaller = Annotated[Caller, Depends(authenticate_for_storing, scope="function")]
