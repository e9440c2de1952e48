"""Settings, read once from the environment (`FOOTING_*`) and never changed after.

Every setting is described in docs/settings.md; a test holds the two together.
"""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from limits import parse_many
from limits.errors import ConfigurationError
from limits.storage import storage_from_string
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

PACKAGE = Path(__file__).resolve().parent.parent
BUNDLED = PACKAGE / "_bundled"
# An installed wheel carries seed/ and alembic/ inside the package; a checkout has them beside it.
ASSETS = BUNDLED if BUNDLED.is_dir() else PACKAGE.parent
SEED_FOLDER = ASSETS / "seed"
MIGRATIONS_FOLDER = ASSETS / "alembic"

LOOPBACK = {"127.0.0.1", "::1", "localhost"}
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


def is_safe_url(value: str) -> bool:
    """Tell whether what is read there comes from whom it names: https, or this machine itself."""
    url = urlsplit(value)
    safe = url.scheme == "https" or (url.scheme == "http" and url.hostname in LOOPBACK)
    return bool(safe and url.hostname and not url.username and not url.password)


def _safe_url(value: str) -> str:
    if not is_safe_url(value):
        message = "must be an https URL without user; http is taken on this machine alone"
        raise ValueError(message)
    return value


def _issuer_url(value: str) -> str:
    if "?" in value or "#" in value:
        message = "must be a URL without query and fragment, such as https://login.example.org"
        raise ValueError(message)
    return _safe_url(value)


# An empty variable is one that is not set: compose files can't leave one out.
NOT_SET = BeforeValidator(lambda value: None if value == "" else value)
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]


class Settings(BaseSettings):
    """What an operator can set; the defaults serve one small machine."""

    model_config = SettingsConfigDict(env_prefix="FOOTING_", frozen=True, hide_input_in_errors=True)

    database_url: Annotated[str, AfterValidator(_async_url)] = "sqlite+aiosqlite:///footing.db"
    database_pool_size: Annotated[int, Field(ge=1, le=1000)] = 10
    database_timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 5.0
    seed_folder: Path = SEED_FOLDER
    release_poll_seconds: Annotated[float, Field(gt=0, le=3600)] = 2.0
    adults_only: bool = True
    regions: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    max_body_bytes: Annotated[int, Field(ge=1024, le=64 * 1024 * 1024)] = 1024 * 1024
    max_batch_bytes: Annotated[int, Field(ge=1024, le=64 * 1024 * 1024)] = 8 * 1024 * 1024
    rate_limit_storage: Annotated[str, AfterValidator(_rate_storage)] = "memory://"
    rate_limit_enrolment: Rate = "20/hour"
    rate_limit_public: Rate = "600/minute"
    rate_limit_participant: Rate = "600/minute"
    rate_limit_clinician: Rate = "600/minute"
    oidc_issuer: Annotated[Annotated[str, AfterValidator(_issuer_url)] | None, NOT_SET] = None
    oidc_audience: Annotated[str | None, NOT_SET] = None
    oidc_algorithms: Annotated[tuple[Algorithm, ...], Field(min_length=1)] = ("RS256", "ES256")
    oidc_required_scope: Annotated[str, Field(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]+$")] = (
        "aggregates:read"
    )
    oidc_jwks_url: Annotated[Annotated[str, AfterValidator(_safe_url)] | None, NOT_SET] = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"

    @field_validator("oidc_audience")
    @classmethod
    def _audience_of_an_issuer(cls, value: str | None, info: ValidationInfo) -> str | None:
        # Without it, a token that the issuer made for any other service would open this one.
        if value is None and info.data.get("oidc_issuer") is not None:
            message = "must be set beside FOOTING_OIDC_ISSUER"
            raise ValueError(message)
        return value
