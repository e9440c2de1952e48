"""Settings: read once, never changed, and never repeated with their secrets."""

import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from pydantic import ValidationError
from sqlalchemy import make_url

from api.core.config import Settings
from api.core.database_url import for_driver

SECRET = "hunter2-hunter2"  # noqa: S105  # not a real one


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
def test_common_spellings_of_a_database_url_are_accepted(given: str, used: str) -> None:
    assert Settings(database_url=given).database_url == used


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("?sslmode=require", {"sslmode": "require"}),
        ("?ssl=true", {"sslmode": "require"}),
        # Neon, Supabase, Heroku, DigitalOcean and PlanetScale hand out words like these.
        ("?sslmode=require&channel_binding=prefer", {"sslmode": "require"}),
        ("?pgbouncer=true&application_name=feet%20first", {"application_name": "feet first"}),
        ("?options=-c%20jit%3Doff&gssencmode=disable", {"options": "-c jit=off"}),
        ("?target_session_attrs=read-write&sslsni=1", {"target_session_attrs": "read-write"}),
        ("?sslrootcert=&client_encoding=utf8", {}),
        (f"?sslmode=verify-ca&sslrootcert={__file__}", {"sslrootcert": __file__}),
    ],
)
def test_the_parameters_of_a_url_reach_the_driver(given: str, expected: dict[str, str]) -> None:
    url = make_url(Settings(database_url=f"postgres://u:p@db/x{given}").database_url)
    plain, arguments = for_driver(url, 5)
    assert plain.render_as_string(hide_password=False) == "postgresql+asyncpg://u:p@db/x"
    assert dict(parse_qsl(urlsplit(arguments.get("dsn", "")).query)).items() >= expected.items()
    assert ("dsn" in arguments) is bool(expected)


def test_connecting_takes_as_long_as_the_url_says_and_is_never_without_a_limit() -> None:
    for given, seconds in (("", 5), ("?connect_timeout=30", 30), ("?connect_timeout=0", 5)):
        url = make_url(Settings(database_url=f"postgresql://db/x{given}").database_url)
        assert for_driver(url, 5)[1] == {"timeout": seconds}


def test_the_authorities_of_the_machine_are_a_name() -> None:
    given = "postgresql://db/x?sslmode=verify-full&sslrootcert=system"
    assert for_driver(make_url(Settings(database_url=given).database_url), 5)[1] == {
        "timeout": 5,
        "ssl": True,
    }


def test_a_url_may_name_several_hosts_or_put_everything_into_its_query() -> None:
    several = make_url(Settings(database_url="postgres://u:p@one:1,two/x?ssl=1").database_url)
    assert several.query == {"host": "one,two", "port": "1,5432", "sslmode": "require"}
    assert (several.username, several.password, several.database) == ("u", "p", "x")
    given = "postgresql:///?host=/run/postgresql&user=u&password=p&dbname=x"
    url = make_url(Settings(database_url=given).database_url)
    assert (url.username, url.password, url.database) == ("u", "p", "x")
    assert url.query == {"host": "/run/postgresql"}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("channel_binding=require", "channel_binding can only be disable or prefer"),
        ("gssencmode=require", "gssencmode"),
        ("target_session_attrs=standby", "target_session_attrs"),
        ("sslmode=maybe", "sslmode"),
        ("connect_timeout=soon", "connect_timeout"),
        ("sslrootcert=/no/such/file", "sslrootcert names a file that does not exist"),
        ("sslmode=require&sslrootcert=system", "sslrootcert=system needs sslmode=verify-full"),
        ("connection_limit=1", "set FOOTING_DATABASE_POOL_SIZE"),
        ("schema=public", "the parameter schema is not known here"),
        ("keepalives_idle=60", "the parameter keepalives_idle is not known here"),
    ],
)
def test_a_parameter_that_cannot_be_honoured_is_named(given: str, named: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(named)) as refused:
        Settings(database_url=f"postgresql://u:{SECRET}@db/x?{given}&application_name={SECRET}")
    assert SECRET not in str(refused.value)


BAD_URLS = [
    f"mysql://root:{SECRET}@db/footing",
    f"postgresql+psycopg2://root:{SECRET}@db/footing",
    f"postgresql//root:{SECRET}@db",
    f"{SECRET}",
    f"postgresql://root:{SECRET}@db:port/footing",
    f"postgresql://root:{SECRET}@db:port,db2/footing?x={SECRET}",
    f"postgresql://root@db/footing?unknown={SECRET}",
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


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("ftp://localhost", "use memory:// or redis://HOST:6379/0"),
        ("memcached://localhost:11211", "use memory:// or redis://HOST:6379/0"),
        ("memory://else", "use memory:// or redis://HOST:6379/0"),
        (f"redis://u:{SECRET}@localhost:port/0", "is not a URL such as redis://HOST:6379/0"),
        ("redis://localhost?socket_timeout=x", "is not a URL such as redis://HOST:6379/0"),
    ],
)
def test_a_rate_storage_that_cant_be_is_refused_with_what_can(value: str, message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(rate_limit_storage=value)
    assert message in str(refused.value)
    assert SECRET not in str(refused.value)


def test_redis_without_its_client_library_is_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ValidationError, match=r"pip install 'footing\[redis\]'"):
        Settings(rate_limit_storage="redis://localhost:6379/0")


CALL = {"method": "GET", "path": "/v1/tips", "deprecated_at": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("app_versions", {"symbian": {}}, "app_versions.symbian"),
        ("app_versions", {"ios": {"minimum": "1.x"}}, "app_versions.ios.minimum"),
        ("app_versions", {"ios": {"minimum": 2}}, "app_versions.ios.minimum"),
        ("app_versions", {"ios": {"newest": "2.0"}}, "app_versions.ios.newest"),
        ("app_versions", {"ios": {"store_url": "http://a.example"}}, "app_versions.ios.store_url"),
        ("app_versions", {"ios": {"store_url": "https://a.example/<x>"}}, "store_url"),
        (
            "app_versions",
            {"ios": {"minimum": "1.10", "recommended": "1.9"}},
            "the recommended version is older than the minimum",
        ),
        ("deprecations", [CALL | {"method": "get"}], "deprecations.0.method"),
        ("deprecations", [CALL | {"path": "v1/tips"}], "deprecations.0.path"),
        ("deprecations", [CALL | {"deprecated_at": "2026-01-01T00:00:00"}], "deprecated_at"),
        ("deprecations", [CALL | {"deprecated_at": None}], "deprecated_at"),
        ("deprecations", [CALL | {"sunset_at": "2025-12-31T00:00:00Z"}], "is before"),
        ("deprecations", [CALL | {"link": 'https://a.example/"'}], "deprecations.0.link"),
        ("deprecations", [CALL | {"link": "https://a.example/\r\nX: 1"}], "deprecations.0.link"),
        ("deprecations", [CALL | {"why": "old"}], "deprecations.0.why"),
        ("deprecations", [CALL, CALL], "an endpoint is listed twice"),
    ],
)
def test_what_is_wrong_inside_a_setting_is_named(name: str, value: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(message)):
        Settings(**{name: value})


def test_versions_are_compared_by_their_numbers() -> None:
    same = {"ios": {"minimum": "2.0.0", "recommended": "2"}}
    newer = {"ios": {"minimum": "1.9", "recommended": "1.10"}}
    for versions in (same, newer):
        assert Settings(app_versions=versions).app_versions["ios"].store_url is None


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
