"""Responses that are complete before they are sent, so that a slow client blocks nothing."""

from collections.abc import AsyncIterator, Callable
from tempfile import SpooledTemporaryFile
from typing import IO

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from api.core.errors import Unavailable
from api.http.problems import RETRY_SOON

IN_MEMORY = 256 * 1024
PIECE = 64 * 1024


async def spool(pieces: AsyncIterator[bytes]) -> IO[bytes]:
    """Write all chunks to memory, beyond 256 KB to a private temporary file.

    Raises Unavailable if the disk is full.
    """
    file = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  # the response closes it
    try:
        async for piece in pieces:
            file.write(piece)
        file.flush()
    except OSError as error:
        file.close()
        message = "There is no disk space to prepare this response. Try again later."
        raise Unavailable(message, headers=RETRY_SOON) from error
    except BaseException:
        file.close()
        raise
    return file


async def _pieces_of(file: IO[bytes]) -> AsyncIterator[bytes]:
    while piece := file.read(PIECE):
        yield piece


class SpooledResponse(StreamingResponse):
    """Sends a spooled file at the client's pace, then closes it and calls `finished`."""

    def __init__(
        self,
        file: IO[bytes],
        *,
        media_type: str,
        headers: dict[str, str],
        finished: Callable[[], None],
    ) -> None:
        length = {"Content-Length": str(file.tell())}
        file.seek(0)
        super().__init__(_pieces_of(file), headers=headers | length, media_type=media_type)
        self.file = file
        self.finished = finished

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send everything, unless the client disconnects."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.file.close()
            self.finished()
