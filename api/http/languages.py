"""The language of a response: `?lang=` first, then `Accept-Language`, then English."""

from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from api.core.errors import Fault, InvalidRequest
from api.http.caching import cached_if_short

DEFAULT = "en"


def _primary(tag: str) -> str:
    """Return the language of a tag without its region; some platforms write es-MX as `es_MX`."""
    return tag.lower().replace("_", "-").partition("-")[0]


@cached_if_short
def negotiate(accept_language: str, available: tuple[str, ...]) -> str:
    """Choose the best available language: `es` for `es-MX`, English without a match."""
    accepted = parse_accept_header(accept_language, LanguageAccept)
    # Regions are removed first: otherwise `en-GB, es;q=0.5` would give Spanish.
    primary = LanguageAccept([(_primary(tag), quality) for tag, quality in accepted])
    return primary.best_match(available, DEFAULT) or DEFAULT


def choose_language(asked: str | None, accept_language: str, available: tuple[str, ...]) -> str:
    """Return the language of the response; an unknown `?lang=` is rejected with a list."""
    if asked is None:
        return negotiate(accept_language, available)
    primary = _primary(asked)
    if primary in available:
        return primary
    known = ", ".join(available)
    message = f"Unknown language. Available: {known}."
    raise InvalidRequest(message, faults=[Fault("/query/lang", "unknown_language", message)])
