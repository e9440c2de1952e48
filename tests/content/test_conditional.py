"""Content is sent in the encoding a client prefers, and again only when it has changed."""

import gzip
from collections.abc import Callable

import brotli
import pytest
import zstandard
from starlette.testclient import TestClient

from api.content.release import ServedRelease

DECODE: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompress(data),
}
PATHS = (
    "/v1/exercises",
    "/v1/exercises/toe-curls",
    "/v1/massages",
    "/v1/massages/heel-massage",
    "/v1/warnings",
    "/v1/warnings/radiating-pain",
    "/v1/routines",
    "/v1/routines/daily-15-minutes",
    "/v1/tips",
    "/v1/benefits",
    "/v1/sources",
    "/v1/consents",
    "/v1/content",
    "/v1/exercises?equipment=towel",
    "/v1/sources?limit=7",
)
LANGUAGE_FREE = ("/v1/triage/rule-set",)
ROUTINE = "/v1/routines/daily-15-minutes"


def drawing(client: TestClient) -> str:
    url: str = client.get("/v1/exercises/toe-curls").json()["media"][0]["url"]
    return url


def raw(client: TestClient, path: str, accept_encoding: str) -> tuple[dict[str, str], bytes]:
    """Get the headers of a response, and its body without decoding."""
    with client.stream("GET", path, headers={"Accept-Encoding": accept_encoding}) as response:
        assert response.status_code == 200
        return dict(response.headers), b"".join(response.iter_raw())


@pytest.mark.parametrize("encoding", DECODE)
@pytest.mark.parametrize("path", [*PATHS, *LANGUAGE_FREE])
def test_each_encoding_decodes_to_the_same_response(
    content_client: TestClient, path: str, encoding: str
) -> None:
    headers, packed = raw(content_client, path, encoding)
    plain_headers, plain = raw(content_client, path, "")
    assert headers["content-encoding"] == encoding
    assert "content-encoding" not in plain_headers
    assert len(packed) < len(plain)
    assert DECODE[encoding](packed) == plain
    assert int(headers["content-length"]) == len(packed)


@pytest.mark.parametrize("encoding", DECODE)
def test_a_drawing_is_compressed_too(content_client: TestClient, encoding: str) -> None:
    path = drawing(content_client)
    _, packed = raw(content_client, path, encoding)
    _, plain = raw(content_client, path, "")
    assert DECODE[encoding](packed) == plain


def test_every_body_of_a_release_decodes_to_itself(content_client: TestClient) -> None:
    bodies = content_client.app.state.context.part(ServedRelease).now.bodies  # type: ignore[attr-defined]
    assert len(bodies) > 300
    for body in bodies.values():
        plain = body.encodings["identity"]
        for encoding in body.encodings.keys() - {"identity"}:
            assert DECODE[encoding](body.encodings[encoding]) == plain


@pytest.mark.parametrize("path", PATHS)
def test_each_encoding_has_its_own_strong_etag(content_client: TestClient, path: str) -> None:
    etags = {
        encoding: raw(content_client, path, encoding)[0]["etag"]
        for encoding in ("", "gzip", "br", "zstd")
    }
    stem = etags[""].removesuffix('.identity"')
    assert stem.startswith('"')
    assert len(stem) == 33
    assert etags == {
        "": f'{stem}.identity"',
        "gzip": f'{stem}.gzip"',
        "br": f'{stem}.br"',
        "zstd": f'{stem}.zstd"',
    }


@pytest.mark.parametrize(
    ("accept_encoding", "encoding"),
    [
        ("", None),
        ("identity", None),
        ("deflate", None),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, zstd", "zstd"),
        ("gzip;q=1, br;q=0.5", "gzip"),
        ("br;q=0.2, zstd;q=0.3, gzip;q=0.1", "zstd"),
        ("br;q=0, gzip", "gzip"),
        ("br;q=0", None),
        ("*", "br"),
        ("*;q=0.5, br;q=0", "zstd"),
        ("*;q=0", None),
        ("identity, gzip;q=0.5", None),
        ("gzip;q=0.5, identity;q=0.1", "gzip"),
        ("gzip;q=banana", None),
        (";;,,", None),
    ],
)
def test_the_encoding_is_the_one_that_the_client_prefers(
    content_client: TestClient, accept_encoding: str, encoding: str | None
) -> None:
    headers, _ = raw(content_client, ROUTINE, accept_encoding)
    assert headers.get("content-encoding") == encoding


def if_none_match(client: TestClient, value: str, path: str = ROUTINE) -> int:
    headers = {"If-None-Match": value, "Accept-Encoding": ""}
    status: int = client.get(path, headers=headers).status_code
    return status


@pytest.mark.parametrize("path", [*PATHS, *LANGUAGE_FREE])
def test_what_a_client_has_is_not_sent_again(content_client: TestClient, path: str) -> None:
    first, _ = raw(content_client, path, "br")
    headers = {"If-None-Match": first["etag"], "Accept-Encoding": "br"}
    again = content_client.get(path, headers=headers)
    assert again.status_code == 304
    assert again.content == b""
    assert "content-type" not in again.headers
    for name in ("etag", "vary", "cache-control", "content-language"):
        assert again.headers.get(name) == first.get(name)


@pytest.mark.parametrize("held", ["identity", "gzip", "br", "zstd"])
def test_an_etag_of_any_encoding_matches(content_client: TestClient, held: str) -> None:
    etag = raw(content_client, ROUTINE, "")[0]["etag"].replace("identity", held)
    assert if_none_match(content_client, etag) == 304
    assert if_none_match(content_client, f"W/{etag}") == 304
    assert if_none_match(content_client, f'"x.br", W/"y", {etag}') == 304


def test_a_star_matches_any_existing_resource(content_client: TestClient) -> None:
    assert if_none_match(content_client, "*") == 304


@pytest.mark.parametrize("value", ["", '"x"', '"x.identity"', 'W/"x.br"', "x", '"', ".identity"])
def test_another_etag_gets_the_whole_response(content_client: TestClient, value: str) -> None:
    assert if_none_match(content_client, value) == 200


def test_an_etag_of_another_language_or_resource_does_not_match(content_client: TestClient) -> None:
    english = raw(content_client, ROUTINE, "")[0]["etag"]
    assert if_none_match(content_client, english, f"{ROUTINE}?lang=es") == 200
    assert if_none_match(content_client, english, "/v1/routines/massage-only") == 200


def test_a_star_does_not_match_a_missing_resource(content_client: TestClient) -> None:
    assert if_none_match(content_client, "*", "/v1/routines/no-such") == 404


@pytest.mark.parametrize("path", [*PATHS, *LANGUAGE_FREE, "/v1/exercises/no-such"])
@pytest.mark.parametrize("encoding", ["", "br"])
def test_head_has_the_headers_of_get_and_no_body(
    content_client: TestClient, path: str, encoding: str
) -> None:
    asked = {"Accept-Encoding": encoding, "X-Request-ID": "the-same-id"}
    got = content_client.get(path, headers=asked)
    head = content_client.head(path, headers=asked)
    assert head.content == b""
    assert head.status_code == got.status_code
    assert dict(head.headers) == dict(got.headers)


def test_head_is_conditional_too(content_client: TestClient) -> None:
    etag = content_client.head(ROUTINE).headers["etag"]
    assert content_client.head(ROUTINE, headers={"If-None-Match": etag}).status_code == 304


@pytest.mark.parametrize("path", PATHS)
def test_vary_lists_what_a_response_depends_on(content_client: TestClient, path: str) -> None:
    headers = content_client.get(path).headers
    assert headers["vary"] == "Accept-Language, Accept-Encoding"
    assert headers["content-language"] == "en"
    assert headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("path", "seconds"),
    [
        ("/v1/exercises", 3600),
        ("/v1/sources", 3600),
        ("/v1/warnings", 60),
        ("/v1/warnings/radiating-pain", 60),
        ("/v1/consents", 60),
        ("/v1/content", 60),
        ("/v1/triage/rule-set", 60),
    ],
)
def test_warnings_are_cached_for_only_a_minute(
    content_client: TestClient, path: str, seconds: int
) -> None:
    cache_control = content_client.get(path).headers["cache-control"]
    assert cache_control == f"public, max-age={seconds}"


def test_a_drawing_may_be_cached_forever(content_client: TestClient) -> None:
    path = drawing(content_client)
    headers = content_client.get(path).headers
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert headers["vary"] == "Accept-Encoding"
    assert headers["content-type"] == "image/svg+xml"
    assert "content-language" not in headers
    again = content_client.get(path, headers={"If-None-Match": headers["etag"]})
    assert again.status_code == 304


def test_an_error_is_never_cached(content_client: TestClient) -> None:
    response = content_client.get("/v1/exercises/no-such")
    assert response.headers["cache-control"] == "no-store"
    assert "etag" not in response.headers
