"""The media type of a response: the endpoint's best one that the client accepts."""

from starlette.requests import Request
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from api.core.errors import NotAcceptable


def choose_media_type(request: Request, available: tuple[str, ...]) -> str:
    """Choose the media type of a response: the first one, unless the client prefers another."""
    accept = request.headers.get("accept", "").strip()
    if not accept:
        return available[0]
    # Parameters such as `fhirVersion` and `charset` do not distinguish our media types.
    accepted = [
        (wish.partition(";")[0].strip(), quality)
        for wish, quality in parse_accept_header(accept, MIMEAccept)
    ]
    best = MIMEAccept(accepted).best_match(available)
    if best is None:
        message = f"Available media types: {', '.join(available)}. Accept allows none of them."
        raise NotAcceptable(message)
    return best
