"""Calls that answer with each kind of status, for promises about all of them."""

import uuid
from collections.abc import Callable

import httpx

from tests.support.phone import Phone

Call = Callable[[Phone], httpx.Response]


def _json(phone: Phone, content: bytes, media_type: str = "application/json") -> httpx.Response:
    return phone.client.post(
        "/v1/sessions", content=content, headers={**phone.headers, "Content-Type": media_type}
    )


def _again(phone: Phone) -> httpx.Response:
    tag = phone.client.get("/v1/exercises").headers["ETag"]
    return phone.client.get("/v1/exercises", headers={"If-None-Match": tag})


def _conflict(phone: Phone) -> httpx.Response:
    body = phone.session()
    phone.post_session(body)
    return phone.post_session(body | {"pain_after": 9})


GOOD: dict[int, Call] = {
    200: lambda phone: phone.client.get("/v1/exercises"),
    201: lambda phone: phone.post_session(phone.session()),
    304: _again,
}
PROBLEMS: dict[str, tuple[int, Call]] = {
    "not_authenticated": (401, lambda phone: phone.client.get("/v1/me")),
    "wrong_token_kind": (
        403,
        lambda phone: phone.client.get("/v1/me", headers={"Authorization": "Bearer fc_x"}),
    ),
    "not_found": (404, lambda phone: phone.client.get("/v1/nowhere")),
    "not_found, a record": (404, lambda phone: phone.get(f"/v1/sessions/{uuid.uuid4()}")),
    "method_not_allowed": (405, lambda phone: phone.client.put("/v1/exercises")),
    "id_conflict": (409, _conflict),
    "body_too_large": (413, lambda phone: _json(phone, b'{"note": "%s"}' % (b"x" * 2_000_000))),
    "unsupported_media_type": (415, lambda phone: _json(phone, b"a=b", "text/plain")),
    "malformed_json": (422, lambda phone: _json(phone, b'{"id": ')),
    "invalid_request": (422, lambda phone: phone.post_session({})),
    "invalid_request, a query": (422, lambda phone: phone.get("/v1/exercises", lang="fr")),
    "invalid_request, a path": (422, lambda phone: phone.get("/v1/sessions/1")),
}
