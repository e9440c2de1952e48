"""What can be wrong with a clinician who calls."""

from api.core.errors import CHALLENGE, NotAuthenticated, Problem

BEARER = CHALLENGE["WWW-Authenticate"]


class InsufficientScope(Problem):
    """A valid key or access token that lacks the scope of this call."""

    status = 403
    code = "insufficient_scope"
    title = "The scope is missing"


def refused(reason: str) -> NotAuthenticated:
    """Refuse a key or an access token, in the words of RFC 6750."""
    challenge = f'{BEARER}, error="invalid_token", error_description="{reason}"'
    return NotAuthenticated(reason, headers={"WWW-Authenticate": challenge})


def scope_missing(scope: str) -> InsufficientScope:
    """Say which scope a call needs."""
    reason = f"This endpoint requires the scope {scope}."
    challenge = f'{BEARER}, error="insufficient_scope", scope="{scope}"'
    return InsufficientScope(reason, headers={"WWW-Authenticate": challenge})
