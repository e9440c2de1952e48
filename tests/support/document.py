"""Holds answers to the OpenAPI document, and knows what reads a participant's records."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs

Json = dict[str, Any]
Operation = tuple[str, str]
RECORDED_FILE = Path(__file__).parents[2] / "docs" / "openapi.json"
# What every app serves, as tests/contract/test_openapi.py holds: to make it takes half a second.
RECORDED: Json = json.loads(RECORDED_FILE.read_bytes())


class Document:
    """The document that a server serves, as a judge of its answers."""

    def __init__(self, document: Json) -> None:
        self.document = document
        self.judged: dict[Operation, int] = {}
        self._validator = cache(self._make_validator)

    def _make_validator(
        self, operation: Operation, status: str, media_type: str
    ) -> jsonschema_rs.Draft202012Validator:
        method, path = operation
        answer = self.document["paths"][path][method.lower()]["responses"][status]
        schema = {"components": self.document["components"]} | answer["content"][media_type][
            "schema"
        ]
        return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)

    def judge(self, operation: Operation, response: httpx.Response) -> Any:
        """Assert that a success is answered as the document says; return what was answered."""
        assert response.status_code in {200, 201}, (operation, response.text[:500])
        media_type = response.headers["Content-Type"].partition(";")[0]
        validator = self._validator(operation, str(response.status_code), media_type)
        answer = response.json()
        faults = [
            f"{'/'.join(map(str, fault.instance_path))}: {fault.message[:200]}"
            for fault in validator.iter_errors(answer)
        ]
        assert not faults, (operation, faults[:3])
        self.judged[operation] = self.judged.get(operation, 0) + 1
        return answer

    def unread(self) -> set[Operation]:
        """Return what a participant's token reads, and was not read."""
        reading = {
            ("GET", path)
            for path, operations in self.document["paths"].items()
            if {"deviceToken": []} in operations.get("get", {}).get("security", ())
        }
        return reading - set(self.judged)
