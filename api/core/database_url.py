"""Database URLs as hosting providers write them, converted for the driver.

Parameters that the driver does not support are rejected by name, not ignored: some concern safety.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

SQLITE, POSTGRESQL = "sqlite+aiosqlite", "postgresql+asyncpg"
DRIVERS = {"sqlite": SQLITE, "postgresql": POSTGRESQL, "postgres": POSTGRESQL}

# Other spellings of a parameter.
SAME = {"ssl": "sslmode", "fallback_application_name": "application_name"}
# asyncpg reads these by itself.
UNDERSTOOD = {
    *("application_name", "options", "passfile", "krbsrvname", "gsslib", "target_session_attrs"),
    *("sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl", "sslnegotiation"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version"),
}
# These are read here, or by SQLAlchemy.
OURS = {"host", "port", "connect_timeout"}
FILES = {"sslrootcert", "sslcert", "sslkey", "sslcrl", "passfile"}
# The machine's own certificate authorities, since PostgreSQL 16.
SYSTEM = "system"
ONE_OF = {
    "sslmode": {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"},
    # A read-only server is of no use here.
    "target_session_attrs": {"any", "primary", "read-write"},
    # What the driver does anyway, or never does.
    "channel_binding": {"prefer", "disable"},
    "gssencmode": {"prefer", "disable"},
    "client_encoding": {"utf8", "utf-8", "auto"},
    "load_balance_hosts": {"disable"},
    "sslcompression": {"0"},
    "sslsni": {"1"},
    # Poolers are detected without it.
    "pgbouncer": {"true", "false"},
}
INSTEAD = {
    "channel_binding": "use sslmode=verify-full with an sslrootcert instead",
    "connection_limit": "set FOOTING_DATABASE_POOL_SIZE",
}
# Parts of a URL that may also be in its query.
MOVED = {"user": "username", "password": "password", "dbname": "database"}
SSL_FLAGS = {"true": "require", "1": "require", "false": "disable", "0": "disable"}
# Of several hosts, "h1:1,h2:2"; SQLAlchemy reads them from the query alone.
SEVERAL_HOSTS = re.compile(r"^(postgres\w*(?:\+\w+)?://(?:[^@/?]*@)?)([^/?@]*,[^/?@]*)(.*)$")


def read_url(value: str) -> URL:
    """Convert a URL for SQLAlchemy; raise ValueError without repeating a possible password."""
    several = SEVERAL_HOSTS.match(value)
    if several is not None:
        before, hosts, behind = several.groups()
        value = before + behind
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):
        message = "is not a database URL such as sqlite:///footing.db"
        raise ValueError(message) from None
    drivername = DRIVERS.get(url.drivername, url.drivername)
    if drivername not in DRIVERS.values():
        message = f"{url.drivername} is not supported: use sqlite or postgresql"
        raise ValueError(message)
    url = url.set(drivername=drivername)
    if drivername == SQLITE:
        return url
    if several is not None:
        pairs = [host.partition(":")[::2] for host in hosts.split(",")]
        names = ",".join(name for name, _ in pairs)
        ports = ",".join(port or "5432" for _, port in pairs)
        url = url.update_query_dict({"host": names, "port": ports})
    return url.set(query=_parameters(url), **_moved(url))


def _given(url: URL) -> dict[str, str]:
    """Return the parameters that have a value; of one that is repeated the last counts."""
    return {
        SAME.get(name, name): value if isinstance(value, str) else value[-1]
        for name, value in url.query.items()
        if value and value[-1]
    }


def _moved(url: URL) -> dict[str, Any]:
    """Return the parts of the query that override the URL's own."""
    given = _given(url)
    return {
        place: given[name]
        for name, place in MOVED.items()
        if name in given and not getattr(url, place)
    }


def _parameters(url: URL) -> dict[str, str]:
    """Check the parameters, and omit those that mean nothing to the driver."""
    given = {name: value for name, value in _given(url).items() if name not in MOVED}
    if "sslmode" in given:
        given["sslmode"] = SSL_FLAGS.get(given["sslmode"].lower(), given["sslmode"])
    for name, value in given.items():
        _check(name, value)
    if given.get("sslrootcert") == SYSTEM and given.get("sslmode", "verify-full") != "verify-full":
        message = "sslrootcert=system needs sslmode=verify-full"
        raise ValueError(message)
    return {name: value for name, value in given.items() if name in UNDERSTOOD | OURS}


def _check(name: str, value: str) -> None:
    if name in ONE_OF:
        if value.lower() not in ONE_OF[name]:
            choice = " or ".join(sorted(ONE_OF[name]))
            raise _refused(name, f"{name} can only be {choice} here")
    elif name == "connect_timeout":
        if not re.fullmatch(r"-?[0-9]{1,9}", value):
            raise _refused(name, "connect_timeout is not a whole number of seconds")
    elif name in FILES:
        if value != SYSTEM and not Path(value).is_file():
            raise _refused(name, f"{name} names a file that does not exist")
    elif name not in UNDERSTOOD | OURS:
        raise _refused(name, f"the parameter {name} is not known here")


def _refused(name: str, message: str) -> ValueError:
    return ValueError(f"{message}; {INSTEAD.get(name, 'change it or leave it out')}")


def for_driver(url: URL, timeout: float) -> tuple[URL, Mapping[str, Any]]:
    """Split a PostgreSQL URL into a part for SQLAlchemy and arguments for asyncpg.

    `timeout` is the default for how many seconds connecting may take.
    """
    query = dict(url.query)
    # Without a limit, connecting to a server that vanished would wait forever.
    seconds = int(str(query.pop("connect_timeout", 0)))
    arguments: dict[str, Any] = {"timeout": float(seconds) if seconds > 0 else timeout}
    if query.get("sslrootcert") == SYSTEM:
        arguments["ssl"] = True
        for name in ("sslrootcert", "sslmode"):
            query.pop(name, None)
    places: dict[str, Any] = {name: query.pop(name) for name in ("host", "port") if name in query}
    if query:
        # asyncpg reads the rest itself, and only from a URL.
        arguments["dsn"] = f"postgresql://?{urlencode(query)}"
    return url.set(query=places), arguments
