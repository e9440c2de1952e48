"""Parts of the OpenAPI document that all endpoints share: notes, problems and headers."""

from typing import Any

Json = dict[str, Any]
NOTES = """
How to read this document:

- Every field of a response is always present, and null if it is empty. Clients ignore unknown
  fields: responses may gain some.
- Enums may grow within `v1`. Each documents how to treat an unknown value; configure your generator
  to accept one (`enumUnknownDefaultCase` of openapi-generator).
- Times are RFC 3339; responses always have the form `2026-11-22T10:00:00Z`.
- Errors are problem documents (RFC 9457). Act on `code`; `errors[].pointer` refers to the fault.
- The examples were recorded from the app. Lists are shortened to one entry, and generated hashes,
  tokens and ids are replaced.
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
    429: "Too many requests; retry after `Retry-After` seconds.",
    500: "A fault of ours; nothing was stored.",
    503: "Temporarily unavailable; retry after `Retry-After` seconds.",
}
STORED_BEFORE = "Already stored: the first response again."
SUCCESS = {"200": "The response.", "201": "Stored.", "202": "Taken.", "204": "Done."}


def header(description: str, example: str) -> Json:
    """Describe a header of text."""
    schema = {"type": "string", "maxLength": 200, "examples": [example]}
    return {"description": description, "schema": schema}


HEADERS = {
    "Access-Control-Allow-Origin": header(
        "Only if the operator allows web pages of other origins; not needed by apps.",
        "https://app.example.org",
    ),
    "Accept-Encoding": header(
        "The accepted content encoding of a body, if it was sent compressed.", "identity"
    ),
    "Cache-Control": header("How long the response may be cached.", "public, max-age=3600"),
    "Content-Language": header("The language of the texts in the response.", "en"),
    "ETag": header(
        "Strong; one for each content encoding.", '"5d41402abc4b2a76b9719d911017c592.br"'
    ),
    "Location": header(
        "The URL of the resource, if it can be read.",
        "/v1/sessions/01939d6e-7a5b-7c3e-8f10-2b6d5c4e3a21",
    ),
    "RateLimit": header(
        "The remaining budget (IETF draft on RateLimit header fields); only on limited endpoints.",
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
    "Vary": header(
        "The request headers that the response depends on.", "Accept-Language, Accept-Encoding"
    ),
    "WWW-Authenticate": header("How to authenticate.", 'Bearer realm="footing"'),
    "X-Request-ID": header(
        "The request's id: yours if it was well formed. Our logs know it.",
        "01939d6e7a5b7c3e8f102b6d5c4e3a21",
    ),
}
# Only for endpoints that an operator deprecates.
DEPRECATION_HEADERS = {
    "Deprecation": header("Since when the endpoint is deprecated (RFC 9745).", "@1767225600"),
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
    "description": "The ETag of your copy, in any content encoding: 304 if it is unchanged.",
    "schema": {
        "type": "string",
        "maxLength": 500,
        "examples": [HEADERS["ETag"]["schema"]["examples"][0]],
    },
}
