"""Settings, read once from the environment (`FOOTING_*`) and never changed after.

Every setting is described in docs/settings.md; a test holds the two together.
"""

from pathlib import Path
from typing import Annotated, Literal

from limits import parse_many
from limits.errors import ConfigurationError
from limits.storage import storage_from_string
from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

PACKAGE = Path(__file__).resolve().parent.parent
BUNDLED = PACKAGE / "_bundled"
# An installed wheel carries seed/ and alembic/ inside the package; a checkout has them beside it.
ASSETS = BUNDLED if BUNDLED.is_dir() else PACKAGE.parent
SEED_FOLDER = ASSETS / "seed"
MIGRATIONS_FOLDER = ASSETS / "alembic"

DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
}


def _async_url(value: str) -> str:
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):
        # The value itself may hold a password: it is not repeated.
        message = "is not a database URL such as sqlite:///footing.db"
        raise ValueError(message) from None
    drivername = DRIVERS.get(url.drivername, url.drivername)
    if drivername not in DRIVERS.values():
        message = f"{url.drivername} is not supported: use sqlite or postgresql"
        raise ValueError(message)
    return url.set(drivername=drivername).render_as_string(hide_password=False)


def _rate(value: str) -> str:
    try:
        rates = parse_many(value)
    except ValueError:
        rates = []
    if len(rates) != 1:
        message = "is not a rate such as 600/minute"
        raise ValueError(message)
    return value


Rate = Annotated[str, AfterValidator(_rate)]


def _rate_storage(value: str) -> str:
    try:
        storage_from_string(value if value.startswith("async+") else f"async+{value}")
    except (ConfigurationError, ValueError):
        # The value itself may hold a password: it is not repeated.
        message = "is not a storage that is supported and installed, such as memory://"
        raise ValueError(message) from None
    return value


class Settings(BaseSettings):
    """What an operator can set; the defaults serve one small machine."""

    model_config = SettingsConfigDict(env_prefix="FOOTING_", frozen=True, hide_input_in_errors=True)

    database_url: Annotated[str, AfterValidator(_async_url)] = "sqlite+aiosqlite:///footing.db"
    database_pool_size: Annotated[int, Field(ge=1, le=1000)] = 10
    database_timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 5.0
    seed_folder: Path = SEED_FOLDER
    release_poll_seconds: Annotated[float, Field(gt=0, le=3600)] = 2.0
    unused_enrolment_days: Annotated[int, Field(ge=1, le=3650)] = 30
    adults_only: bool = True
    regions: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    max_body_bytes: Annotated[int, Field(ge=1024, le=64 * 1024 * 1024)] = 1024 * 1024
    max_batch_bytes: Annotated[int, Field(ge=1024, le=64 * 1024 * 1024)] = 8 * 1024 * 1024
    rate_limit_storage: Annotated[str, AfterValidator(_rate_storage)] = "memory://"
    rate_limit_enrolment: Rate = "20/hour"
    rate_limit_public: Rate = "600/minute"
    rate_limit_participant: Rate = "600/minute"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
