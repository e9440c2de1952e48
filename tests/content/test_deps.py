"""The language of a response: as requested, else as the device prefers, else English."""

import pytest
from starlette.testclient import TestClient

TITLES = {"en": "Toe curls", "es": "Flexión de los dedos con una toalla"}


def language_of(client: TestClient, accept_language: str | None, lang: str | None = None) -> str:
    response = client.get(
        "/v1/exercises/toe-curls",
        headers={} if accept_language is None else {"Accept-Language": accept_language},
        params={} if lang is None else {"lang": lang},
    )
    assert response.status_code == 200
    language: str = response.headers["Content-Language"]
    assert response.json()["title"] == TITLES[language]
    return language


@pytest.mark.parametrize(
    ("accept_language", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("en", "en"),
        ("es", "es"),
        ("ES", "es"),
        ("es-MX", "es"),
        ("es-419,es;q=0.9,en;q=0.8", "es"),
        ("es-MX,en-US;q=0.9", "es"),
        ("es-MX,en;q=0.5", "es"),
        ("en;q=0.1, es-MX;q=0.9", "es"),
        ("en-GB,es;q=0.5", "en"),
        ("de-DE,es-ES;q=0.5", "es"),
        ("fr", "en"),
        ("fr, es;q=0.3", "es"),
        ("es;q=0", "en"),
        ("en;q=0, es-MX", "es"),
        ("*", "en"),
        ("zh-Hans-CN", "en"),
        ("not a language;;q=x", "en"),
    ],
)
def test_a_response_is_in_the_language_that_the_device_prefers(
    content_client: TestClient, accept_language: str | None, language: str
) -> None:
    assert language_of(content_client, accept_language) == language


@pytest.mark.parametrize(
    ("lang", "language"), [("es", "es"), ("es-MX", "es"), ("ES", "es"), ("en-GB", "en")]
)
def test_a_requested_language_comes_before_the_preferred_one(
    content_client: TestClient, lang: str, language: str
) -> None:
    other = "en" if language == "es" else "es"
    assert language_of(content_client, other, lang) == language


@pytest.mark.parametrize(
    "path", ["/v1/exercises", "/v1/exercises/toe-curls", "/v1/content", "/v1/warnings"]
)
def test_an_unknown_language_is_rejected_with_the_available_ones(
    content_client: TestClient, path: str
) -> None:
    response = content_client.get(path, params={"lang": "fr"})
    assert response.status_code == 422
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["errors"] == [
        {
            "pointer": "/query/lang",
            "code": "unknown_language",
            "message": "Unknown language. Available: en, es.",
        }
    ]


@pytest.mark.parametrize("lang", ["", "e", "español", "../en", "e" * 36])
def test_a_malformed_language_is_rejected(content_client: TestClient, lang: str) -> None:
    response = content_client.get("/v1/exercises", params={"lang": lang})
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == ["/query/lang"]
