"""The authenticated clinician's own data."""

from fastapi import APIRouter

from api.clinicians.deps import AuditedRoute, ClinicianCaller
from api.clinicians.identity import READ_AGGREGATES
from api.clinicians.schemas import ClinicianProfile

router = APIRouter(prefix="/v1", tags=["clinicians"], route_class=AuditedRoute)


@router.get("/clinician")
async def get_clinician(caller: ClinicianCaller) -> ClinicianProfile:
    """Get the authenticated clinician, their scopes, and the expiry of their credentials."""
    return ClinicianProfile(
        kind=caller.kind,
        name=caller.name,
        scopes=[READ_AGGREGATES],
        expires_at=caller.expires_at,
        issuer=caller.issuer,
    )
