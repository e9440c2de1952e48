"""Which media type an answer is in: the best of those a call speaks that the client takes."""

from starlette.requests import Request
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from api.core.errors import NotAcceptable


def choose_media_type(request: Request, available: tuple[str, ...]) -> str:
    """Pick the media type to answer in; without a wish, or where all are alike, it is the first."""
    accept = request.headers.get("accept", "").strip()
    if not accept:
        return available[0]
    # Parameters such as `fhirVersion` and `charset` don't tell one answer of ours from another.
    accepted = [
        (wish.partition(";")[0].strip(), quality)
        for wish, quality in parse_accept_header(accept, MIMEAccept)
    ]
    best = MIMEAccept(accepted).best_match(available)
    if best is None:
        message = f"Available media types: {', '.join(available)}. Accept allows none of them."
        raise NotAcceptable(message)
    return best
