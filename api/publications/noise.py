"""The noise: OpenDP's discrete Gaussian on integers, from the system's randomness.

There is no seed, and no fractions are involved: integers in, integers out. Only `footing publish`
needs OpenDP, so it is imported on first use.
"""

import importlib
from collections.abc import Sequence
from typing import Any, Protocol

from api.core.errors import NotReady

INSTALL = "Publishing needs OpenDP, which is not installed: pip install 'footing[publish]'"


class Noise(Protocol):
    """Adds noise to integers."""

    def draw(self, exact: Sequence[int], scale: int) -> list[int]:
        """Return every number with independent noise of this scale."""
        ...


def load_opendp() -> Any:
    """Return OpenDP; raise NotReady if it is not installed."""
    try:
        opendp = importlib.import_module("opendp.prelude")
    except ImportError:
        raise NotReady(INSTALL) from None
    # Its Gaussian has written proofs, but the vetting of the library is not finished.
    opendp.enable_features("contrib")
    return opendp


def measurement(opendp: Any, scale: int) -> Any:
    """Make the measurement; its privacy map proves what it protects."""
    numbers = opendp.vector_domain(opendp.atom_domain(T="i64"))
    return opendp.m.make_gaussian(numbers, opendp.l2_distance(T="f64"), scale=scale)


class OpenDpNoise:
    """Draws through OpenDP."""

    def __init__(self) -> None:
        self._opendp = load_opendp()

    def draw(self, exact: Sequence[int], scale: int) -> list[int]:
        """Return every number with independent noise of this scale."""
        noisy: list[int] = measurement(self._opendp, scale)(list(exact))
        return noisy
