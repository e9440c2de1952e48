"""What the Dockerfile and compose.yaml promise, as far as it shows without a container engine."""

import ipaddress
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_group

from api.commands.app import app as command
from api.core.config import Settings
from tests.support.server import running_server

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
# One instruction a line, without comments.
INSTRUCTIONS = [
    line
    for line in DOCKERFILE.replace("\\\n", " ").splitlines()
    if line and not line.startswith("#")
]
LAST_STAGE = INSTRUCTIONS[
    max(place for place, line in enumerate(INSTRUCTIONS) if line.startswith("FROM")) :
]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "footing"}


def last(instruction: str) -> str:
    """Return what the finished image says of this; the last word counts."""
    found = [line for line in LAST_STAGE if line.startswith(f"{instruction} ")]
    return found[-1].removeprefix(instruction).strip()


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_runs_as_a_numbered_user_who_is_not_root() -> None:
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", last("USER"))


def test_the_image_serves_and_leaves_migrations_and_content_to_their_own_steps() -> None:
    assert json.loads(last("ENTRYPOINT")) == ["footing"]
    assert json.loads(last("CMD")) == ["serve", "--host", "0.0.0.0"]  # noqa: S104  # in a container
    assert not [line for line in LAST_STAGE if re.search(r"migrate|seed", line)]


def test_the_image_writes_nowhere_but_in_data_and_log() -> None:
    (environment,) = (line for line in LAST_STAGE if line.startswith("ENV"))
    assert "PYTHONDONTWRITEBYTECODE=1" in environment
    assert "FOOTING_DATABASE_URL=sqlite:////data/" in environment
    assert last("VOLUME") == "/data"
    assert last("RUN").endswith(" /data /log")


def test_a_restore_of_the_database_does_not_reach_the_publication_log() -> None:
    """Neither in the image nor in the compose file do the two share a volume."""
    (environment,) = (line for line in LAST_STAGE if line.startswith("ENV"))
    assert "FOOTING_PUBLICATION_LOG=/log/" in environment
    volumes = {name: dict(map(split_volume, SERVICES[name]["volumes"])) for name in ("db", "api")}
    assert volumes["api"]["/log"] not in volumes["db"].values()
    assert volumes["api"]["/log"] in COMPOSE["volumes"]


def split_volume(volume: str) -> tuple[str, str]:
    """Return where a volume is to be found in the container, and its name."""
    name, _, place = volume.partition(":")
    return place, name


def test_the_image_takes_the_lock_without_the_development_part(tmp_path: Path) -> None:
    """The commands that part the lock are run as the Dockerfile has them."""
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    before, development = lock.split("# Development\n")
    run_time, build = before.split("# Build\n")
    (tmp_path / "requirements.lock").write_text(lock, "utf-8")
    (parting,) = (line for line in INSTRUCTIONS if line.startswith("RUN sed"))
    seds = [step.strip() for step in parting.removeprefix("RUN").split("&&") if " sed " in step]
    subprocess.run(["sh", "-ec", " && ".join(seds)], cwd=tmp_path, check=True)
    assert (tmp_path / "image.lock").read_text("utf-8") == before
    assert (tmp_path / "build.lock").read_text("utf-8") == "# Build\n" + build
    assert "fastapi==" in run_time
    assert "hatchling==" in build
    assert "pytest==" in development
    installs = re.findall(r"pip install (.*?)(?:&&|$)", "\n".join(INSTRUCTIONS), re.MULTILINE)
    assert [install.strip() for install in installs] == [
        "--require-hashes --no-deps --only-binary :all: -r image.lock",
        "--no-deps --no-build-isolation .",
    ]


def test_everything_that_is_copied_is_there_and_let_through() -> None:
    ignored, *let_through = [
        line
        for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    assert ignored == "*"
    copies = [line.split()[1:-1] for line in INSTRUCTIONS if line.startswith("COPY")]
    sources = {source for copy in copies for source in copy if not copy[0].startswith("--from")}
    assert sources == {line.removeprefix("!") for line in let_through if line.startswith("!")}
    assert all((ROOT / source).exists() for source in sources)


def test_the_health_check_detects_a_server_that_does_not_respond(
    database_url: str, tmp_path: Path
) -> None:
    _, _, check = last("HEALTHCHECK").partition("CMD ")
    python, option, program = json.loads(check)
    assert (python, option) == ("python", "-c")

    def code(url: str) -> int:
        aimed = program.replace("http://127.0.0.1:8000", url)
        assert url in aimed
        done = subprocess.run([sys.executable, "-c", aimed], capture_output=True, check=False)
        return done.returncode

    with running_server(database_url, tmp_path) as server:
        assert code(server.url) == 0
        assert code(f"{server.url}/nothing") == 1
    assert code(server.url) == 1


def test_compose_requires_a_password_and_has_no_default() -> None:
    text = (ROOT / "compose.yaml").read_text("utf-8")
    passwords = re.findall(r"\$\{POSTGRES_PASSWORD[^}]*\}", text)
    assert passwords
    assert all(password.startswith("${POSTGRES_PASSWORD:?") for password in passwords)
    assert SERVICES["db"]["environment"]["POSTGRES_PASSWORD"] in passwords
    for service in OURS.values():
        assert f"footing:{passwords[0]}@db/" in service["environment"]["FOOTING_DATABASE_URL"]


def test_compose_migrates_then_seeds_then_serves() -> None:
    waits = {
        name: {before: wait["condition"] for before, wait in service.get("depends_on", {}).items()}
        for name, service in SERVICES.items()
    }
    done = "service_completed_successfully"
    assert waits == {
        "db": {},
        "migrate": {"db": "service_healthy"},
        "seed": {"migrate": done},
        "api": {"seed": done},
    }
    assert SERVICES["db"]["healthcheck"]["test"]
    commands = {name: service.get("command") for name, service in OURS.items()}
    assert commands == {"migrate": ["migrate"], "seed": ["seed"], "api": None}
    assert {"migrate", "seed", "serve"} <= set(get_group(command).commands)


@pytest.mark.parametrize("name", OURS)
def test_compose_runs_the_image_on_a_read_only_file_system_without_privileges(name: str) -> None:
    service = OURS[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    settings = {f"FOOTING_{field.upper()}" for field in Settings.model_fields}
    settings.add("FORWARDED_ALLOW_IPS")
    assert set(service["environment"]) <= settings
    assert "privileged" not in service


def test_compose_pins_the_major_version_of_postgresql_and_opens_only_this_machine() -> None:
    assert re.fullmatch(r"postgres:\d+", SERVICES["db"]["image"])
    assert "ports" not in SERVICES["db"]
    assert SERVICES["api"]["ports"] == ["127.0.0.1:${PORT:-8000}:8000"]


def test_only_a_proxy_on_the_same_machine_is_trusted() -> None:
    """Otherwise all clients behind it would share one budget, or choose their own address."""
    (config,) = COMPOSE["networks"]["default"]["ipam"]["config"]
    gateway = ipaddress.ip_address(config["gateway"])
    assert gateway in ipaddress.ip_network(config["subnet"])
    for name, service in OURS.items():
        default = f"${{FORWARDED_ALLOW_IPS:-{gateway}}}"
        assert service["environment"]["FORWARDED_ALLOW_IPS"] == default, name
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), name
