"""What a connection may cost: how long a client may be silent, how much it may send ahead.

uvicorn closes connections that idle after an answer, and knows no other limit: neither for a
request that never ends, nor for an answer that is never read. Its `limit_concurrency` refuses the
requests of everyone once there are too many connections; here, only the newcomers are refused.
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
    """A connection whose `close` lets the client read the answer first.

    A socket that is closed with unread data in it is reset, and a client that is still sending
    would see a broken connection instead of the reason.
    """

    def __init__(self, protocol: "LimitedProtocol") -> None:
        self.protocol = protocol

    def __getattr__(self, name: str) -> Any:
        return getattr(self.protocol.transport, name)

    def write(self, data: bytes) -> None:
        """Send, unless there is no one left to take it."""
        if not (self.protocol.ended or self.protocol.transport.is_closing()):
            self.protocol.transport.write(data)

    def close(self) -> None:
        """Close once the client has nothing more to send, or has had its time."""
        self.protocol.close_gently()


class LimitedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 connection with limits; they come from the settings of the app."""

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
        # A request is read head first, then body, if there is one.
        self.in_head = True
        # Whether a request has begun whose head is not complete; whether its body got on.
        self.begun = False
        self.got_on = False
        # Lines and headers of this request; and bytes that have come since it last got on.
        self.header_bytes = 0
        self.waiting_bytes = 0
        # Whatever still comes is thrown away; and nothing more is sent either.
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
        """Wait for what is still missing of a request. Most arrive whole and start no timer."""
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
        """Wait for the first request, unless there are too many connections already."""
        super().connection_made(transport)
        if len(self.connections) > self.settings.max_connections:
            message = "Too many connections are open. Try again later."
            self._refuse(Unavailable(message, headers=RETRY_SOON))
            return
        self._expect(self.settings.header_timeout_seconds, self._head_timed_out)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget every timer."""
        self._expect_nothing()
        self._unset_keepalive_if_required()
        self._stop_watching()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read, and measure headers that are not complete yet."""
        if self.lingering or self.transport.is_closing():
            return
        self.waiting_bytes += len(data)
        self.got_on = False
        super().data_received(data)
        if self.waiting_bytes > self.max_header_bytes:
            self._refuse_headers()
        self._expect_rest()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection; where an answer was never taken, without waiting for that."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        super().timeout_keep_alive_handler()

    # What the parser finds

    def on_message_begin(self) -> None:
        """Start a request; one that was sent ahead has its time from here."""
        super().on_message_begin()
        self.header_bytes = 0
        self.begun = True

    def on_url(self, url: bytes) -> None:
        """Measure the request line."""
        if self._fits(len(url)):
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Measure each header, also those that trail a body in chunks."""
        if self._fits(len(name) + len(value) + len(b": \r\n")):
            super().on_header(name, value)

    def _fits(self, more: int) -> bool:
        self.header_bytes += more
        if self.header_bytes > self.max_header_bytes:
            self._refuse_headers()
        return not self.lingering

    def on_headers_complete(self) -> None:
        """Hand the request on."""
        if self.lingering:
            return
        self.in_head, self.begun, self.got_on, self.waiting_bytes = False, False, True, 0
        super().on_headers_complete()
        self.cycle.transport = self.gentle_transport  # type: ignore[assignment]

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body; the next one has its time from here."""
        if self.lingering:
            return
        super().on_body(body)
        self.got_on, self.waiting_bytes = True, 0

    def on_message_complete(self) -> None:
        """End the body; nothing is expected until another request begins."""
        if self.lingering:
            return
        self._expect_nothing()
        self.in_head, self.waiting_bytes = True, 0
        super().on_message_complete()

    # Responses that no client reads

    def pause_writing(self) -> None:
        """Watch whether the client takes anything of the answer."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """Go on: the client has taken most of what was written."""
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
        """Close the connection, after what the client is still sending."""
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
        """Answer what is not HTTP."""
        self._refuse(MalformedHttp(msg))

    def _refuse_headers(self) -> None:
        self._refuse(HeadersTooLarge("The request's line and headers are too large together."))

    def _refuse(self, problem: Problem) -> None:
        """Answer a request that is not complete, and end the connection."""
        if self.lingering:
            return
        self.lingering = True
        newest: RequestResponseCycle | None = self.cycle
        if self.in_head and newest is not None and not newest.response_complete:
            # An earlier request is still being answered, and the connection ends with that.
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
        self.waiting_bytes = max(self.waiting_bytes, 1)  # something is always left to read
        self.close_gently()
