"""Limits on the complexity of a JSON body, measured while it arrives and before it is parsed.

A parser creates an object for every value, and a validator a message for every fault: a body of a
few megabytes can take seconds and a gigabyte. Counting brackets and commas takes milliseconds.
"""

from dataclasses import dataclass

from api.core.errors import BodyTooComplex, MalformedJson

# `answers` of a symptom report takes 200 keys, and nothing takes more.
MAX_KEYS = 1000
# A batch holds sessions, which hold items: five levels.
MAX_DEPTH = 16
# 5000 records to reconcile are 20,002 values.
MAX_VALUES = 25_000

WINDOW = 64 * 1024
STRUCTURE = b",[]{}"
NOT_STRUCTURE = bytes(set(range(256)) - set(STRUCTURE))
COMMA, OPEN_LIST, OPEN_OBJECT = b",[{"
# An array counts its commas from far below the limit of keys, so that it never reaches it.
ARRAY = -(2**40)


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """How many bytes and JSON values a body may have."""

    max_bytes: int
    max_values: int = MAX_VALUES


class JsonMeter:
    """Measures one body, in chunks of any size.

    Only characters outside of strings count. The result for invalid JSON does not matter: the
    parser rejects it afterwards.
    """

    def __init__(self, max_values: int) -> None:
        self.max_values = max_values
        self.values = 1
        self.quotes = 0
        self.escaping = False
        # For each open object or array: how many commas it has so far.
        self.open = [ARRAY]

    def feed(self, piece: bytes) -> None:
        """Measure the next chunk; raise BodyTooComplex, or MalformedJson if it is not UTF-8."""
        for start in range(0, len(piece), WINDOW):
            self._feed(piece[start : start + WINDOW])

    def _feed(self, window: bytes) -> None:
        if 0 in window:
            # Python's parser also reads UTF-16 and UTF-32, where these bytes have other meanings.
            message = "The body is not JSON in UTF-8: it contains a zero byte."
            raise MalformedJson(message)
        structure = self._outside_strings(window).translate(None, NOT_STRUCTURE)
        opened = structure.count(b"[") + structure.count(b"{")
        self.values += opened + structure.count(b",")
        # Strings without separators are not JSON, but they take time too.
        if self.values > self.max_values or self.quotes > 4 * self.max_values:
            raise too_complex(f"{self.max_values} values")
        open_ = self.open
        for byte in structure:
            if byte == COMMA:
                open_[-1] += 1
                if open_[-1] >= MAX_KEYS:
                    raise too_complex(f"{MAX_KEYS} keys in one object")
            elif byte in {OPEN_LIST, OPEN_OBJECT}:
                open_.append(ARRAY if byte == OPEN_LIST else 0)
                if len(open_) > MAX_DEPTH + 1:
                    raise too_complex(f"{MAX_DEPTH} levels")
            elif len(open_) > 1:
                open_.pop()
            else:
                message = "The body is not JSON: a bracket closes that none has opened."
                raise MalformedJson(message)

    def _outside_strings(self, window: bytes) -> bytes:
        if self.escaping:
            window = b"\\" + window
        window = window.replace(b"\\\\", b"")
        self.escaping = window.endswith(b"\\")
        parts = window.replace(b'\\"', b"").split(b'"')
        inside = self.quotes % 2
        self.quotes += len(parts) - 1
        return b"".join(parts[inside::2])


def too_complex(limit: str) -> BodyTooComplex:
    """Name the limit that a body exceeds."""
    return BodyTooComplex(f"The body has more than {limit}.")
