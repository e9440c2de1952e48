"""How many requests are in progress at the same time; what is beyond that is refused at once.

Without a bound, everyone waits for everyone else as soon as requests arrive faster than they can be
answered, and all time out. A request counts from the moment its body is complete, so that slow
senders take no place, until its response begins, so that slow readers take none.
"""

import time
from collections.abc import Callable, Collection, Iterable

from api.core.errors import RETRY_SOON, Problem, Unavailable

AUTHORIZATION = b"authorization"
# Many at the same moment, after a notification for example, are answered within a blink: for so
# long, so many times the places are taken. Not again before there was room for a while.
BURST_SECONDS = 0.2
BURST = 4
CALM_SECONDS = 1.0
BUSY = "Too many requests are in progress. Nothing was stored. Try again in a moment."


class Admission:
    """The places of one worker process.

    Only requests with a token are refused, since all others are answered without the database, with
    few exceptions: content, evaluations and health checks still work. `always` are the paths on
    which symptoms are sent: those requests are admitted and answered with a decision.
    """

    def __init__(
        self, places: int, always: Collection[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.places = places
        self.always = frozenset(always)
        self.taken = 0
        self._clock = clock
        # When there was no room last, and since when there has been none now and then.
        self._full_at = self._full_since = float("-inf")

    def is_full(self) -> bool:
        """Return whether there is no place for one more."""
        if self.taken < self.places:
            return False
        now = self._clock()
        if now - self._full_at > CALM_SECONDS:
            self._full_since = now
        self._full_at = now
        return self.taken >= BURST * self.places or now - self._full_since > BURST_SECONDS

    def place_for(self, path: str, headers: Iterable[tuple[bytes, bytes]]) -> "Place":
        """Return the place of one request, not yet taken."""
        with_token = any(name == AUTHORIZATION for name, _ in headers)
        return Place(self, may_be_refused=with_token and path not in self.always)


class Place:
    """The place of one request."""

    def __init__(self, admission: Admission, *, may_be_refused: bool) -> None:
        self._admission = admission
        self._may_be_refused = may_be_refused
        self._is_taken = False

    def refusal(self) -> Problem | None:
        """Return why there is no place at the moment, if there is none."""
        if self._may_be_refused and self._admission.is_full():
            return Unavailable(BUSY, headers=RETRY_SOON)
        return None

    def take(self) -> Problem | None:
        """Take the place, or return why there is none; the body is complete."""
        if self._is_taken:
            return None
        refused = self.refusal()
        if refused is None:
            self._admission.taken += 1
            self._is_taken = True
        return refused

    def give_back(self) -> None:
        """Give the place back; the response begins, or there will be none."""
        if self._is_taken:
            self._admission.taken -= 1
            self._is_taken = False
