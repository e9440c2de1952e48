"""Whether the process lives and can serve: for load balancers and container engines."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field

from api.core.errors import Unavailable
from api.http.deps import Context
from api.http.fields import ResponseModel
from api.http.problems import RETRY_SOON
from api.http.queries import with_any_query

router = APIRouter(tags=["operations"])


class Health(ResponseModel):
    """The process responds."""

    status: Literal["ok"]


class Readiness(ResponseModel):
    """The database can be read and written, and content is loaded."""

    status: Literal["ok"]
    release: Annotated[str, Field(max_length=64, pattern=r"^[0-9a-f]{64}$")]


@router.get("/healthz")
@with_any_query
async def get_health() -> Health:
    """Check that the process is alive."""
    return Health(status="ok")


@router.get("/readyz")
@with_any_query
async def get_readiness(context: Context) -> Readiness:
    """Check that the database can be read and written, and that a release is loaded."""
    release = context.served_release()
    if release is None:
        raise Unavailable("No release is loaded yet.", headers=RETRY_SOON)
    if await context.write_check.reason() is not None:
        raise Unavailable("Cannot write to the database at the moment.", headers=RETRY_SOON)
    return Readiness(status="ok", release=release)
