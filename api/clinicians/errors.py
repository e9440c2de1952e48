"""Errors of clinicians' requests."""

from api.core.errors import CHALLENGE, NotAuthenticated, Problem

BEARER = CHALLENGE["WWW-Authenticate"]


class InsufficientScope(Problem):
    """A valid key or access token without the scope of this endpoint."""

    status = 403
    code = "insufficient_scope"
    title = "The scope is missing"


def refused(reason: str) -> NotAuthenticated:
    """Return the error for an invalid key or access token, as in RFC 6750."""
    challenge = f'{BEARER}, error="invalid_token", error_description="{reason}"'
    return NotAuthenticated(reason, headers={"WWW-Authenticate": challenge})


def scope_missing(scope: str) -> InsufficientScope:
    """Return the error that names the required scope."""
    reason = f"This endpoint requires the scope {scope}."
    challenge = f'{BEARER}, error="insufficient_scope", scope="{scope}"'
    return InsufficientScope(reason, headers={"WWW-Authenticate": challenge})
