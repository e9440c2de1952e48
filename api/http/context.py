"""What all requests of an app share: one frozen object, created with the app."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from api.core.clock import Clock
from api.core.config import Settings
from api.core.db import Database
from api.core.errors import Problem
from api.core.writable import WriteCheck
from api.http.conditional import Body
from api.http.json_limits import BodyLimits
from api.http.limiter import Limiter
from api.http.response_cache import ResponseCache

Part = TypeVar("Part")
Scope = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppContext:
    """The services that requests use. `parts` are those of the packages above, by type."""

    settings: Settings
    clock: Clock
    database: Database
    write_check: WriteCheck
    limiter: Limiter
    # By the path of the request; "" is for all other paths.
    body_limits: Mapping[str, BodyLimits]
    # The prepared response of GET /v1/compatibility.
    compatibility: Body
    # Whole responses of the served release.
    response_cache: ResponseCache
    # The hash of the served release; None until one is loaded.
    served_release: Callable[[], str | None]
    # The decision for a failed request that asked for one; None if it did not.
    last_resort: Callable[[Scope, Problem], Mapping[str, Any] | None]
    parts: Mapping[type, object]

    def part(self, kind: type[Part]) -> Part:
        """Return the part of this type; raise KeyError if the app was created without it."""
        return cast("Part", self.parts[kind])


def context_of(scope: Scope) -> AppContext:
    """Return the context of the app that handles a request."""
    context: AppContext = scope["app"].state.context
    return context
