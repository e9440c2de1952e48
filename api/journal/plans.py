"""The endpoint of plans: composed for one person, and never stored."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from api.content import plans
from api.content.deps import CurrentLanguage, CurrentRelease
from api.content.rendering import Renderer
from api.content.schemas import Plan, PlanRequest
from api.http.deps import ReadDb
from api.http.limits import PublicLimit
from api.http.queries import refuse_unknown_parameters
from api.journal import reading
from api.participants.deps import Credentials, identify, read_credentials

router = APIRouter(prefix="/v1", tags=["journal"])


async def get_own_limits(
    request: Request, credentials: Credentials, release: CurrentRelease, db: ReadDb
) -> reading.OwnLimits:
    """Return the limits on a plan from the participant's records; none without a token."""
    if credentials is None:
        refuse_unknown_parameters(request)
        return reading.OwnLimits()
    token = await read_credentials(request, credentials)
    await identify(request, db, token)
    refuse_unknown_parameters(request)
    return await reading.own_limits(db, token.participant_id, release.catalogue)


OwnLimits = Annotated[reading.OwnLimits, Depends(get_own_limits, scope="function")]


@router.post(
    "/plans",
    dependencies=[PublicLimit],
    openapi_extra={"security": [{}, {"deviceToken": []}]},
)
async def compose_plan(
    wishes: PlanRequest,
    own: OwnLimits,
    release: CurrentRelease,
    language: CurrentLanguage,
    response: Response,
) -> Plan:
    """Compose a routine for the time, equipment, positions and conditions of one person.

    With a token it also respects the pause or stop in force, and the conditions of the profile and
    of the newest symptom report.
    """
    renderer = Renderer(release.catalogue, language)
    plans.check_conditions(renderer, wishes.conditions)
    response.headers["Content-Language"] = language
    return plans.compose(
        renderer,
        plans.Wishes(
            minutes=wishes.minutes,
            equipment=frozenset(wishes.equipment),
            positions=frozenset(wishes.positions),
            conditions=(*wishes.conditions, *own.conditions),
            hold=own.status,
        ),
        release.hash,
    )
