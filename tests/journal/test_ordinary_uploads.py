"""Most uploads go past FastAPI: nobody can tell by the answer."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from tests.support.device import Device, Json

PATHS = {
    "session": "/v1/sessions",
    "report": "/v1/symptom-reports",
    "batch": "/v1/batches",
}
# What differs between two requests for the same.
OWN = {"x-request-id", "ratelimit"}


def batch(device: Device) -> Json:
    invalid = device.session(status="done")
    return {"sessions": [device.session(), invalid], "symptom_reports": [device.report()]}


MAKE: Mapping[str, Callable[[Device], Json]] = {
    "session": Device.session,
    "report": lambda device: device.report({"fever": "no"}, pain_score=4, age_years=44),
    "batch": batch,
}


def said(response: httpx.Response) -> tuple[int, dict[str, str], str]:
    """Return what a response says, in its order, without what is random."""
    headers = {name: value for name, value in response.headers.items() if name not in OWN}
    document: Any = response.json()
    document.pop("request_id", None)
    if document.get("decision"):
        document["decision"]["id"] = None
    return response.status_code, headers, json.dumps(document)


def post(device: Device, kind: str, body: Any, **params: str) -> httpx.Response:
    return device.client.post(PATHS[kind], json=body, params=params, headers=device.headers)


@pytest.mark.parametrize("kind", MAKE)
def test_an_upload_is_answered_as_by_fastapi(client: TestClient, kind: str) -> None:
    ordinary, asking = Device(client), Device(client)
    ordinary.enrol()
    asking.enrol()
    body = MAKE[kind](ordinary)
    everything: tuple[Any, ...] = (body, body, {"id": "1"}, body | {"id": None}, [], None)
    for sent in everything:
        # A query is something that FastAPI may have to refuse.
        answers = post(ordinary, kind, sent), post(asking, kind, sent, lang="en")
        assert said(answers[0]) == said(answers[1])
    for device in (ordinary, asking):
        device.token = device.token[:-1] + ("0" if device.token[-1] != "0" else "1")
    answers = post(ordinary, kind, body), post(asking, kind, body, lang="en")
    assert said(answers[0]) == said(answers[1])
    assert answers[0].status_code == 401
