"""uvicorn's connections, with limits of time and size.

uvicorn closes connections that are idle after a response, and has no other limits: neither for a
request that never ends, nor for a response that is never read. Its `limit_concurrency` rejects all
requests once there are too many connections; here, only new connections are rejected.
"""

import asyncio
import uuid
from asyncio.events import TimerHandle
from collections.abc import Callable
from typing import Any

import structlog
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from api.core.config import Settings
from api.core.errors import (
    HeadersTooLarge,
    MalformedHttp,
    Problem,
    RequestTimeout,
    Unavailable,
)
from api.http.middleware import REQUEST_ID, protected
from api.http.problems import RETRY_SOON, problem_response

log = structlog.get_logger("footing.access")


class GentleTransport:
    """A connection whose `close` lets the client read the response first.

    Closing a socket with unread data resets it, and a client that is still sending would see a
    broken connection instead of the reason.
    """

    def __init__(self, protocol: "LimitedProtocol") -> None:
        self.protocol = protocol

    def __getattr__(self, name: str) -> Any:
        return getattr(self.protocol.transport, name)

    def write(self, data: bytes) -> None:
        """Send, unless the connection is ending."""
        if not (self.protocol.ended or self.protocol.transport.is_closing()):
            self.protocol.transport.write(data)

    def close(self) -> None:
        """Close when the client has stopped sending, or after a time limit."""
        self.protocol.close_gently()


class LimitedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 connection with limits from the settings of the app."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.settings: Settings = app_state["settings"]
        self.max_header_bytes = self.settings.max_header_bytes
        # A request has a head, and then a body, if there is one.
        self.in_head = True
        # Whether the head of a request is incomplete; whether its body made progress.
        self.begun = False
        self.got_on = False
        # The size of this request's line and headers; and bytes received since the last progress.
        self.header_bytes = 0
        self.waiting_bytes = 0
        # Further input is discarded; and nothing more is sent.
        self.lingering = False
        self.ended = False
        self.reading: TimerHandle | None = None
        self.writing: TimerHandle | None = None
        self.unsent = 0
        self.gentle_transport = GentleTransport(self)

    # Timers

    def _expect(self, seconds: float, otherwise: Callable[[], None]) -> None:
        self._expect_nothing()
        self.reading = self.loop.call_later(seconds, otherwise)

    def _expect_nothing(self) -> None:
        if self.reading is not None:
            self.reading.cancel()
            self.reading = None

    def _expect_rest(self) -> None:
        """Wait for the rest of a request. Most arrive in one piece and start no timer."""
        missing = self.begun or self.waiting_bytes if self.in_head else self.got_on
        if not missing or self.lingering or self.transport.is_closing():
            return
        if not self.in_head:
            self._expect(self.settings.body_timeout_seconds, self._body_timed_out)
        elif self.reading is None:
            self._expect(self.settings.header_timeout_seconds, self._head_timed_out)

    def _head_timed_out(self) -> None:
        if self.waiting_bytes:
            self._refuse(RequestTimeout("The headers did not arrive in time."))
        else:
            self.transport.close()

    def _body_timed_out(self) -> None:
        if self.flow.read_paused:
            # It is the app that is not reading.
            self._expect(self.settings.body_timeout_seconds, self._body_timed_out)
        else:
            self._refuse(RequestTimeout("The body did not arrive in time."))

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection, unless there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.settings.max_connections:
            message = "Too many connections are open. Try again later."
            self._refuse(Unavailable(message, headers=RETRY_SOON))
            return
        self._expect(self.settings.header_timeout_seconds, self._head_timed_out)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel all timers."""
        self._expect_nothing()
        self._unset_keepalive_if_required()
        self._stop_watching()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read, and measure incomplete headers."""
        if self.lingering or self.transport.is_closing():
            return
        self.waiting_bytes += len(data)
        self.got_on = False
        super().data_received(data)
        if self.waiting_bytes > self.max_header_bytes:
            self._refuse_headers()
        self._expect_rest()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection; do not wait for a response that was never read."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        super().timeout_keep_alive_handler()

    # Callbacks of the parser

    def on_message_begin(self) -> None:
        """Start a request; the time limit of a pipelined one starts here."""
        super().on_message_begin()
        self.header_bytes = 0
        self.begun = True

    def on_url(self, url: bytes) -> None:
        """Measure the request line."""
        if self._fits(len(url)):
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Measure each header, also trailers of a chunked body."""
        if self._fits(len(name) + len(value) + len(b": \r\n")):
            super().on_header(name, value)

    def _fits(self, more: int) -> bool:
        self.header_bytes += more
        if self.header_bytes > self.max_header_bytes:
            self._refuse_headers()
        return not self.lingering

    def on_headers_complete(self) -> None:
        """Pass the request on."""
        if self.lingering:
            return
        self.in_head, self.begun, self.got_on, self.waiting_bytes = False, False, True, 0
        super().on_headers_complete()
        self.cycle.transport = self.gentle_transport  # type: ignore[assignment]

    def on_body(self, body: bytes) -> None:
        """Accept a chunk of the body; the time limit of the next one starts here."""
        if self.lingering:
            return
        super().on_body(body)
        self.got_on, self.waiting_bytes = True, 0

    def on_message_complete(self) -> None:
        """End the body; nothing is expected until the next request."""
        if self.lingering:
            return
        self._expect_nothing()
        self.in_head, self.waiting_bytes = True, 0
        super().on_message_complete()

    # Responses that no client reads

    def pause_writing(self) -> None:
        """Start the time limit for a client that does not read the response."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """Continue: the client has read most of what was written."""
        self._stop_watching()
        super().resume_writing()

    def _watch(self) -> None:
        self._stop_watching()
        self.unsent = self.transport.get_write_buffer_size()
        self.writing = self.loop.call_later(self.settings.send_timeout_seconds, self._check_taken)

    def _check_taken(self) -> None:
        if self.transport.get_write_buffer_size() < self.unsent:
            self._watch()
        else:
            self.transport.abort()

    def _stop_watching(self) -> None:
        if self.writing is not None:
            self.writing.cancel()
            self.writing = None

    # Endings

    def close_gently(self) -> None:
        """Close the connection when the client has stopped sending."""
        if self.ended or self.transport.is_closing():
            return
        if self.in_head and not self.waiting_bytes:
            self.transport.close()
            return
        self.lingering = self.ended = True
        self._unset_keepalive_if_required()
        self.transport.write_eof()
        self.flow.resume_reading()
        self._expect(self.settings.body_timeout_seconds, self.transport.abort)

    def send_400_response(self, msg: str) -> None:
        """Respond to input that is not HTTP."""
        self._refuse(MalformedHttp(msg))

    def _refuse_headers(self) -> None:
        self._refuse(HeadersTooLarge("The request's line and headers are too large together."))

    def _refuse(self, problem: Problem) -> None:
        """Respond to an incomplete request, and close the connection."""
        if self.lingering:
            return
        self.lingering = True
        newest: RequestResponseCycle | None = self.cycle
        if self.in_head and newest is not None and not newest.response_complete:
            # The response to an earlier request is in progress; the connection ends after it.
            newest.keep_alive = False
            return
        if not self.in_head:
            # The app waits for the rest of the body.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.cycle.response_started:
                self.transport.abort()
                return
        request_id = uuid.uuid4().hex
        scope = {"path": "", "state": {"request_id": request_id}}
        response = problem_response(scope, problem)
        response.headers["Connection"] = "close"
        sent = protected(response.raw_headers, problem.status)
        sent.append((REQUEST_ID, request_id.encode()))
        lines = [*self.server_state.default_headers, *sent]
        head = b"".join(name + b": " + value + b"\r\n" for name, value in lines)
        self.transport.write(STATUS_LINE[problem.status] + head + b"\r\n" + bytes(response.body))
        log.info(
            "request rejected", status=problem.status, code=problem.code, request_id=request_id
        )
        self.waiting_bytes = max(self.waiting_bytes, 1)  # there is always more to read
        self.close_gently()
