"""How much a test tries: a little in `make test`, much in `make fuzz`, `chaos` and `proof`."""

import os
from typing import TypeVar

Amount = TypeVar("Amount")

FULL = os.environ.get("TEST_BUDGET", "quick") == "full"


def budget(*, quick: Amount, full: Amount) -> Amount:
    """Choose by the target that runs; the budgets are listed in docs/developers.md."""
    return full if FULL else quick
