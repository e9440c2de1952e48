"""Schemathesis holds a real server to the document it serves, operation by operation."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import one_of
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support import databases
from tests.support.budget import budget
from tests.support.device import Device
from tests.support.document import RECORDED
from tests.support.server import running_server

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
PLENTY = "1000000/minute"
EXAMPLES = budget(quick=4, full=100)
document = schemathesis.openapi.from_dict(RECORDED)
OPERATIONS = [found.ok() for found in document.get_all_operations() if isinstance(found, Ok)]
# Some operations take next to nothing, and have next to nothing to get wrong.
ALL_OF_THEM = list(HealthCheck)


@pytest.fixture(scope="module")
def url(templates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a server without rate limits: these have their own tests."""
    folder = tmp_path_factory.mktemp("schemathesis")
    limits = {
        f"rate_limit_{name}": PLENTY for name in ("enrolment", "public", "participant", "clinician")
    }
    with (
        databases.fresh_database("sqlite", templates, folder) as database_url,
        running_server(database_url, folder, **limits) as server,
    ):
        yield server.url
        assert "unhandled error" not in server.log


@pytest.fixture
def headers(url: str) -> dict[str, str]:
    """Enrol again for each operation: one of them erases its participant."""
    with httpx.Client(base_url=url) as client:
        device = Device(client)
        device.enrol()
        device.post_session(device.session())
        device.post_report(device.report({"radiating_pain": "left"}))
        return device.headers


def test_every_operation_is_tried() -> None:
    assert len(OPERATIONS) == len(list(document.get_all_operations())) > 30


@pytest.mark.fuzz
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_whatever_is_sent_the_answer_is_as_documented(
    operation: Any, url: str, headers: dict[str, str]
) -> None:
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=ALL_OF_THEM
    )
    @given(case=one_of(*(operation.as_strategy(mode) for mode in GenerationMode)))
    def check(case: Any) -> None:
        case.call_and_validate(base_url=url, headers=headers, checks=CHECKS)

    check()
