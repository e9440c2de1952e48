"""Nothing that a clinician can see depends on a participant before a period is closed."""

from pathlib import Path

import pytest
from fastapi import APIRouter, FastAPI
from sqlalchemy import func, select
from sqlmodel import col

from api.clinicians.deps import AuditedRoute, ClinicianCaller
from api.http.deps import ReadDb
from api.participants.models import Participant
from tests.aggregates.neighbouring_servers import neighbouring_servers
from tests.aggregates.surface import differences, surface
from tests.support import databases
from tests.support.budget import budget

LEAK = "/v1/aggregates/participants"
leaking = APIRouter(route_class=AuditedRoute)


@leaking.get(LEAK)
async def count_participants(_: ClinicianCaller, db: ReadDb) -> dict[str, int]:
    """Return what must not be disclosed."""
    return {
        "participants": (await db.execute(select(func.count(col(Participant.region))))).scalar_one()
    }


@pytest.mark.proof
@pytest.mark.parametrize("kind", databases.KINDS)
def test_two_servers_that_differ_by_one_participant_return_identical_responses(
    kind: str, templates: Path, tmp_path: Path
) -> None:
    """Byte for byte, with headers; another participant was erased after the publication, too."""
    with neighbouring_servers(kind, templates, tmp_path) as servers:
        one = surface(servers.without, servers.key)
        other = surface(servers.having, servers.key)
    assert len(one) > budget(quick=50, full=300)
    assert {200, 404, 406, 422} <= {status for status, _, _ in one.values()}
    assert differences(one, other) == []


def test_an_endpoint_that_counts_participants_is_detected(templates: Path, tmp_path: Path) -> None:
    """The proof can fail: an endpoint that leaks is in the document, and so in the comparison."""

    def leak(app: FastAPI) -> None:
        app.include_router(leaking)

    with neighbouring_servers("sqlite", templates, tmp_path, leak) as servers:
        found = differences(
            surface(servers.without, servers.key, LEAK), surface(servers.having, servers.key, LEAK)
        )
    assert found
