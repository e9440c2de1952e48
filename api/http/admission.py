"""How many requests are in progress at the same time; what is beyond that is refused at once.

Without a bound, everyone waits for everyone else as soon as requests arrive faster than they can be
answered, and all time out. A request counts from the moment its body is complete, so that slow
senders take no place, until its response begins, so that slow readers take none.
"""

from collections.abc import Collection, Iterable

from api.core.errors import RETRY_SOON, Problem, Unavailable

AUTHORIZATION = b"authorization"
BUSY = "Too many requests are in progress. Nothing was stored. Try again in a moment."


class Admission:
    """The places of one worker process.

    Only requests with a token are refused, since all others are answered without the database, with
    few exceptions: content, evaluations and health checks still work. `always` are the paths on
    which symptoms are sent: those requests are admitted and answered with a decision.
    """

    def __init__(self, places: int, always: Collection[str]) -> None:
        self.places = places
        self.always = frozenset(always)
        self.taken = 0

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
        if self._may_be_refused and self._admission.taken >= self._admission.places:
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
