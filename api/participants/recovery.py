"""Recovery codes: how somebody who gave no name gets back to what is theirs. Pure.

Crockford's base32: a locator of 40 bits to look it up by, a secret of 110 bits, and a check symbol
that catches any single wrong character and any two that changed places. It is read back whatever
its case and its hyphens, with O for 0 and I or L for 1.
"""

import re
import secrets
from dataclasses import dataclass

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CHECK_ALPHABET = ALPHABET + "*~$=U"
LOCATOR_LENGTH = 8
SECRET_LENGTH = 22
GROUP = 5
MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1"})
SEPARATORS = re.compile(r"[\s-]+")
CODE = re.compile(
    rf"^([{ALPHABET}]{{{LOCATOR_LENGTH}}})([{ALPHABET}]{{{SECRET_LENGTH}}})"
    rf"([{re.escape(CHECK_ALPHABET)}])$"
)


@dataclass(frozen=True)
class RecoveryCode:
    """What a recovery code says."""

    locator: str
    secret: str

    def __str__(self) -> str:
        text = self.locator + self.secret + check_symbol(self.locator + self.secret)
        return "-".join(text[at : at + GROUP] for at in range(0, len(text), GROUP))


def check_symbol(text: str) -> str:
    """Return Crockford's check symbol: the number that the text stands for, modulo 37."""
    number = 0
    for symbol in text:
        number = number * len(ALPHABET) + ALPHABET.index(symbol)
    return CHECK_ALPHABET[number % len(CHECK_ALPHABET)]


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def make_recovery_code() -> RecoveryCode:
    """Make a new code."""
    return RecoveryCode(_random(LOCATOR_LENGTH), _random(SECRET_LENGTH))


def read_recovery_code(text: str) -> RecoveryCode | None:
    """Read a code as somebody typed it; None where a character is missing or wrong."""
    match = CODE.match(SEPARATORS.sub("", text.upper()).translate(MISREAD))
    if match is None or check_symbol(match[1] + match[2]) != match[3]:
        return None
    return RecoveryCode(match[1], match[2])
