"""A real PgBouncer in transaction mode, in front of the tests' own PostgreSQL."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import make_url

from tests.support.postgres import SUPERUSER, free_port
from tests.support.waiting import wait_until_it_listens

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
# Fewer than the clients have connections, so that transactions really change places.
SERVER_CONNECTIONS = 3


@contextlib.contextmanager
def pooled(database_url: str) -> Iterator[str]:
    """Yield the URL of the same database through PgBouncer, which ends with the block."""
    assert PROGRAM is not None
    url = make_url(database_url)
    folder = Path(tempfile.mkdtemp(prefix="footing-pgbouncer-"))
    port = free_port()
    (folder / "users").write_text(f'"{SUPERUSER}" ""\n', "utf-8")
    (folder / "pgbouncer.ini").write_text(
        f"""\
[databases]
{url.database} = host={url.host} port={url.port} dbname={url.database}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
logfile = {folder}/log
pool_mode = transaction
default_pool_size = {SERVER_CONNECTIONS}
max_client_conn = 200
""",
        "utf-8",
    )
    # It refuses to run as root.
    user = "nobody" if os.geteuid() == 0 else None
    if user is not None:
        shutil.chown(folder, user)
    process = subprocess.Popen(
        [PROGRAM, "--quiet", str(folder / "pgbouncer.ini")], user=user, stderr=subprocess.DEVNULL
    )
    try:
        wait_until_it_listens(port)
        yield url.set(port=port).render_as_string(hide_password=False)
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)
