"""Languages: what was asked for, else what is liked best, else English."""

import pytest
from starlette.testclient import TestClient

from api.core.errors import InvalidRequest
from api.http.languages import choose_language, negotiate

AVAILABLE = ("en", "es")


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("es", "es"),
        ("es-MX", "es"),
        ("es_MX, en;q=0.5", "es"),
        ("ES-mx", "es"),
        ("es-419,es;q=0.9,en;q=0.8", "es"),
        ("en;q=0.5, es;q=0.9", "es"),
        ("fr", "en"),
        ("fr, es;q=0.1", "es"),
        ("de-CH, fr;q=0.9", "en"),
        ("*", "en"),
        ("es;q=0", "en"),
        (";;;,,,q=", "en"),
    ],
)
def test_the_best_liked_of_what_there_is_is_served(accepted: str, language: str) -> None:
    assert negotiate(accepted, AVAILABLE) == language


@pytest.mark.parametrize(
    ("asked", "language"),
    [("es", "es"), ("es-MX", "es"), ("es_MX", "es"), ("ES", "es"), ("en-GB", "en")],
)
def test_the_requested_language_takes_precedence_over_accept_language(
    asked: str, language: str
) -> None:
    assert choose_language(asked, "en" if language == "es" else "es", AVAILABLE) == language


@pytest.mark.parametrize("asked", ["fr", "e", "spanish", "esperanto-x"])
def test_an_unknown_language_is_rejected_with_the_available_ones(asked: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        choose_language(asked, "es", AVAILABLE)
    (fault,) = refused.value.faults
    assert (fault.pointer, fault.code) == ("/query/lang", "unknown_language")
    assert "en, es" in fault.message


def test_a_response_has_its_language_and_varies_by_accept_language(
    content_client: TestClient,
) -> None:
    response = content_client.get("/v1/warnings", headers={"Accept-Language": "es-MX"})
    assert response.headers["Content-Language"] == "es"
    assert response.headers["Vary"] == "Accept-Language, Accept-Encoding"


@pytest.mark.parametrize("asked", ["fr", "x", "english", "a" * 40, "", "?", "\x00", "ＥＮ"])
def test_an_unavailable_lang_is_rejected_with_the_available_ones(
    content_client: TestClient, asked: str
) -> None:
    response = content_client.get("/v1/exercises", params={"lang": asked})
    assert response.status_code == 422
    (fault,) = response.json()["errors"]
    assert (fault["pointer"], fault["code"]) == ("/query/lang", "unknown_language")
    assert fault["message"].endswith("Available: en, es.")


def test_an_endless_header_is_rejected_and_not_parsed(content_client: TestClient) -> None:
    response = content_client.get("/v1/exercises", headers={"Accept-Language": "es," * 1000})
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/header/accept-language"
