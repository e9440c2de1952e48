"""Calls that answer with each kind of status, for promises about all of them."""

import uuid
from collections.abc import Callable

import httpx

from tests.support.device import Device

Call = Callable[[Device], httpx.Response]


def _json(device: Device, content: bytes, media_type: str = "application/json") -> httpx.Response:
    return device.client.post(
        "/v1/sessions", content=content, headers={**device.headers, "Content-Type": media_type}
    )


def _again(device: Device) -> httpx.Response:
    tag = device.client.get("/v1/exercises").headers["ETag"]
    return device.client.get("/v1/exercises", headers={"If-None-Match": tag})


def _conflict(device: Device) -> httpx.Response:
    body = device.session()
    device.post_session(body)
    return device.post_session(body | {"pain_after": 9})


GOOD: dict[int, Call] = {
    200: lambda device: device.client.get("/v1/exercises"),
    201: lambda device: device.post_session(device.session()),
    304: _again,
}
PROBLEMS: dict[str, tuple[int, Call]] = {
    "not_authenticated": (401, lambda device: device.client.get("/v1/me")),
    "wrong_token_kind": (
        403,
        lambda device: device.client.get("/v1/me", headers={"Authorization": "Bearer fc_x"}),
    ),
    "not_found": (404, lambda device: device.client.get("/v1/nowhere")),
    "not_found, a record": (404, lambda device: device.get(f"/v1/sessions/{uuid.uuid4()}")),
    "method_not_allowed": (405, lambda device: device.client.put("/v1/exercises")),
    "id_conflict": (409, _conflict),
    "body_too_large": (413, lambda device: _json(device, b'{"note": "%s"}' % (b"x" * 2_000_000))),
    "unsupported_media_type": (415, lambda device: _json(device, b"a=b", "text/plain")),
    "malformed_json": (422, lambda device: _json(device, b'{"id": ')),
    "invalid_request": (422, lambda device: device.post_session({})),
    "invalid_request, a query": (422, lambda device: device.get("/v1/exercises", lang="fr")),
    "invalid_request, a path": (422, lambda device: device.get("/v1/sessions/1")),
}
