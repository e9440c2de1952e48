"""Conditional requests: a client downloads once, in the smallest encoding it accepts."""

import gzip

import brotli
import pytest
import zstandard
from starlette.testclient import TestClient

from api.core.errors import PreconditionFailed
from api.http.conditional import choose_encoding, compress, make_body, matches, require_current

ALL = ("identity", "br", "zstd", "gzip")


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("", "identity"),
        ("identity", "identity"),
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, zstd", "zstd"),
        ("br;q=0.1, gzip;q=0.9", "gzip"),
        ("gzip;q=0", "identity"),
        ("br;q=0, gzip;q=0, zstd;q=0", "identity"),
        ("*", "br"),
        ("*;q=0", "identity"),
        ("deflate", "identity"),
        ("GZIP", "gzip"),
        ("identity;q=1, gzip;q=0.5", "identity"),
        (";;;,,,q=", "identity"),
    ],
)
def test_the_coding_is_the_one_the_client_likes_best(accepted: str, encoding: str) -> None:
    assert choose_encoding(accepted, ALL) == encoding


def test_a_coding_that_was_not_made_is_not_chosen() -> None:
    assert choose_encoding("br, gzip", ("identity", "gzip")) == "gzip"
    assert choose_encoding("br", ("identity",)) == "identity"


def test_a_body_that_grows_when_compressed_is_kept_as_it_is() -> None:
    assert set(compress(b"x")) == {"identity"}
    assert set(compress(b"x" * 1000)) == set(ALL)


def test_the_same_bytes_are_packed_alike_at_any_time() -> None:
    assert compress(b"abc" * 500) == compress(b"abc" * 500)


@pytest.mark.parametrize(
    ("sent", "held"),
    [
        ('"{tag}.br"', True),
        ('"{tag}.gzip"', True),
        ('"{tag}.identity"', True),
        ('W/"{tag}.br"', True),
        ('"other.br", "{tag}.zstd"', True),
        # What proxies that compress make of them.
        ('W/"{tag}.identity"', True),
        ('"{tag}.identity-gzip"', True),
        ('"{tag}.identity;gzip"', True),
        ("*", True),
        ('"{tag}"', False),
        ('"other.br"', False),
        ('"{tag}x.br"', False),
        ("", False),
        ("nonsense", False),
    ],
)
def test_any_coding_of_the_same_body_counts_as_held(sent: str, *, held: bool) -> None:
    body = make_body(b"hello")
    assert matches(sent.format(tag=body.tag), body.tag) is held


UNPACK = {
    "br": brotli.decompress,
    "gzip": gzip.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompress(data),
    "identity": bytes,
}


@pytest.mark.parametrize("path", ["/v1/exercises", "/v1/content", "/v1/triage/rule-set", "/docs"])
def test_every_coding_unpacks_to_the_same_bytes_and_has_its_own_tag(
    content_client: TestClient, path: str
) -> None:
    plain = content_client.get(path, headers={"Accept-Encoding": "identity"})
    tags = set()
    for encoding, unpack in UNPACK.items():
        with content_client.stream("GET", path, headers={"Accept-Encoding": encoding}) as response:
            raw = b"".join(response.iter_raw())
        if encoding == "identity":
            assert "Content-Encoding" not in response.headers
        else:
            assert response.headers["Content-Encoding"] == encoding
            assert len(raw) < len(plain.content)
        assert unpack(raw) == plain.content
        assert response.headers["ETag"].endswith(f'.{encoding}"')
        assert "Accept-Encoding" in response.headers["Vary"]
        tags.add(response.headers["ETag"])
    assert len(tags) == len(UNPACK)


def test_what_the_client_has_is_not_sent_again_in_whichever_coding(
    content_client: TestClient,
) -> None:
    first = content_client.get("/v1/exercises", headers={"Accept-Encoding": "gzip"})
    again = content_client.get(
        "/v1/exercises",
        headers={"Accept-Encoding": "br", "If-None-Match": first.headers["ETag"]},
    )
    assert again.status_code == 304
    assert again.content == b""
    stem = first.headers["ETag"].rpartition(".")[0]
    assert again.headers["ETag"] == f'{stem}.br"'
    for name in ("Vary", "Cache-Control", "Content-Language"):
        assert again.headers[name] == first.headers[name]


def test_the_same_content_in_another_language_is_another_body(content_client: TestClient) -> None:
    english = content_client.get("/v1/exercises", params={"lang": "en"})
    spanish = content_client.get(
        "/v1/exercises", params={"lang": "es"}, headers={"If-None-Match": english.headers["ETag"]}
    )
    assert spanish.status_code == 200
    assert spanish.headers["ETag"] != english.headers["ETag"]


def test_a_compressed_response_has_its_own_length(content_client: TestClient) -> None:
    for encoding in UNPACK:
        headers = {"Accept-Encoding": encoding}
        with content_client.stream("GET", "/v1/warnings", headers=headers) as response:
            raw = b"".join(response.iter_raw())
        assert response.headers["Content-Length"] == str(len(raw))


@pytest.mark.parametrize(
    ("tag", "if_match", "if_none_match"),
    [
        (None, None, None),
        ("3", None, None),
        ("3", '"3"', None),
        ("3", '"2", "3"', None),
        ("3", "*", None),
        # As nginx, Apache, Jetty and others write the tag of what they compressed on the way.
        ("3", 'W/"3"', None),
        ("3", '"3-gzip"', None),
        ("3", '"3-br"', None),
        ("3", '"3--gzip"', None),
        ("3", '"3;gzip"', None),
        ("3", 'W/"3-zstd"', None),
        ("3", '"2", W/"3"', None),
        ("3", None, 'W/"2"'),
        ("3", None, '"2-gzip"'),
        (None, None, "*"),
        (None, None, '"3"'),
        ("3", None, '"2"'),
    ],
)
def test_a_change_of_what_the_client_has_seen_is_let_through(
    tag: str | None, if_match: str | None, if_none_match: str | None
) -> None:
    require_current(tag, if_match=if_match, if_none_match=if_none_match)


@pytest.mark.parametrize(
    ("tag", "if_match", "if_none_match"),
    [
        (None, '"3"', None),
        (None, "*", None),
        ("3", '"2"', None),
        ("3", 'W/"2"', None),
        ("3", '"3-x"', None),
        ("3", '"3gzip"', None),
        ("3", '"2-gzip"', None),
        ("3", '"gzip"', None),
        ("3", "", None),
        ("3", None, "*"),
        ("3", None, '"3"'),
        ("3", None, 'W/"3"'),
        ("3", None, '"3-gzip"'),
        ("3", '"3"', "*"),
    ],
)
def test_a_change_of_anything_else_is_refused_with_what_there_is(
    tag: str | None, if_match: str | None, if_none_match: str | None
) -> None:
    with pytest.raises(PreconditionFailed) as refused:
        require_current(tag, if_match=if_match, if_none_match=if_none_match)
    assert refused.value.headers == ({} if tag is None else {"ETag": f'"{tag}"'})
