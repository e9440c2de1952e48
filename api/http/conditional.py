"""Prepared bodies, and the choice of a response by the headers of a request.

A body is compressed once, when its release is stored. Each content encoding has its own strong
ETag, `"<hash of the identity bytes>.<encoding>"`; any of them matches any encoding of the body.
"""

import gzip
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import brotli
import zstandard
from starlette.requests import Request
from starlette.responses import Response
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header, parse_etags

from api.core.canonical import sha256
from api.core.errors import PreconditionFailed
from api.http.caching import cached_if_short

IDENTITY = "identity"
# Best first, if a client prefers none of them.
ENCODINGS = ("br", "zstd", "gzip")
JSON = "application/json"
# Suffixes that compressing proxies append to a tag.
ADDED_CODING = re.compile(r"(?:--?|;)(?:gzip|br|zstd|deflate)$")


@dataclass(frozen=True, slots=True)
class Body:
    """The bytes of a response, in every content encoding that makes them smaller."""

    media_type: str
    language: str | None
    tag: str
    encodings: Mapping[str, bytes]


def compress(data: bytes, *, quick: bool = False) -> dict[str, bytes]:
    """Return the bytes unencoded, and in every content encoding that makes them smaller.

    `quick` is for responses that are compressed during the request.
    """
    packed = {
        "br": brotli.compress(data, quality=5 if quick else 11),
        "zstd": zstandard.ZstdCompressor(level=6 if quick else 19).compress(data),
        # No timestamp: the same bytes must give the same release on every machine.
        "gzip": gzip.compress(data, compresslevel=6 if quick else 9, mtime=0),
    }
    smaller = {
        encoding: packed[encoding] for encoding in ENCODINGS if len(packed[encoding]) < len(data)
    }
    return {IDENTITY: data, **smaller}


def make_body(
    data: bytes,
    *,
    media_type: str = JSON,
    language: str | None = None,
    tag: str | None = None,
    quick: bool = False,
    before: Body | None = None,
) -> Body:
    """Prepare a body; `tag` replaces the hash of the bytes as the stem of the ETag.

    `before` is the body it replaces: identical bytes are not compressed again.
    """
    if before is not None and before.encodings[IDENTITY] == data:
        encodings = before.encodings
    else:
        encodings = MappingProxyType(compress(data, quick=quick))
    return Body(media_type, language, tag or sha256(data)[:32], encodings)


@cached_if_short
def choose_encoding(accept_encoding: str, available: tuple[str, ...]) -> str:
    """Choose the content encoding that the client prefers (RFC 9110, 12.5.3)."""
    accepted = parse_accept_header(accept_encoding, Accept)
    best = IDENTITY
    best_quality = accepted.quality(IDENTITY) if IDENTITY in accepted.values() else 0.0
    for encoding in ENCODINGS:
        if encoding in available and accepted.quality(encoding) > best_quality:
            best, best_quality = encoding, accepted.quality(encoding)
    return best


@cached_if_short
def matches(if_none_match: str, tag: str) -> bool:
    """Return whether the client already has this body, in any content encoding."""
    etags = parse_etags(if_none_match)
    if etags.star_tag:
        return True
    return any(
        etag.rpartition(".")[0] == tag
        for etag in (*etags.as_set(), *etags._weak)  # noqa: SLF001
    )


def _names(header: str, tag: str) -> bool:
    """Return whether a header names a version, also if a compressing proxy has changed the tag.

    nginx makes it weak, Apache and others append the encoding. Each version has its own tag here,
    so that a weak one still identifies the version.
    """
    etags = parse_etags(header)
    seen = (*etags.as_set(), *etags._weak)  # noqa: SLF001
    return etags.star_tag or any(ADDED_CODING.sub("", each) == tag for each in seen)


def require_current(
    tag: str | None, *, if_match: str | None = None, if_none_match: str | None = None
) -> None:
    """Reject a change of a version that the client has not read (RFC 9110, 13.1).

    `tag` is None if the resource does not exist.
    """
    met = True
    if if_match is not None:
        met = tag is not None and _names(if_match, tag)
    if if_none_match is not None and tag is not None:
        met = met and not _names(if_none_match, tag)
    if not met:
        message = "It was changed since you read it. Read it again, then repeat your change."
        headers = {} if tag is None else {"ETag": f'"{tag}"'}
        raise PreconditionFailed(message, headers=headers)


def respond(
    request: Request,
    body: Body,
    *,
    max_age: int,
    immutable: bool = False,
    private: bool = False,
    negotiated: bool = False,
    more: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    """Respond with a prepared body, or with 304 if the client has it.

    `negotiated`: the endpoint offers several media types; `more`: further headers.
    """
    headers = request.headers
    encoding = choose_encoding(headers.get("accept-encoding", ""), tuple(body.encodings))
    vary = "Accept-Encoding" if body.language is None else "Accept-Language, Accept-Encoding"
    if negotiated:
        vary = f"Accept, {vary}"
    kept_by = "private" if private else "public"
    cache = f"{kept_by}, max-age={max_age}" + (", immutable" if immutable else "")
    sent = {"ETag": f'"{body.tag}.{encoding}"', "Vary": vary, "Cache-Control": cache} | dict(more)
    if body.language is not None:
        sent["Content-Language"] = body.language
    if_none_match = headers.get("if-none-match")
    if if_none_match is not None and matches(if_none_match, body.tag):
        return Response(status_code=304, headers=sent)
    if encoding != IDENTITY:
        sent["Content-Encoding"] = encoding
    return Response(body.encodings[encoding], headers=sent, media_type=body.media_type)
