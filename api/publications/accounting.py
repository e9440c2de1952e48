"""Checks a policy with OpenDP's own privacy maps, before any noise is drawn."""

import math
from collections.abc import Sequence
from typing import Any

from api.publications.noise import load_opendp, measurement
from api.publications.policy import InvalidPolicy, PublicationPolicy

SAME = 1e-12


class Accountant:
    """Computes what draws cost, by OpenDP's privacy maps."""

    def __init__(self) -> None:
        self._opendp: Any = load_opendp()

    def rho(self, bound: int, scale: int) -> float:
        """Return the cost of one draw of this scale for a participant's bound."""
        return float(measurement(self._opendp, scale).map(bound))

    def epsilon(self, rhos: Sequence[float], delta: float) -> float:
        """Return the total cost of draws, as epsilon at a delta."""
        # In this accounting only the sum counts: one draw of the same cost represents all.
        scale = 1 / math.sqrt(2 * math.fsum(rhos))
        number = self._opendp.atom_domain(T="i64")
        one = self._opendp.m.make_gaussian(
            number, self._opendp.absolute_distance(T="f64"), scale=scale
        )
        return float(self._opendp.c.make_zCDP_to_approxDP(one).map(1).epsilon(delta))

    def check(self, policy: PublicationPolicy) -> None:
        """Reject a policy with a figure that OpenDP does not confirm."""
        for period in policy.periods:
            for measure in period.measures:
                rho = self.rho(measure.bound, measure.scale)
                _agree(f"rho of {measure.measure} in a {period.kind}", measure.rho, rho)
            rhos = [measure.rho for measure in period.measures]
            _agree(f"epsilon of a {period.kind}", period.epsilon, self.epsilon(rhos, policy.delta))
        _agree(
            "epsilon of a year", policy.year.epsilon, self.epsilon([policy.year.rho], policy.delta)
        )


def _agree(name: str, stated: float, real: float) -> None:
    if not math.isclose(stated, real, rel_tol=SAME):
        message = f"The policy says that {name} is {stated!r}; OpenDP's map says {real!r}."
        raise InvalidPolicy(message)
