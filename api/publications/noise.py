"""The noise: OpenDP's discrete Gaussian, on whole numbers, from the system's randomness.

There is no seed anywhere, and nothing here computes with fractions: whole numbers go in, whole
numbers come out. Only `footing publish` needs OpenDP, so it is imported when it is asked for.
"""

import importlib
from collections.abc import Sequence
from typing import Any, Protocol

from api.core.errors import NotReady

INSTALL = "Publishing needs OpenDP, which is not installed: pip install 'footing[publish]'"


class Noise(Protocol):
    """Adds noise to whole numbers."""

    def draw(self, exact: Sequence[int], scale: int) -> list[int]:
        """Return every number with independent noise of this scale."""
        ...


def load_opendp() -> Any:
    """Return OpenDP, or say how to get it."""
    try:
        opendp = importlib.import_module("opendp.prelude")
    except ImportError:
        raise NotReady(INSTALL) from None
    # Its Gaussian has written proofs, but the vetting of the library isn't finished.
    opendp.enable_features("contrib")
    return opendp


def measurement(opendp: Any, scale: int) -> Any:
    """Make the measurement; its privacy map is the proof of what it protects."""
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
