"""Rate limits of endpoints: who is counted, and what the response announces."""

import contextlib
import ipaddress
from collections.abc import AsyncIterator
from http import HTTPStatus

from fastapi import Depends, Request, Response
from limits import RateLimitItem

from api.core.errors import Problem, WrongTokenKind
from api.http.context import context_of

# No proof, or that of somebody who was erased.
FAILED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.GONE}


def proves_nothing(problem: Problem) -> bool:
    """Tell whether a call is refused for what it brings as a proof of who is calling."""
    return problem.status in FAILED or isinstance(problem, WrongTokenKind)


def caller_address(request: Request) -> str:
    """Name the caller of a call without a token by its network address.

    Whoever has one address of IPv6 has 2**64 of them: a network of that size counts as one.
    """
    host = request.client.host if request.client else "unknown"
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address), 64), strict=False))


@contextlib.asynccontextmanager
async def counting_failures(
    request: Request, item: RateLimitItem, name: str
) -> AsyncIterator[None]:
    """Count by network address who fails to prove who they are, and slow them down.

    Whoever does prove it is let in, whatever others behind the same address do: a hospital has one.
    And nobody is charged for a call in whose token their name merely stands.
    """
    try:
        yield
    except Problem as refused:
        if proves_nothing(refused):
            limiter = context_of(request.scope).limiter
            headers = await limiter.hit(item, name, caller_address(request), shared=True)
            refused.headers.update(headers)
        raise


async def count_public(request: Request) -> dict[str, str]:
    """Count a call that computes something and needs no token, by address; refuse one too many."""
    limiter = context_of(request.scope).limiter
    return await limiter.hit(limiter.public, "public", caller_address(request))


async def limit_public(request: Request, response: Response) -> None:
    """Limit calls that compute something and need no token, by address."""
    response.headers.update(await count_public(request))


async def limit_enrolment(request: Request, response: Response) -> None:
    """Limit enrolments, by address."""
    limiter = context_of(request.scope).limiter
    address = caller_address(request)
    headers = await limiter.hit(limiter.enrolment, "enrolment", address, shared=True)
    response.headers.update(headers)


# For the `dependencies` of a route.
PublicLimit = Depends(limit_public)
EnrolmentLimit = Depends(limit_enrolment)
