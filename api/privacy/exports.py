"""Limits concurrent exports in this process: a few in total, and one for each participant."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from api.core.errors import RateLimited, Unavailable
from api.http.problems import RETRY_SOON

# An export that is not read ends with its connection, after FOOTING_SEND_TIMEOUT_SECONDS.
RETRY_OWN_SECONDS = 10


class Exports:
    """Counts exports. Each reads all of a participant's records, and is kept until it is sent."""

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        self.preparing = 0
        self.participants: set[uuid.UUID] = set()

    @contextmanager
    def prepare(self, participant_id: uuid.UUID) -> Iterator[None]:
        """Prepare one export; raise RateLimited or Unavailable if there are too many.

        A prepared export counts for its participant until it is `sent`.
        """
        if participant_id in self.participants:
            raise RateLimited(
                "Another export of this participant is still being sent.",
                headers={"Retry-After": str(RETRY_OWN_SECONDS)},
            )
        if self.preparing >= self.at_once:
            raise Unavailable(
                "Too many exports are being prepared. Try again later.",
                headers=RETRY_SOON,
            )
        self.participants.add(participant_id)
        self.preparing += 1
        try:
            yield
        except BaseException:
            self.sent(participant_id)
            raise
        finally:
            self.preparing -= 1

    def sent(self, participant_id: uuid.UUID) -> None:
        """Allow the participant another export."""
        self.participants.discard(participant_id)
