"""PostgreSQL's own backups, by the commands of docs/operators.md, on a server of the test's own."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from api.participants.models import Participant
from tests.core.stored import rows
from tests.support.device import Device
from tests.support.postgres import SUPERUSER, free_port, installed_binaries
from tests.support.server import footing, running_server
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.full_only]


class Cluster:
    """A PostgreSQL server with an archive of its write-ahead log."""

    def __init__(self, folder: Path, binaries: Path) -> None:
        self.folder, self.binaries = folder, binaries
        self.data, self.wal, self.base = (folder / name for name in ("data", "wal", "base"))
        self.port = free_port()
        self.url = f"postgresql://{SUPERUSER}@127.0.0.1:{self.port}/postgres"

    def run(self, program: str, *arguments: str) -> None:
        as_user = ["runuser", "-u", SUPERUSER, "--"] if os.geteuid() == 0 else []
        command = [*as_user, str(self.binaries / program), *arguments]
        subprocess.run(command, check=True, cwd=self.folder, stdout=subprocess.DEVNULL)

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
        log = str(self.folder / "log")
        self.run("pg_ctl", "start", "-w", "-D", str(self.data), "-l", log, "-o", options)

    def stop(self) -> None:
        self.run("pg_ctl", "stop", "-w", "-m", "fast", "-D", str(self.data))

    def configure(self, *lines: str) -> None:
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write("".join(f"{line}\n" for line in lines))

    def ask(self, statement: str) -> object:
        async def work() -> object:
            connection = await asyncpg.connect(self.url)
            try:
                return await connection.fetchval(statement)
            finally:
                await connection.close()

        return asyncio.run(work())


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    binaries = installed_binaries()
    assert binaries is not None, "pg_basebackup is part of Debian's postgresql"
    folder = Path("/tmp") / f"footing-point-in-time-{os.getpid()}"  # noqa: S108  # its user may look into it
    folder.mkdir(mode=0o755)
    if os.geteuid() == 0:
        shutil.chown(folder, SUPERUSER)
    cluster = Cluster(folder, binaries)
    cluster.run("initdb", "-D", str(cluster.data), "-U", SUPERUSER, "-A", "trust", "--locale=C")
    cluster.wal.mkdir()
    if os.geteuid() == 0:
        shutil.chown(cluster.wal, SUPERUSER)
    cluster.configure(
        "archive_mode = on",
        f"archive_command = 'test ! -f {cluster.wal}/%f && cp %p {cluster.wal}/%f'",
    )
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def test_a_database_goes_back_to_a_moment_and_later_erasures_stay(
    cluster: Cluster, tmp_path: Path
) -> None:
    log = {"publication_log": str(tmp_path / "publications.log")}

    def succeed(*arguments: str) -> str:
        done = footing(*arguments, database_url=cluster.url, folder=tmp_path, **log)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    succeed("migrate")
    succeed("seed")
    with (
        running_server(cluster.url, tmp_path, **log) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        stays, leaves, later = Device(client), Device(client), Device(client)
        stays.enrol()
        cluster.run(
            *("pg_basebackup", f"--pgdata={cluster.base}", "--checkpoint=fast"),
            *("--wal-method=stream", f"--dbname={cluster.url}"),
        )
        # After the base backup: this comes from the archive.
        leaves.enrol()
        assert stays.post_session(stays.session()).status_code == 201
        moment = cluster.ask("SELECT now()::text")
        later.enrol()
        assert client.delete("/v1/me", headers=leaves.headers).status_code == 200
    cluster.ask("SELECT pg_switch_wal()")
    cluster.stop()

    shutil.rmtree(cluster.data)
    cluster.base.rename(cluster.data)
    cluster.configure(
        f"restore_command = 'cp {cluster.wal}/%f %p'",
        f"recovery_target_time = '{moment}'",
        "recovery_target_action = 'promote'",
    )
    (cluster.data / "recovery.signal").touch()
    cluster.start()
    wait_until(lambda: not cluster.ask("SELECT pg_is_in_recovery()"))
    there = {str(row["participant_id"]) for row in rows(cluster.url, Participant)}
    assert there == {stays.participant_id, leaves.participant_id}

    done = footing("check", "--operations", database_url=cluster.url, folder=tmp_path, **log)
    assert done.returncode == 1
    assert "1 participants to erase again" in done.stdout
    with (
        running_server(cluster.url, tmp_path, **log) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        stays.client = leaves.client = client
        assert len(stays.get("/v1/sessions").json()["items"]) == 1
        assert leaves.get("/v1/me").status_code == 401
    succeed("check", "--operations")
