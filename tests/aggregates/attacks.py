"""Attacks on figures about many people, and two naive services that lose to them.

Every week has a victim of its own; whether they practised is one bit, as likely as not. The
attacker knows everyone else in the victim's cell: they are fake participants of the attacker's.
"""

import datetime
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from tests.publications.population import MONDAY

DAY = datetime.timedelta(days=1)
VICTIMS, OTHERS = "exercises-only", "daily-15-minutes"
# More steps than any rounding has.
STEPS = 6


def monday(week: int) -> datetime.date:
    return MONDAY + 7 * week * DAY


class Service(Protocol):
    """What an attacker can do: ask, enrol people, and watch what the victim does."""

    known: int
    repeats: int

    def count(self, first: datetime.date, last: datetime.date, routine: str | None) -> float | None:
        """Ask how many people practised; None where there is no answer."""
        ...

    def add_sybil(self, week: int) -> None:
        """Create a fake participant who practises in the victim's cell."""
        ...

    def withdraw(self, week: int) -> None:
        """Wait for the victim to take the consent to research back."""
        ...

    def erase(self, week: int) -> None:
        """Wait for the victim to erase everything."""
        ...


def in_cell(service: Service, week: int) -> float | None:
    return service.count(monday(week), monday(week) + 6 * DAY, VICTIMS)


def by_size(service: Service, seen: float | None) -> bool:
    """Guess from the victim's cell alone; it is all that there is when nothing else works."""
    return seen is not None and seen > service.known + 0.5


def differencing(service: Service, week: int) -> bool:
    """Subtract two windows that differ by the one day on which only the victim practises."""
    first = monday(week)
    whole = in_cell(service, week)
    without = service.count(first, first + 5 * DAY, VICTIMS)
    if whole is None or without is None:
        return by_size(service, whole)
    return whole - without > 0.5


def complementary(service: Service, week: int) -> bool:
    """Subtract what is shown from the total, to get at what is not."""
    first, last = monday(week), monday(week) + 6 * DAY
    total, others = service.count(first, last, None), service.count(first, last, OTHERS)
    if total is None or others is None:
        return by_size(service, in_cell(service, week))
    return by_size(service, total - others)


def repeats(service: Service, week: int) -> bool:
    """Ask again and again, and take the mean."""
    seen = [answer for _ in range(service.repeats) for answer in [in_cell(service, week)] if answer]
    return by_size(service, sum(seen) / len(seen) if seen else None)


def sybils(service: Service, week: int) -> bool:
    """Fill the cell up to where one more person makes it appear, or jump."""
    before = in_cell(service, week)
    for step in range(1, STEPS + 1):
        service.add_sybil(week)
        after = in_cell(service, week)
        if before != after:
            # Alone, the fake participants would have needed one step more.
            return step < service.steps_alone if isinstance(service, Naive) else step < STEPS
    return by_size(service, before)


def toggling_consent(service: Service, week: int) -> bool:
    """Look before and after the victim takes the consent back."""
    before = in_cell(service, week)
    service.withdraw(week)
    after = in_cell(service, week)
    return by_size(service, before) if before == after else True


def erasing(service: Service, week: int) -> bool:
    """Look before and after the victim erases everything."""
    before = in_cell(service, week)
    service.erase(week)
    after = in_cell(service, week)
    return by_size(service, before) if before == after else True


ATTACKS: Mapping[str, Callable[[Service, int], bool]] = {
    attack.__name__.replace("_", " "): attack
    for attack in (differencing, complementary, repeats, sybils, toggling_consent, erasing)
}


def accuracy(
    service: Service, secrets: list[bool], attack: Callable[[Service, int], bool]
) -> float:
    """Return how often the attacker is right."""
    right = sum(attack(service, week) == secret for week, secret in enumerate(secrets))
    return right / len(secrets)


@dataclass
class Naive:
    """Answers any question about live data, and suppresses, rounds, or adds noise each time."""

    secrets: list[bool]
    known: int
    repeats: int = 60
    suppressed_up_to: int = 0
    rounded_to: int = 1
    noise: float = 0.0
    chance: random.Random = field(default_factory=lambda: random.Random(5))
    added: dict[int, int] = field(default_factory=dict)
    others: int = 30

    def __post_init__(self) -> None:
        self.there = list(self.secrets)

    @property
    def steps_alone(self) -> int:
        """How many fake participants more it takes to change the answer without the victim."""
        start = self._shown(self.known)
        return next(n for n in range(1, 99) if self._shown(self.known + n) != start)

    def _shown(self, exact: int) -> float | None:
        if exact <= self.suppressed_up_to:
            return None
        return self.rounded_to * round(exact / self.rounded_to)

    def count(self, first: datetime.date, last: datetime.date, routine: str | None) -> float | None:
        week = (first - MONDAY).days // 7
        # The victim practises on a Sunday, all others on a Monday.
        sunday = last >= monday(week) + 6 * DAY
        victims = self.known + self.added.get(week, 0) + (self.there[week] and sunday)
        exact = (routine != OTHERS) * victims + (routine != VICTIMS) * self.others
        if self.noise:
            scale = self.noise
            return exact + self.chance.expovariate(1 / scale) - self.chance.expovariate(1 / scale)
        return self._shown(exact)

    def add_sybil(self, week: int) -> None:
        self.added[week] = self.added.get(week, 0) + 1

    def withdraw(self, week: int) -> None:
        self.there[week] = False

    def erase(self, week: int) -> None:
        self.there[week] = False


def naive_for(name: str, secrets: list[bool]) -> Naive:
    """Return what an attack is known to break: k-anonymity, or noise drawn for each answer."""
    match name:
        case "repeats":
            return Naive(secrets, known=20, noise=1.0)
        case "complementary":
            return Naive(secrets, known=5, suppressed_up_to=7)
        case "sybils":
            # Suppressed up to seven, the rest to the nearest five.
            return Naive(secrets, known=10, suppressed_up_to=7, rounded_to=5)
        case _:
            return Naive(secrets, known=20, suppressed_up_to=7)
