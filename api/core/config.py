"""Settings, read once from the environment (`FOOTING_*`) and never changed afterwards.

Every setting is described in docs/settings.md; a test compares the two.
"""

import importlib
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from limits import parse_many
from limits.aio.storage import Storage
from limits.errors import ConfigurationError
from limits.storage import storage_from_string
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.core.database_url import read_url

PACKAGE = Path(__file__).resolve().parent.parent
BUNDLED = PACKAGE / "_bundled"
# A wheel contains seed/ and alembic/ inside the package; a checkout has them beside it.
ASSETS = BUNDLED if BUNDLED.is_dir() else PACKAGE.parent
SEED_FOLDER = ASSETS / "seed"
MIGRATIONS_FOLDER = ASSETS / "alembic"

LOOPBACK = {"127.0.0.1", "::1", "localhost"}

MEMORY = "memory://"
# A request waits at most this long for Redis: counting must not delay requests.
RATE_STORAGE_TIMEOUT_SECONDS = 0.5


def _async_url(value: str) -> str:
    return read_url(value).render_as_string(hide_password=False)


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


def open_rate_storage(url: str) -> Storage:
    """Open the storage of rate limits; this does not connect yet."""
    storage = storage_from_string(
        f"async+{url}",
        wrap_exceptions=True,
        implementation="redispy",
        socket_connect_timeout=RATE_STORAGE_TIMEOUT_SECONDS,
        socket_timeout=RATE_STORAGE_TIMEOUT_SECONDS,
    )
    if not isinstance(storage, Storage):
        message = "not a storage for an event loop"
        raise ConfigurationError(message)
    return storage


def _rate_storage(value: str) -> str:
    if value == MEMORY:
        return value
    # The value may contain a password, so it is not repeated.
    if not value.startswith(("redis://", "rediss://")):
        message = "is not a storage: use memory:// or redis://HOST:6379/0"
        raise ValueError(message)
    try:
        importlib.import_module("redis")
    except ImportError:
        message = "needs the client library for Redis: pip install 'footing[redis]'"
        raise ValueError(message) from None
    try:
        open_rate_storage(value)
    except (ConfigurationError, ValueError):
        message = "is not a URL such as redis://HOST:6379/0"
        raise ValueError(message) from None
    return value


class Setting(BaseModel):
    """A setting with several fields, written as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def _numbers(version: str) -> tuple[int, ...]:
    """Parse a version for comparison: 2.0 and 2.0.0 are equal."""
    parts = [int(part) for part in version.split(".")]
    return (*parts, *([0] * (4 - len(parts))))


Platform = Literal["ios", "android", "web"]
AppVersion = Annotated[str, Field(pattern=r"^[0-9]{1,9}(\.[0-9]{1,9}){0,3}$")]
WebAddress = Annotated[str, Field(max_length=500, pattern=r"^https://[!#-;=?-~]+$")]


class AppVersions(Setting):
    """The minimum and recommended versions of an app on one platform."""

    minimum: AppVersion | None = None
    recommended: AppVersion | None = None
    store_url: WebAddress | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if (
            self.minimum
            and self.recommended
            and _numbers(self.recommended) < _numbers(self.minimum)
        ):
            message = "the recommended version is older than the minimum"
            raise ValueError(message)
        return self


class Deprecated(Setting):
    """A deprecated endpoint, with its dates."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: Annotated[str, Field(pattern=r"^/")]
    deprecated_at: AwareDatetime
    sunset_at: AwareDatetime | None = None
    link: WebAddress | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.sunset_at is not None and self.sunset_at < self.deprecated_at:
            message = "sunset_at is before deprecated_at"
            raise ValueError(message)
        return self


def _each_once(endpoints: tuple[Deprecated, ...]) -> tuple[Deprecated, ...]:
    if len({(each.method, each.path) for each in endpoints}) < len(endpoints):
        message = "an endpoint is listed twice"
        raise ValueError(message)
    return endpoints


def is_safe_url(value: str) -> bool:
    """Return whether a URL is trustworthy: https, or this machine."""
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


# An empty variable counts as not set: compose files cannot omit one.
NOT_SET = BeforeValidator(lambda value: None if value == "" else value)
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]


class Settings(BaseSettings):
    """The settings of an operator; the defaults suit one small machine."""

    model_config = SettingsConfigDict(env_prefix="FOOTING_", frozen=True, hide_input_in_errors=True)

    database_url: Annotated[str, AfterValidator(_async_url)] = "sqlite+aiosqlite:///footing.db"
    database_pool_size: Annotated[int, Field(ge=1, le=1000)] = 10
    database_timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 5.0
    database_max_waiting: Annotated[int, Field(ge=1, le=10_000)] = 100
    seed_folder: Path = SEED_FOLDER
    release_poll_seconds: Annotated[float, Field(gt=0, le=3600)] = 2.0
    unused_enrolment_days: Annotated[int, Field(ge=1, le=3650)] = 30
    adults_only: bool = True
    regions: tuple[str, ...] = ()
    aggregates_profile: Literal["standard", "pilot"] = "standard"
    publication_log: Path = Path("footing-publications.log")
    cors_origins: tuple[str, ...] = ()
    max_body_bytes: Annotated[int, Field(ge=1024, le=64 * 1024 * 1024)] = 1024 * 1024
    max_batch_bytes: Annotated[int, Field(ge=1024, le=64 * 1024 * 1024)] = 8 * 1024 * 1024
    max_header_bytes: Annotated[int, Field(ge=4096, le=1024 * 1024)] = 32 * 1024
    max_connections: Annotated[int, Field(ge=1, le=100_000)] = 800
    max_requests_in_progress: Annotated[int, Field(ge=1, le=10_000)] = 32
    max_exports: Annotated[int, Field(ge=1, le=1000)] = 4
    header_timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 10.0
    body_timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 30.0
    send_timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 60.0
    rate_limit_storage: Annotated[str, AfterValidator(_rate_storage)] = MEMORY
    rate_limit_enrolment: Rate = "1000/hour"
    rate_limit_public: Rate = "600/minute"
    rate_limit_participant: Rate = "600/minute"
    app_versions: dict[Platform, AppVersions] = {}
    deprecations: Annotated[tuple[Deprecated, ...], AfterValidator(_each_once)] = ()
    rate_limit_clinician: Rate = "600/minute"
    oidc_issuer: Annotated[Annotated[str, AfterValidator(_issuer_url)] | None, NOT_SET] = None
    oidc_audience: Annotated[str | None, NOT_SET] = None
    oidc_algorithms: Annotated[tuple[Algorithm, ...], Field(min_length=1)] = ("RS256", "ES256")
    oidc_required_scope: Annotated[str, Field(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]+$")] = (
        "aggregates:read"
    )
    oidc_jwks_url: Annotated[Annotated[str, AfterValidator(_safe_url)] | None, NOT_SET] = None
    oidc_client_id: Annotated[Annotated[str, Field(pattern=r"^[!-~]{1,200}$")] | None, NOT_SET] = (
        None
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"

    @field_validator("oidc_audience")
    @classmethod
    def _audience_of_an_issuer(cls, value: str | None, info: ValidationInfo) -> str | None:
        # Without it, a token that the issuer made for another service would be accepted here.
        if value is None and info.data.get("oidc_issuer") is not None:
            message = "must be set beside FOOTING_OIDC_ISSUER"
            raise ValueError(message)
        return value

    @field_validator("oidc_client_id")
    @classmethod
    def _client_of_an_issuer(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("oidc_issuer") is None:
            message = "needs FOOTING_OIDC_ISSUER beside it"
            raise ValueError(message)
        return value
