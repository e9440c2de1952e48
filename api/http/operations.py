"""Whether the process lives and can serve: for load balancers and container engines."""

from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import Field
from sqlalchemy import text

from api.core.errors import Unavailable
from api.http.deps import ReadDb
from api.http.fields import ResponseModel

router = APIRouter(tags=["operations"])


class Health(ResponseModel):
    """The process answers."""

    status: Literal["ok"]


class Readiness(ResponseModel):
    """The database answers and content is loaded."""

    status: Literal["ok"]
    release: Annotated[str, Field(max_length=64, pattern=r"^[0-9a-f]{64}$")]


@router.get("/healthz")
async def get_health() -> Health:
    """Tell that the process is alive."""
    return Health(status="ok")


@router.get("/readyz")
async def get_readiness(request: Request, db: ReadDb) -> Readiness:
    """Tell that the database can be reached and that a release is loaded."""
    await db.execute(text("SELECT 1"))
    release = getattr(request.app.state, "release", None)
    if release is None:
        raise Unavailable("No release is loaded yet.", headers={"Retry-After": "2"})
    return Readiness(status="ok", release=release.hash)
