"""History facts: what earlier reports contribute to a report. Pure.

An episode starts with the first report, and again with the first after a pain-free one (pain 0). A
report without a score is not pain-free: no answer is not "no". Only the set of reports counts,
never the order in which they arrived.
"""

import bisect
import datetime
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

PERSISTENT = "persistent_in_history"
PAIN_RISEN = "pain_risen_in_history"
PERSISTENT_AFTER = datetime.timedelta(weeks=6)
# The smallest change that matters, on the scale from 0 to 10 (Ostelo 2008).
IMPORTANT_CHANGE = 2


@dataclass(frozen=True, slots=True)
class PastReport:
    """The fields of a report that later reports depend on."""

    id: uuid.UUID
    reported_at: datetime.datetime
    pain_score: int | None


@dataclass(frozen=True, slots=True)
class Episode:
    """When the episode's first report was made, and its first pain score."""

    started_at: datetime.datetime | None = None
    baseline: int | None = None

    def after(self, report: PastReport) -> "Episode":
        """Return the episode that the next report belongs to."""
        if report.pain_score == 0:
            return Episode()
        return Episode(
            report.reported_at if self.started_at is None else self.started_at,
            report.pain_score if self.baseline is None else self.baseline,
        )

    def facts_of(self, report: PastReport) -> tuple[str, ...]:
        """Return the history facts of a report in this episode."""
        if self.started_at is None or report.pain_score == 0:
            return ()
        facts = []
        if report.reported_at - self.started_at > PERSISTENT_AFTER:
            facts.append(PERSISTENT)
        if (
            self.baseline is not None
            and report.pain_score is not None
            and report.pain_score - self.baseline >= IMPORTANT_CHANGE
        ):
            facts.append(PAIN_RISEN)
        return tuple(facts)


def _when(report: PastReport) -> tuple[datetime.datetime, bytes]:
    return report.reported_at, report.id.bytes


def in_order(reports: Iterable[PastReport]) -> list[PastReport]:
    """Sort reports by time, and by id within the same second."""
    return sorted(reports, key=_when)


class Timeline:
    """All reports of a person, with the episode before each; more can be added."""

    def __init__(self, reports: Iterable[PastReport]) -> None:
        self._reports = in_order(reports)
        self._episodes: list[Episode] = []
        for _ in self._reports:
            self._episodes.append(self._after(len(self._episodes) - 1))

    def _after(self, index: int) -> Episode:
        return self._episodes[index].after(self._reports[index]) if index >= 0 else Episode()

    def episode_before(self, report: PastReport) -> Episode:
        """Return the episode that a report belongs to, whether or not it is stored already."""
        return self._after(bisect.bisect_left(self._reports, _when(report), key=_when) - 1)

    def add(self, report: PastReport) -> None:
        """Insert a report; it changes later episodes only up to the next pain-free report."""
        index = bisect.bisect_left(self._reports, _when(report), key=_when)
        self._reports.insert(index, report)
        self._episodes.insert(index, self._after(index - 1))
        for later in range(index + 1, len(self._reports)):
            episode = self._after(later - 1)
            if episode == self._episodes[later]:
                return
            self._episodes[later] = episode
