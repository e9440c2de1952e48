"""A bad network between a client and a server: broken requests, responses that never arrive."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import httpx
import pytest

CHUNK = 65_536


class BadNetwork:
    """Passes bytes on both ways, until a test makes it lose some."""

    def __init__(self, server: str) -> None:
        address = httpx.URL(server)
        assert address.port is not None
        self.server = (address.host, address.port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.lose_answers = False
        # How much of what a client sends still passes.
        self.passes: int | None = None
        self.answers_lost = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                device, _ = self.listener.accept()
                server = socket.create_connection(self.server)
                for pump in (self._up, self._down):
                    threading.Thread(target=pump, args=(device, server), daemon=True).start()

    def _up(self, device: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := device.recv(CHUNK):
                if self.passes is not None:
                    data = data[: self.passes]
                    self.passes -= len(data)
                if data:
                    server.sendall(data)
                if self.passes == 0:
                    break
        hang_up(device, server)

    def _down(self, device: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(CHUNK):
                if self.lose_answers:
                    # The server has responded: its changes are committed.
                    self.answers_lost += 1
                    break
                device.sendall(data)
        hang_up(device, server)

    @contextlib.contextmanager
    def losing_answers(self) -> Iterator[None]:
        """Deliver every request inside this block to the server, and lose the response."""
        self.lose_answers = True
        with pytest.raises(httpx.TransportError):
            yield
        self.lose_answers = False

    @contextlib.contextmanager
    def breaking_after(self, number: int) -> Iterator[None]:
        """Break off the request inside after so many bytes."""
        self.passes = number
        with pytest.raises(httpx.TransportError):
            yield
        self.passes = None


def hang_up(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
