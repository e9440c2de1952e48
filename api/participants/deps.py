"""Who is calling: the participant and the device behind a bearer token."""

import contextlib
import uuid
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlmodel.ext.asyncio.session import AsyncSession

from api.core.db import Database, is_outage
from api.core.errors import CHALLENGE, NotAuthenticated, WrongTokenKind
from api.core.tokens import token_kind
from api.http.deps import Db, ReadDb
from api.http.limits import Limiter, counting_failures
from api.http.queries import refuse_unknown_parameters
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
    # The one of the enrolment.
    language: str


def failures_counted(request: Request) -> contextlib.AbstractAsyncContextManager[None]:
    """Count it by address where a token or a recovery code turns out to be none."""
    limiter: Limiter = request.app.state.limiter
    return counting_failures(request, limiter.participant, "participant")


async def read_credentials(request: Request, credentials: Credentials) -> DeviceToken:
    """Read the token of a request, without looking it up."""
    if credentials is None:
        message = "Send the device token as Authorization: Bearer …"
        raise NotAuthenticated(message, headers=CHALLENGE)
    text = credentials.credentials
    async with failures_counted(request):
        if token_kind(text) in {"clinician_key", "access_token"}:
            message = "Clinician credentials cannot be used for participant endpoints."
            raise WrongTokenKind(message)
        token = read_token(text)
        if token is None:
            raise NotAuthenticated("The token is not valid.", headers=CHALLENGE)
    return token


Token = Annotated[DeviceToken, Depends(read_credentials)]


async def count_call(request: Request, response: Response, token: DeviceToken) -> None:
    """Count a call of a participant who has proved to be one, and look at what it asks for.

    One phone in a loop must not slow down the others.
    """
    limiter: Limiter = request.app.state.limiter
    caller = token.participant_id.hex
    headers = await limiter.hit(limiter.participant, "participant", caller)
    response.headers.update(headers)
    refuse_unknown_parameters(request)


async def authenticate_for_writing(
    request: Request, response: Response, db: Db, token: Token
) -> Caller:
    """Look the token up in the transaction that will write."""
    async with failures_counted(request):
        found = await service.verify(db, token, service.WRITING)
    # For what is refused from here on: the person is told what to do in their own language.
    request.state.own_language = found.language
    await count_call(request, response, token)
    await service.note_use(db, token, found)
    return Caller(token.participant_id, token.device_id, found.language)


async def authenticate_for_erasing(
    request: Request, response: Response, db: Db, token: Token
) -> Caller:
    """Look the token up once nobody else is writing, in the transaction that will erase."""
    async with failures_counted(request):
        found = await service.verify(db, token, service.ERASING)
    await count_call(request, response, token)
    return Caller(token.participant_id, token.device_id, found.language)


def require_storage_consent(*, given: bool) -> None:
    """Refuse to store anything new about somebody who no longer agrees to that."""
    if not given:
        message = (
            "The consent to storage was withdrawn, so nothing new is stored. Reading, "
            "deleting, export, erasure, devices and evaluations without storing still work; a new "
            "consent is given with PUT /v1/me/consent."
        )
        raise StorageConsentWithdrawn(message)


async def admit_reader(request: Request, db: AsyncSession, token: DeviceToken) -> Caller:
    """Look a token up in a transaction that reads, and note the first use of it."""
    async with failures_counted(request):
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
    return Caller(token.participant_id, token.device_id, found.language)


async def authenticate_for_reading(
    request: Request, response: Response, db: ReadDb, token: Token
) -> Caller:
    """Look the token up in the transaction that will read."""
    caller = await admit_reader(request, db, token)
    await count_call(request, response, token)
    return caller


async def authenticate_for_streaming(request: Request, response: Response, token: Token) -> Caller:
    """Look the token up in a transaction of its own.

    An answer that is streamed opens one later, and must not wait for it while it holds another.
    """
    database: Database = request.app.state.database
    async with database.read() as db:
        caller = await admit_reader(request, db, token)
    await count_call(request, response, token)
    return caller


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
