"""The plan: composed for one person, now, and never stored."""

from fastapi import APIRouter, Response

from api.content import plans
from api.content.deps import CurrentLanguage, CurrentRelease
from api.content.rendering import Renderer
from api.content.schemas import Plan, PlanRequest
from api.http.limits import PublicLimit

router = APIRouter(prefix="/v1", tags=["journal"])


@router.post("/plans")
async def compose_plan(
    wishes: PlanRequest,
    release: CurrentRelease,
    language: CurrentLanguage,
    response: Response,
    _: PublicLimit,
) -> Plan:
    """Compose a routine for the time, the things and the conditions of one person."""
    renderer = Renderer(release.catalogue, language)
    plans.check_conditions(renderer, wishes.conditions)
    response.headers["Content-Language"] = language
    return plans.compose(
        renderer,
        plans.Wishes(
            minutes=wishes.minutes,
            equipment=frozenset(wishes.equipment),
            positions=frozenset(wishes.positions),
            conditions=tuple(wishes.conditions),
        ),
        release.hash,
    )
