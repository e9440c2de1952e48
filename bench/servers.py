"""Starts the servers that are measured, each as a real process on one core."""

import contextlib
import http.client
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from bench.load import BenchError
from tests.support.postgres import free_port

ROOT = Path(__file__).parents[1]
FOOTING = (sys.executable, "-m", "api.commands.app")
# Nothing is refused for being too much, and everything is counted as in production.
UNLIMITED = {
    f"FOOTING_RATE_LIMIT_{name}": "1000000000/minute"
    for name in ("ENROLMENT", "PUBLIC", "PARTICIPANT")
}
PATIENCE_SECONDS = 60
# Servers have one core to themselves; clients and databases share the other.
SERVER_CORE, *_, CLIENT_CORE = sorted(os.sched_getaffinity(0)) * 2


@dataclass(frozen=True, slots=True)
class Server:
    """A server that responds."""

    url: str
    pid: int
    # From its start to its first response.
    start_seconds: float

    def cpu_seconds(self) -> float:
        """Return the processor time it has taken so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        # utime and stime; proc(5) counts from the process id.
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self) -> int:
        """Return its resident memory, with that of its workers."""
        pids = [self.pid]
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        pids += [int(pid) for pid in children.read_text("ascii").split()]
        return (
            sum(
                int(
                    re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text("ascii"))[0]
                )
                for pid in pids
            )
            * 1024
        )


@contextlib.contextmanager
def running(
    command: list[str], env: Mapping[str, str], ready: str, cpus: str | None = None
) -> Iterator[Server]:
    """Run a server on one core until the end of the block; `{port}` is replaced."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    pinned = ["taskset", "--cpu-list", cpus or str(SERVER_CORE)]
    with tempfile.TemporaryFile(prefix="footing-bench-log-") as log:
        process = subprocess.Popen(
            [*pinned, *(part.format(port=port) for part in command)],
            env={**os.environ, **env},
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
        try:
            started = time.perf_counter()
            while not _responds(port, ready):
                if process.poll() is not None or time.perf_counter() - started > PATIENCE_SECONDS:
                    log.seek(0)
                    raise BenchError(f"{command} does not serve: {log.read()[-2000:].decode()}")
                time.sleep(0.01)
            yield Server(url, process.pid, time.perf_counter() - started)
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE_SECONDS)
            finally:
                process.kill()


def _responds(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
        connection.request("GET", path)
        # A limit may have only one response, such as 304.
        return connection.getresponse().status < HTTPStatus.INTERNAL_SERVER_ERROR
    return False


def footing(*arguments: str, env: Mapping[str, str]) -> None:
    """Run a command of the product to its end."""
    subprocess.run(
        [*FOOTING, *arguments],
        env={**os.environ, **env},
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def serve_footing(
    database_url: str, settings: Mapping[str, str], workers: int = 1, cpus: str | None = None
) -> contextlib.AbstractContextManager[Server]:
    """Serve the product as in production."""
    env = {
        **UNLIMITED,
        **{f"FOOTING_{name.upper()}": value for name, value in settings.items()},
        "FOOTING_DATABASE_URL": database_url,
    }
    command = [*FOOTING, "serve", "--port", "{port}", "--workers", str(workers)]
    return running(command, env, "/readyz", cpus)


def serve(app: str, **env: str) -> contextlib.AbstractContextManager[Server]:
    """Serve a limit or a peer on the same uvicorn."""
    command = [sys.executable, "-m", "uvicorn", f"bench.{app}", "--port", "{port}"]
    command += ["--no-access-log", "--no-server-header", "--log-level", "warning", "--ws", "none"]
    return running(command, env, "/ready")
