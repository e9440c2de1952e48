"""What the OpenAPI document says of every call alike: notes, problems and headers."""

from typing import Any

Json = dict[str, Any]
NOTES = """
How to read this document:

- Every field of an answer is always present, and null where it is empty. Clients ignore fields they
  do not know: answers may gain some.
- Enums may grow inside `v1`. Each says what an unknown value means; let your generator read one
  as such (`enumUnknownDefaultCase` of openapi-generator).
- Times are RFC 3339; answers always have the form `2026-11-22T10:00:00Z`.
- Errors are problem documents (RFC 9457). Act on `code`; `errors[].pointer` says what and where.
- The examples were recorded from the app. Lists in them are cut to one entry, and hashes, tokens
  and ids that the server makes are replaced.
"""
SERVERS = [
    {
        "url": "/",
        "description": "The server this document came from: production, staging or local.",
        "x-internal": False,
    }
]
ALWAYS = (429, 500, 503)
DESCRIPTIONS = {
    401: "No token, or one that is not valid.",
    403: "A token of the wrong kind or without the required scope, or a withdrawn consent.",
    404: "It does not exist, or belongs to another participant.",
    406: "`Accept` asks for a media type that this endpoint does not support.",
    409: "The same id was used for other content.",
    410: "The participant was erased, from this device or another one.",
    412: "It was changed since you read it; read it again.",
    413: "The body is too large.",
    415: "The body is not application/json, or it is compressed.",
    422: "Something in the request is not as described here.",
    429: "Too many requests; `Retry-After` says when to try again.",
    500: "A fault of ours; nothing was stored.",
    503: "Something we need is away; send the same again after `Retry-After` seconds.",
}
STORED_BEFORE = "Stored before: the first answer again."
SUCCESS = {"200": "The answer.", "201": "Stored.", "202": "Taken.", "204": "Done."}


def header(description: str, example: str) -> Json:
    """Describe a header of text."""
    schema = {"type": "string", "maxLength": 200, "examples": [example]}
    return {"description": description, "schema": schema}


HEADERS = {
    "Access-Control-Allow-Origin": header(
        "Only where the operator lets in web pages of other origins; apps do without.",
        "https://app.example.org",
    ),
    "Accept-Encoding": header("How a body may be sent, where it came compressed.", "identity"),
    "Cache-Control": header("How long the answer may be kept.", "public, max-age=3600"),
    "Content-Language": header("The language of the answer's texts.", "en"),
    "ETag": header("Strong; one for each content coding.", '"5d41402abc4b2a76b9719d911017c592.br"'),
    "Location": header(
        "Where to read it, if it can be read.", "/v1/sessions/01939d6e-7a5b-7c3e-8f10-2b6d5c4e3a21"
    ),
    "RateLimit": header(
        "The remaining budget, by the IETF draft on RateLimit header fields; only where limited.",
        '"participant";r=599;t=60',
    ),
    "RateLimit-Policy": header("The limit itself.", '"participant";q=600;w=60'),
    "Retry-After": {
        "description": "Seconds to wait.",
        "schema": {
            "type": "integer",
            "format": "int32",
            "minimum": 0,
            "maximum": 86400,
            "examples": [2],
        },
    },
    "Vary": header("What the answer depends on.", "Accept-Language, Accept-Encoding"),
    "WWW-Authenticate": header("How to authenticate.", 'Bearer realm="footing"'),
    "X-Request-ID": header(
        "The request's id: yours if it was well formed. Our logs know it.",
        "01939d6e7a5b7c3e8f102b6d5c4e3a21",
    ),
}
# Written only of calls that an operator deprecates.
DEPRECATION_HEADERS = {
    "Deprecation": header("Since when the call is deprecated (RFC 9745).", "@1767225600"),
    "Sunset": header("When it ends (RFC 8594).", "Thu, 31 Dec 2026 00:00:00 GMT"),
    "Link": header("What to do instead.", '<https://example.org>; rel="deprecation"'),
}
CONTENT_HEADERS = ("ETag", "Cache-Control", "Vary")
LIMIT_HEADERS = ("RateLimit", "RateLimit-Policy")
PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" role="img"><title>Toe curls</title></svg>'
IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of the answer you have, in whichever coding: 304 if it is still so.",
    "schema": {
        "type": "string",
        "maxLength": 500,
        "examples": [HEADERS["ETag"]["schema"]["examples"][0]],
    },
}
