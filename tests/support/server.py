"""Real processes of `footing`: commands run to their end, and servers.

Importing the product takes seconds, so one process a worker has imported it and does nothing else:
every `footing` is forked from there. What a test gets is a process of its own with its own
environment, folder and output, which can be killed like any other.
"""

import contextlib
import json
import multiprocessing
import os
import signal
import socketserver
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx

from api.commands.app import COMMANDS
from tests.support import time_travel
from tests.support.postgres import free_port
from tests.support.waiting import PATIENCE_SECONDS, wait_until

FOOTING = Path(sys.executable).with_name("footing")

forkserver = multiprocessing.get_context("forkserver")
forkserver.set_forkserver_preload(
    # With what commands import by name only when they need it.
    [
        "__main__",
        "tests.support.server",
        *(f"api.commands.{name}" for name in COMMANDS),
        "api.publications.noise",
        "opendp.prelude",
        "uvicorn.loops.uvloop",
        "uvicorn.protocols.http.httptools_impl",
        "aiosqlite",
        "asyncpg",
    ]
)


class RunningProcess(Protocol):
    """A process as tests use it."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float) -> int: ...
    def kill(self) -> None: ...
    def terminate(self) -> None: ...


def _become(
    arguments: Sequence[str], env: dict[str, str], folder: str, stdout: str, stderr: str
) -> None:
    """Turn a forked process into the command."""
    threading.Thread(target=_end_with_the_test, daemon=True).start()
    out = os.open(stdout, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    err = out if stderr == stdout else os.open(stderr, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    time_travel.inherit_time()
    sys.argv = [str(FOOTING), *arguments]
    from api.commands.app import app  # noqa: PLC0415  # in the forked process, which has it already

    app()


def _end_with_the_test() -> None:
    """Leave nothing behind of a test that was killed because it hung."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGKILL)


class Forked:
    """A `footing` process, forked from the one that has imported it."""

    def __init__(
        self,
        arguments: Sequence[str],
        env: dict[str, str],
        folder: Path,
        stdout: Path,
        stderr: Path | None = None,
    ) -> None:
        given = (arguments, env, str(folder), str(stdout), str(stderr or stdout))
        self._process = forkserver.Process(target=_become, args=given)
        self._process.start()

    @property
    def pid(self) -> int:
        """Return its id."""
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """Return its exit code, once it has ended."""
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        """Wait for its end, and return its exit code."""
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired("footing", timeout)
        return code

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def terminate(self) -> None:
        """Ask it to end."""
        self._process.terminate()


# A shell starts this in place of `footing`: it passes its arguments, environment, folder and output
# to the process of the tests, and ends with the exit code of the command.
LAUNCHER = """#!{python} -ISE
import json, os, socket, sys
line = json.dumps([os.getpid(), sys.argv[1:], dict(os.environ), os.getcwd()])
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect({address!r})
    connection.sendall(line.encode() + b"\\n")
    sys.exit(int(connection.makefile().readline()))
"""


class _Launch(socketserver.StreamRequestHandler):
    """Runs one command for its launcher."""

    def handle(self) -> None:
        """Run it to its end, and answer with its exit code."""
        pid, arguments, env, folder = json.loads(self.rfile.readline())
        # Today, even if the tests run at another time: in two years every review is overdue.
        env.pop(time_travel.OFFSET, None)
        stdout, stderr = (Path(f"/proc/{pid}/fd/{number}") for number in (1, 2))
        process = Forked(arguments, env, Path(folder), stdout, stderr)
        try:
            code = process.wait(PATIENCE_SECONDS)
        finally:
            process.kill()
        self.wfile.write(f"{code}\n".encode())


@contextlib.contextmanager
def launcher(path: Path) -> Iterator[None]:
    """Write a program that a shell can run as `footing`, without importing the product again."""
    with tempfile.TemporaryDirectory(prefix="footing-launcher-") as folder:
        address = f"{folder}/socket"
        server = socketserver.ThreadingUnixStreamServer(address, _Launch)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        path.write_text(LAUNCHER.format(python=sys.executable, address=address), "utf-8")
        path.chmod(0o755)
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


@dataclass(frozen=True)
class Server:
    """A server that listens, and what it has written so far."""

    url: str
    log_file: Path
    process: RunningProcess

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
    with tempfile.TemporaryDirectory(prefix="footing-output-") as output:
        stdout, stderr = Path(output, "stdout"), Path(output, "stderr")
        process = Forked(arguments, environment(database_url, **settings), folder, stdout, stderr)
        try:
            code = process.wait(PATIENCE_SECONDS)
        finally:
            process.kill()
        printed = [path.read_text("utf-8") if path.exists() else "" for path in (stdout, stderr)]
        return subprocess.CompletedProcess(arguments, code, *printed)


@contextlib.contextmanager
def running_server(
    database_url: str, folder: Path, port: int = 0, /, **settings: str
) -> Iterator[Server]:
    """Start `footing serve`, and stop it as a container engine does.

    On a free port, or on the one that an earlier server had: devices know no other address.
    """
    port = port or free_port()
    log_file = folder / f"server-{port}.log"
    arguments = ("serve", "--port", str(port))
    process = Forked(arguments, environment(database_url, **settings), folder, log_file)
    server = Server(f"http://127.0.0.1:{port}", log_file, process)
    with stopping(server):
        yield server


@contextlib.contextmanager
def stopping(server: Server) -> Iterator[None]:
    """Wait until a server serves, and stop it in the end."""
    try:
        wait_until_ready(server)
        yield
    finally:
        server.process.terminate()
        try:
            server.process.wait(PATIENCE_SECONDS)
        finally:
            server.process.kill()


def wait_until_ready(server: Server) -> None:
    """Wait until a server answers that it can serve."""

    def is_ready() -> bool:
        assert server.process.poll() is None, server.log
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{server.url}/readyz").status_code == httpx.codes.OK
        return False

    wait_until(is_ready, lambda: server.log)
