"""Behind a real nginx that compresses: what a client has read can still be changed."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.device import Device
from tests.support.postgres import free_port
from tests.support.server import running_server
from tests.support.waiting import PATIENCE_SECONDS, wait_until_it_listens

SCHEDULE = "/v1/me/schedule"
CONFIGURATION = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    gzip on;
    gzip_types application/json;
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass {upstream}; }}
    }}
}}
"""


@contextlib.contextmanager
def nginx_before(upstream: str, folder: Path) -> Iterator[str]:
    """Run an nginx of the test's own that compresses what it passes on."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("needs nginx")
    port = free_port()
    configuration = folder / "nginx.conf"
    text = CONFIGURATION.format(folder=folder, port=port, upstream=upstream)
    configuration.write_text(text, "utf-8")
    log = folder / "error.log"
    process = subprocess.Popen([program, "-e", str(log), "-c", str(configuration)])
    try:
        wait_until_it_listens(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def test_a_schedule_read_through_a_proxy_that_compresses_can_be_changed(
    database_url: str, tmp_path: Path
) -> None:
    with (
        running_server(database_url, tmp_path) as server,
        nginx_before(server.url, tmp_path) as url,
        httpx.Client(base_url=url) as client,
    ):
        device = Device(client)
        device.enrol()
        first = device.put(SCHEDULE, device.schedule(), **{"If-None-Match": "*"})
        read = device.get(SCHEDULE)
        assert read.headers["Content-Encoding"] == "gzip"
        assert read.headers["ETag"] == f"W/{first.headers['ETag'].removeprefix('W/')}"
        tag = {"If-Match": read.headers["ETag"]}
        changed = device.put(SCHEDULE, device.schedule(times=["09:00"]), **tag)
        assert changed.status_code == 200
        # A client that has not seen it is still rejected.
        late = device.put(SCHEDULE, device.schedule(times=["10:00"]), **tag)
        assert late.status_code == 412
        assert device.delete(SCHEDULE, **tag).status_code == 412
        assert device.delete(SCHEDULE, **{"If-Match": late.headers["ETag"]}).status_code == 204
