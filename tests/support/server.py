"""A real server process, started as an operator starts it."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.support.postgres import free_port

FOOTING = Path(sys.executable).with_name("footing")
PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Server:
    """A server that listens, and what it has written so far."""

    url: str
    log_file: Path
    process: "subprocess.Popen[bytes]"

    def kill(self) -> None:
        """End it at once, as a power cut would: nothing is finished or tidied up."""
        self.process.kill()
        self.process.wait(PATIENCE_SECONDS)

    @property
    def log(self) -> str:
        return self.log_file.read_text("utf-8")


def environment(database_url: str, **settings: str) -> dict[str, str]:
    """Keep a developer's own settings away from the process."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("FOOTING_")}
    given = {f"FOOTING_{name.upper()}": value for name, value in settings.items()}
    return {**mine, **given, "FOOTING_DATABASE_URL": database_url}


def footing(
    *arguments: str, database_url: str, folder: Path, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [FOOTING, *arguments],
        env=environment(database_url, **settings),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


@contextlib.contextmanager
def running_server(
    database_url: str, folder: Path, port: int = 0, /, **settings: str
) -> Iterator[Server]:
    """Start `footing serve`, and stop it as a container engine does.

    On a free port, or on the one that an earlier server had: phones know no other address.
    """
    port = port or free_port()
    log_file = folder / f"server-{port}.log"
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            [FOOTING, "serve", "--port", str(port)],
            env=environment(database_url, **settings),
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        server = Server(f"http://127.0.0.1:{port}", log_file, process)
        try:
            wait_until_ready(server, process)
            yield server
        finally:
            process.terminate()
            process.wait(PATIENCE_SECONDS)


def wait_until_ready(server: Server, process: subprocess.Popen[bytes]) -> None:
    for _ in range(PATIENCE_SECONDS * 10):
        assert process.poll() is None, server.log
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{server.url}/readyz").status_code == httpx.codes.OK:
                return
        time.sleep(0.1)
    raise AssertionError(server.log)
