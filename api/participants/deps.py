"""Authenticates participants and their devices by bearer token."""

import contextlib
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Annotated

from fastapi import Depends, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlmodel.ext.asyncio.session import AsyncSession

from api.core.db import is_outage
from api.core.errors import CHALLENGE, NotAuthenticated, WrongTokenKind
from api.core.tokens import token_kind
from api.http.context import AppContext, context_of
from api.http.deps import Context, open_db, open_read_db
from api.http.limits import counting_failures
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
    """The authenticated participant and device of a request."""

    participant_id: uuid.UUID
    device_id: uuid.UUID
    # The one of the enrolment.
    language: str
    # The consent to storage: current until the transaction ends, if this one writes.
    storage_consent: bool


class Access(Enum):
    """What a request does with the data of the participant who sends it."""

    READ = "read"
    WRITE = "write"
    # Writes something new about the participant, which needs their consent to storage.
    STORE = "store"
    ERASE = "erase"


LOCKS: Mapping[Access, service.Locking | None] = {
    Access.READ: None,
    Access.WRITE: service.Locking.WRITING,
    Access.STORE: service.Locking.WRITING,
    Access.ERASE: service.Locking.ERASING,
}


def failures_counted(request: Request) -> contextlib.AbstractAsyncContextManager[None]:
    """Count invalid tokens and recovery codes by network address."""
    limiter = context_of(request.scope).limiter
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


def require_storage_consent(caller: Caller) -> None:
    """Reject a request to store something new if the participant has withdrawn consent."""
    if not caller.storage_consent:
        message = (
            "The consent to storage was withdrawn, so nothing new is stored. Reading, "
            "deleting, export, erasure, devices and evaluations without storing still work; a new "
            "consent is given with PUT /v1/me/consent."
        )
        raise StorageConsentWithdrawn(message)


async def _note_use(
    context: AppContext, db: AsyncSession, token: DeviceToken, found: service.Verified
) -> None:
    """Record the first use of a token in a request that only reads."""
    if not (found.pending or found.first_call):
        return
    try:
        async with context.database.write_beside(db) as writing:
            await service.note_use(writing, token, found)
    except Exception as error:
        # Reading must not fail because writing does: the next request records the use.
        if not is_outage(error):
            raise


async def identify(
    request: Request, db: AsyncSession, token: DeviceToken, access: Access = Access.READ
) -> Caller:
    """Look the token up, and record its first use."""
    async with failures_counted(request):
        found = await service.verify(db, token, LOCKS[access])
    # Refusals from here on are in the participant's own language.
    request.state.own_language = found.language
    match access:
        case Access.READ:
            await _note_use(context_of(request.scope), db, token, found)
        case Access.WRITE | Access.STORE:
            await service.note_use(db, token, found)
        case Access.ERASE:
            pass  # both hashes of a rotated token have to be remembered as erased
    return Caller(token.participant_id, token.device_id, found.language, found.storage_consent)


async def count_request(request: Request, response: Response, caller: Caller) -> None:
    """Count a request of an authenticated participant, and refuse unknown parameters.

    Each participant has a limit of their own, so that a client in a loop slows down no other.
    """
    limiter = context_of(request.scope).limiter
    name = caller.participant_id.hex
    response.headers.update(await limiter.hit(limiter.participant, "participant", name))
    refuse_unknown_parameters(request)


async def admit(
    request: Request, response: Response, token: DeviceToken, db: AsyncSession, access: Access
) -> Caller:
    """Authenticate a participant in the request's transaction, count the request and allow it."""
    caller = await identify(request, db, token, access)
    await count_request(request, response, caller)
    if access is Access.STORE:
        require_storage_consent(caller)
    return caller


def participant(access: Access) -> Callable[..., Awaitable[Caller]]:
    """Make the dependency that authenticates a participant in the request's transaction."""
    transaction = open_read_db if access is Access.READ else open_db

    async def authenticate(
        request: Request,
        response: Response,
        token: Token,
        db: Annotated[AsyncSession, Depends(transaction, scope="function")],
    ) -> Caller:
        return await admit(request, response, token, db, access)

    return authenticate


async def authenticate_for_streaming(
    request: Request, response: Response, token: Token, context: Context
) -> Caller:
    """Authenticate in a separate transaction: a streamed response opens another one later."""
    async with context.database.read() as db:
        caller = await identify(request, db, token)
    await count_request(request, response, caller)
    return caller


# Tokens are not cached: revoking one takes effect immediately.
ReadingCaller = Annotated[Caller, Depends(participant(Access.READ), scope="function")]
WritingCaller = Annotated[Caller, Depends(participant(Access.WRITE), scope="function")]
StoringCaller = Annotated[Caller, Depends(participant(Access.STORE), scope="function")]
ErasingCaller = Annotated[Caller, Depends(participant(Access.ERASE), scope="function")]
StreamingCaller = Annotated[Caller, Depends(authenticate_for_streaming, scope="function")]
