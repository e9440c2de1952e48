"""Waits for another process, thread or connection, with a limit."""

import contextlib
import socket
import time
from collections.abc import Callable

# Loaded machines are slow, and what is waited for is hardly ever about how fast.
PATIENCE_SECONDS = 60
POLL_SECONDS = 0.02


def wait_until(true: Callable[[], object], otherwise: Callable[[], object] = lambda: "") -> None:
    """Wait until something is true, and fail with what `otherwise` tells when it never is."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < give_up, otherwise()
        time.sleep(POLL_SECONDS)


def wait_until_it_listens(port: int) -> None:
    """Wait until something accepts connections on a port of this machine."""

    def listens() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return True
        return False

    wait_until(listens, lambda: f"nothing listens on {port}")
