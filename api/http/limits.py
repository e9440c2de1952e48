"""Rate limits of endpoints: who is counted, and what the response announces."""

import contextlib
import functools
import ipaddress
from collections.abc import AsyncIterator
from http import HTTPStatus

from fastapi import Depends, Request, Response
from limits import RateLimitItem

from api.core.errors import Problem, WrongTokenKind
from api.http.context import context_of

# Invalid credentials, or those of an erased participant.
FAILED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.GONE}


def proves_nothing(problem: Problem) -> bool:
    """Return whether an error is a failure of authentication."""
    return problem.status in FAILED or isinstance(problem, WrongTokenKind)


def caller_address(request: Request) -> str:
    """Identify a client without a token by its network address.

    An IPv6 subscriber has 2**64 addresses, so a network of that size counts as one.
    """
    return _network_of(request.client.host if request.client else "unknown")


@functools.lru_cache(maxsize=4096)
def _network_of(host: str) -> str:
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
    """Count failures of authentication by network address, and limit them.

    Valid credentials are accepted regardless of failures from the same address: a hospital shares
    one. Failures never count against the participant whose id the token contains.
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
    """Count an expensive request without a token by address, or raise RateLimited."""
    limiter = context_of(request.scope).limiter
    return await limiter.hit(limiter.public, "public", caller_address(request))


async def limit_public(request: Request, response: Response) -> None:
    """Limit expensive requests without a token, by address."""
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
