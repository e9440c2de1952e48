"""Recovery codes: how a pseudonymous participant regains access to their data. Pure.

Crockford's base32: a locator of 40 bits for the look-up, a secret of 110 bits, and a check symbol
that detects any single wrong character and any transposition of two. It is accepted in any case and
typography, with O for 0 and I or L for 1.
"""

import re
import secrets
import unicodedata
from dataclasses import dataclass

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CHECK_ALPHABET = ALPHABET + "*~$=U"
LOCATOR_LENGTH = 8
SECRET_LENGTH = 22
GROUP = 5
MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1"})
# Replacements that keyboards and text fields make for two of the check symbols.
LOOKALIKES = str.maketrans(dict.fromkeys("\u02dc\u223c\u301c", "~") | {"\u2217": "*"})
CODE = re.compile(
    rf"([{ALPHABET}]{{{LOCATOR_LENGTH}}})([{ALPHABET}]{{{SECRET_LENGTH}}})"
    rf"([{re.escape(CHECK_ALPHABET)}])"
)


@dataclass(frozen=True)
class RecoveryCode:
    """The parts of a recovery code."""

    locator: str
    secret: str

    def __str__(self) -> str:
        text = self.locator + self.secret + check_symbol(self.locator + self.secret)
        return "-".join(text[at : at + GROUP] for at in range(0, len(text), GROUP))


def check_symbol(text: str) -> str:
    """Return Crockford's check symbol: the number that the text encodes, modulo 37."""
    number = 0
    for symbol in text:
        number = number * len(ALPHABET) + ALPHABET.index(symbol)
    return CHECK_ALPHABET[number % len(CHECK_ALPHABET)]


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def make_recovery_code() -> RecoveryCode:
    """Generate a code."""
    return RecoveryCode(_random(LOCATOR_LENGTH), _random(SECRET_LENGTH))


def _typed(text: str) -> str:
    """Normalise a typed code.

    Full-width letters and digits of any script become plain ones. Everything else is removed:
    dashes of any kind, spaces, quotes, full stops, and invisible characters.
    """
    plain = unicodedata.normalize("NFKC", text.translate(LOOKALIKES)).upper()
    digits = (str(unicodedata.decimal(each, each)) for each in plain)
    return "".join(each for each in digits if each.isalnum() or each in CHECK_ALPHABET)


def read_recovery_code(text: str) -> RecoveryCode | None:
    """Parse a typed code; None if a character is missing or wrong."""
    match = CODE.fullmatch(_typed(text).translate(MISREAD))
    if match is None or check_symbol(match[1] + match[2]) != match[3]:
        return None
    return RecoveryCode(match[1], match[2])
