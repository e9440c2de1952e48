"""Settings: read once, never changed, and never repeated with their secrets."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from api.core.config import Settings

SECRET = "hunter2-hunter2"  # noqa: S105  # nobody's


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("sqlite:///footing.db", "sqlite+aiosqlite:///footing.db"),
        ("sqlite+aiosqlite:///x.db", "sqlite+aiosqlite:///x.db"),
        ("postgresql://u:p@db/footing", "postgresql+asyncpg://u:p@db/footing"),
        ("postgres://u:p@db/footing", "postgresql+asyncpg://u:p@db/footing"),
        ("postgresql+asyncpg://u@db/footing", "postgresql+asyncpg://u@db/footing"),
    ],
)
def test_a_database_url_is_taken_as_people_write_it(given: str, used: str) -> None:
    assert Settings(database_url=given).database_url == used


BAD_URLS = [
    f"mysql://root:{SECRET}@db/footing",
    f"postgresql+psycopg2://root:{SECRET}@db/footing",
    f"postgresql//root:{SECRET}@db",
    f"{SECRET}",
    f"postgresql://root:{SECRET}@db:port/footing",
]


@pytest.mark.parametrize("url", BAD_URLS)
def test_a_refused_database_url_is_not_repeated(url: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(database_url=url)
    assert SECRET not in str(refused.value)
    assert SECRET not in repr(refused.value)
    assert "database_url" in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("database_pool_size", "0"),
        ("database_timeout_seconds", "-1"),
        ("max_body_bytes", "5"),
        ("release_poll_seconds", "0"),
        ("log_level", "loud"),
        ("adults_only", "perhaps"),
        ("rate_limit_public", "often"),
        ("rate_limit_enrolment", "20/fortnight"),
        ("rate_limit_participant", ""),
        ("rate_limit_participant", "600/minute;5/second"),
        ("oidc_issuer", "http://login.example.org"),
        ("oidc_issuer", "https://"),
        ("oidc_issuer", "https://user:pass@login.example.org"),
        ("oidc_issuer", "https://login.example.org?a=b"),
        ("oidc_issuer", "https://login.example.org#a"),
        ("oidc_issuer", "login.example.org"),
        ("oidc_issuer", "http://localhost.example.org"),
        ("oidc_issuer", "https://[::1"),
        ("oidc_jwks_url", "http://login.example.org/keys"),
        ("oidc_jwks_url", "file:///keys"),
        ("oidc_algorithms", '["none"]'),
        ("oidc_algorithms", '["RS256", "HS256"]'),
        ("oidc_algorithms", "[]"),
        ("oidc_required_scope", ""),
        ("oidc_required_scope", "two scopes"),
        ("oidc_required_scope", 'a"quote'),
    ],
)
def test_a_bad_value_is_refused_by_the_name_of_its_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"FOOTING_{name.upper()}", value)
    with pytest.raises(ValidationError, match=name):
        Settings()


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOTING_REGIONS", '["north", "south"]')
    monkeypatch.setenv("FOOTING_ADULTS_ONLY", "false")
    monkeypatch.setenv("FOOTING_SEED_FOLDER", "elsewhere")
    settings = Settings()
    assert settings.regions == ("north", "south")
    assert settings.adults_only is False
    assert settings.seed_folder == Path("elsewhere")


def test_settings_never_change_after_they_were_read() -> None:
    settings = Settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.adults_only = False  # type: ignore[misc]
    assert settings.adults_only is True


@pytest.mark.parametrize("audience", [{}, {"oidc_audience": ""}])
def test_an_issuer_without_an_audience_is_refused(audience: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="must be set beside FOOTING_OIDC_ISSUER") as refused:
        Settings(oidc_issuer="https://login.example.org", **audience)  # type: ignore[arg-type]
    assert [error["loc"] for error in refused.value.errors()] == [("oidc_audience",)]


def test_an_empty_variable_means_that_there_is_no_issuer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ISSUER", "AUDIENCE", "JWKS_URL"):
        monkeypatch.setenv(f"FOOTING_OIDC_{name}", "")
    settings = Settings()
    assert (settings.oidc_issuer, settings.oidc_audience, settings.oidc_jwks_url) == (None,) * 3


@pytest.mark.parametrize(
    "url",
    [
        "https://login.example.org/realms/hospital",
        "https://login.example.org:8443",
        "http://localhost:8080",
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
    ],
)
def test_an_issuer_is_taken_as_it_names_itself(url: str) -> None:
    assert Settings(oidc_issuer=url, oidc_audience="footing").oidc_issuer == url
