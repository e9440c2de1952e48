"""Content endpoints: lists and their entries, filters, pages, the bundle, and 404."""

import hashlib
import re
from typing import Any

import pytest
import rfc8785
from starlette.testclient import TestClient

from api.content.release import ServedRelease
from api.content.router import MAX_ASSEMBLED

Json = dict[str, Any]
LISTS = (
    "exercises",
    "massages",
    "warnings",
    "routines",
    "tips",
    "benefits",
    "sources",
    "consents",
)
SINGLE = ("exercises", "massages", "warnings", "routines")


def items(client: TestClient, path: str, **params: Any) -> list[Json]:
    """Get a complete list, which must have no next page."""
    page = client.get(path, params=params).json()
    assert page["next_cursor"] is None
    found: list[Json] = page["items"]
    return found


def ids(client: TestClient, path: str, **params: Any) -> list[str]:
    return [item["id"] for item in items(client, path, **params)]


@pytest.mark.parametrize("name", SINGLE)
@pytest.mark.parametrize("lang", ["en", "es"])
def test_each_entry_of_a_list_has_its_own_resource_with_the_same_content(
    content_client: TestClient, name: str, lang: str
) -> None:
    listed = items(content_client, f"/v1/{name}", lang=lang)
    assert listed
    for item in listed:
        assert content_client.get(f"/v1/{name}/{item['id']}", params={"lang": lang}).json() == item


def test_entries_of_the_article_come_first_in_its_order(content_client: TestClient) -> None:
    assert ids(content_client, "/v1/exercises") == ["toe-curls", "arch-rolls", "heel-raises"]
    assert ids(content_client, "/v1/massages") == [
        "heel-massage",
        "inner-edge-massage",
        "sore-spot-massage",
    ]
    assert ids(content_client, "/v1/warnings")[:3] == [
        "severe-or-persistent-pain",
        "radiating-pain",
        "numbness-or-tingling",
    ]
    assert ids(content_client, "/v1/routines") == [
        "daily-15-minutes",
        "exercises-only",
        "massage-only",
        "seated-only",
        "gentle-start",
    ]
    assert ids(content_client, "/v1/tips") == [
        "be-consistent",
        "pair-with-back-stretches",
        "use-essential-oils",
    ]
    assert ids(content_client, "/v1/benefits") == [
        "improves-posture",
        "releases-tension",
        "enhances-circulation",
    ]


@pytest.mark.parametrize(
    ("path", "filters", "found"),
    [
        ("exercises", {"equipment": "towel"}, ["toe-curls"]),
        ("exercises", {"equipment": "tennis_ball"}, ["arch-rolls"]),
        ("exercises", {"equipment": "foam_roller"}, ["arch-rolls"]),
        ("exercises", {"equipment": "chair"}, ["toe-curls", "arch-rolls", "heel-raises"]),
        ("exercises", {"equipment": "wall"}, ["heel-raises"]),
        ("exercises", {"equipment": "massage_tool"}, []),
        ("exercises", {"position": "seated"}, ["toe-curls", "arch-rolls"]),
        ("exercises", {"position": "standing"}, ["heel-raises"]),
        ("exercises", {"target": "foot_muscles"}, ["toe-curls", "heel-raises"]),
        ("exercises", {"target": "plantar_fascia"}, ["arch-rolls"]),
        ("exercises", {"target": "calf_muscles"}, ["heel-raises"]),
        ("exercises", {"target": "foot_muscles", "position": "seated"}, ["toe-curls"]),
        ("exercises", {"equipment": "towel", "position": "standing"}, []),
        ("massages", {"target": "heel"}, ["heel-massage"]),
        ("massages", {"target": "inner_edge"}, ["inner-edge-massage"]),
        ("massages", {"target": "sore_spot"}, ["sore-spot-massage"]),
        ("massages", {"equipment": "massage_tool"}, ["inner-edge-massage"]),
        ("massages", {"position": "standing"}, []),
    ],
)
def test_a_filter_selects_matching_entries(
    content_client: TestClient, path: str, filters: dict[str, str], found: list[str]
) -> None:
    assert ids(content_client, f"/v1/{path}", **filters) == found
    spanish = ids(content_client, f"/v1/{path}", lang="es", **filters)
    assert spanish == found


@pytest.mark.parametrize("path", ["/v1/exercises", "/v1/massages"])
@pytest.mark.parametrize("name", ["equipment", "position", "target"])
def test_an_unknown_filter_value_is_rejected_with_the_available_ones(
    content_client: TestClient, path: str, name: str
) -> None:
    response = content_client.get(path, params={name: "trampoline"})
    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert error["pointer"] == f"/query/{name}"
    assert error["code"] == "enum"
    known = {"equipment": "towel", "position": "seated", "target": "heel"}[name]
    assert f"'{known}'" in error["message"]


def walk(client: TestClient, path: str, limit: int, **params: Any) -> list[Json]:
    """Follow the cursors from the first page to the last."""
    found: list[Json] = []
    cursor: str | None = None
    while True:
        asked = params | {"limit": limit} | ({"cursor": cursor} if cursor else {})
        page = client.get(path, params=asked).json()
        assert len(page["items"]) <= limit
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


@pytest.mark.parametrize("name", LISTS)
def test_the_pages_of_a_list_add_up_to_the_list(content_client: TestClient, name: str) -> None:
    whole = walk(content_client, f"/v1/{name}", 200)
    for limit in (1, 2, 7, len(whole)):
        assert walk(content_client, f"/v1/{name}", limit) == whole


def test_a_page_has_fifty_entries_by_default(content_client: TestClient) -> None:
    first = content_client.get("/v1/sources").json()
    assert len(first["items"]) == 50
    assert first["next_cursor"] is not None
    whole = content_client.get("/v1/sources", params={"limit": 200}).json()
    assert len(whole["items"]) > 80
    assert whole["next_cursor"] is None


def test_a_filtered_list_is_paged_as_well(content_client: TestClient) -> None:
    whole = items(content_client, "/v1/exercises", position="seated")
    assert walk(content_client, "/v1/exercises", 1, position="seated") == whole


def cursor_after(client: TestClient, path: str, **params: Any) -> str:
    cursor: str = client.get(path, params={"limit": 1, **params}).json()["next_cursor"]
    return cursor


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "!!!", "WyJuby1zdWNoIl0", "e30", "W10", "WzFd", "WyJhIiwiYiJd", "bnVsbA", "é"],
)
def test_an_invalid_cursor_is_rejected(content_client: TestClient, cursor: str) -> None:
    response = content_client.get("/v1/exercises", params={"cursor": cursor})
    assert response.status_code == 422
    assert [(error["pointer"], error["code"]) for error in response.json()["errors"]] == [
        ("/query/cursor", "invalid_cursor")
    ]


def test_a_cursor_of_another_list_or_filter_is_rejected(content_client: TestClient) -> None:
    of_massages = cursor_after(content_client, "/v1/massages")
    assert content_client.get(f"/v1/exercises?cursor={of_massages}").status_code == 422
    seated = cursor_after(content_client, "/v1/exercises", position="seated")
    path = "/v1/exercises?position=standing"
    assert content_client.get(f"{path}&cursor={seated}").status_code == 422


@pytest.mark.parametrize("limit", ["0", "201", "-1", "many", "1.5", ""])
def test_a_limit_out_of_bounds_is_rejected(content_client: TestClient, limit: str) -> None:
    response = content_client.get("/v1/warnings", params={"limit": limit})
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == ["/query/limit"]


def test_requests_for_all_possible_pages_do_not_fill_the_memory(
    content_client: TestClient,
) -> None:
    pages = 0
    for lang in ("en", "es"):
        for limit in range(1, 41):
            pages += -(-len(walk(content_client, "/v1/sources", limit, lang=lang)) // limit)
    assert pages > MAX_ASSEMBLED
    kept = content_client.app.state.context.part(ServedRelease).now.assembled  # type: ignore[attr-defined]
    assert len(kept) == MAX_ASSEMBLED


@pytest.mark.parametrize("name", SINGLE)
def test_an_unknown_id_is_not_found(content_client: TestClient, name: str) -> None:
    response = content_client.get(f"/v1/{name}/no-such")
    assert response.status_code == 404
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["code"] == "not_found"
    assert problem["detail"] == f"Unknown id no-such in {name}."
    assert problem["instance"] == f"/v1/{name}/no-such"


def test_an_entry_of_another_list_is_not_found(content_client: TestClient) -> None:
    assert content_client.get("/v1/exercises/heel-massage").status_code == 404
    assert content_client.get("/v1/massages/toe-curls").status_code == 404


@pytest.mark.parametrize("item_id", ["Toe-Curls", "toe_curls", "toe--curls", "-", "x" * 65, "%00"])
def test_a_malformed_id_is_rejected(content_client: TestClient, item_id: str) -> None:
    response = content_client.get(f"/v1/exercises/{item_id}")
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == ["/path/item_id"]


@pytest.mark.parametrize("name", ["toe-curls-0123456789abcdef.svg", "toe-curls.svg", "x.svg"])
def test_a_picture_is_found_only_by_its_full_name(content_client: TestClient, name: str) -> None:
    response = content_client.get(f"/v1/media/{name}")
    assert response.status_code == 404
    assert response.json()["detail"] == "Unknown picture."


@pytest.mark.parametrize("name", ["toe-curls.png", "Toe-Curls.svg", ".svg", "x" * 97 + ".svg"])
def test_a_malformed_name_of_a_picture_is_rejected(content_client: TestClient, name: str) -> None:
    response = content_client.get(f"/v1/media/{name}")
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == ["/path/name"]


def test_a_picture_is_not_searched_in_other_folders(content_client: TestClient) -> None:
    response = content_client.get("/v1/media/..%2f..%2fcontent.svg")
    assert response.status_code == 404
    assert response.json()["code"] == "not_found"


@pytest.mark.parametrize("lang", ["en", "es"])
def test_the_hash_of_the_bundle_can_be_verified(content_client: TestClient, lang: str) -> None:
    bundle = content_client.get("/v1/content", params={"lang": lang}).json()
    canonical = rfc8785.dumps(bundle["content"])
    assert hashlib.sha256(canonical).hexdigest() == bundle["hash"]
    assert bundle["language"] == lang
    assert bundle["languages"] == ["en", "es"]
    assert bundle["deleted"] == []


def test_the_bundle_is_one_release_in_every_language(content_client: TestClient) -> None:
    english = content_client.get("/v1/content").json()
    spanish = content_client.get("/v1/content?lang=es").json()
    assert english["version"] == spanish["version"]
    assert english["hash"] != spanish["hash"]
    rule_set = content_client.get("/v1/triage/rule-set").json()
    assert english["rule_set_hash"] == spanish["rule_set_hash"] == rule_set["hash"]


@pytest.mark.parametrize("lang", ["en", "es"])
def test_the_bundle_has_the_content_of_the_lists(content_client: TestClient, lang: str) -> None:
    content = content_client.get("/v1/content", params={"lang": lang}).json()["content"]
    for name in LISTS:
        assert content[name] == items(content_client, f"/v1/{name}", lang=lang, limit=200)
    assert content.keys() == {*LISTS, "conditions"}


IDENTIFIER = re.compile(r"[a-z0-9_./:-]+")


def without_words(value: Any) -> Any:
    """Keep ids, figures and URLs; remove texts, and names with a hash of texts."""
    if isinstance(value, dict):
        kept = value.keys() - {"translation_review", "url", "dark_url"}
        return {key: without_words(value[key]) for key in kept}
    if isinstance(value, list):
        return [without_words(inner) for inner in value]
    return "words" if isinstance(value, str) and not IDENTIFIER.fullmatch(value) else value


def test_languages_differ_only_in_texts(content_client: TestClient) -> None:
    english = content_client.get("/v1/content").json()["content"]
    spanish = content_client.get("/v1/content?lang=es").json()["content"]
    assert english != spanish
    assert without_words(english) == without_words(spanish)


def test_consent_to_storage_is_required_and_to_research_optional(
    content_client: TestClient,
) -> None:
    consents = items(content_client, "/v1/consents")
    current = {consent["id"]: consent for consent in consents if consent["current"]}
    assert {name: consent["required"] for name, consent in current.items()} == {
        "storage": True,
        "research": False,
    }
    assert len({consent["version"] for consent in current.values()}) == 1
    assert "You can say no and use everything just the same" in current["research"]["text"]


def test_content_needs_no_token_and_ignores_one(content_client: TestClient) -> None:
    response = content_client.get("/v1/content", headers={"Authorization": "Bearer nonsense"})
    assert response.status_code == 200
    assert response.headers["Cache-Control"].startswith("public")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_content_can_only_be_read(content_client: TestClient, method: str) -> None:
    response = content_client.request(method, "/v1/exercises")
    assert response.status_code == 405
    assert response.headers["Allow"] == "GET, HEAD"
