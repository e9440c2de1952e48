"""The wheel serves on its own, and the lock holds what was asked for and nothing else."""

import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import httpx
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.postgres import free_port
from tests.support.server import Server, environment, stopping

ROOT = Path(__file__).parents[2]
PARTS = ("# Run time", "# Publish", "# Build", "# Development")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture
def installed(wheel: Path, tmp_path: Path) -> Path:
    """Install the wheel where nothing knows of the checkout; return its Python."""
    home = tmp_path / "venv"
    venv.create(home)
    python = home / "bin" / "python"
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--offline", "--no-deps"]
    subprocess.run([*install, "--python", python, wheel], check=True)
    # The libraries are those of this environment; its editable install is not followed.
    (site,) = home.glob("lib/python*/site-packages")
    libraries = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site / "libraries.pth").write_text("\n".join(libraries), "utf-8")
    return python


# The commands one after another, in one process: each start costs seconds.
COMMANDS = """
from api.commands.app import app
for name in ("check", "migrate", "seed"):
    app([name], standalone_mode=False)
"""


def test_an_installed_wheel_checks_migrates_seeds_and_serves_in_an_empty_folder(
    installed: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "elsewhere"
    empty.mkdir()
    env = environment("sqlite:///footing.db")
    subprocess.run([installed, "-c", COMMANDS], cwd=empty, env=env, check=True)
    port = free_port()
    log = empty / "server.log"
    with log.open("wb") as output:
        command = [str(installed.with_name("footing")), "serve", "--port", str(port)]
        process = subprocess.Popen(
            command, cwd=empty, env=env, stdout=output, stderr=subprocess.STDOUT
        )
    serving = Server(f"http://127.0.0.1:{port}", log, process)
    with stopping(serving):
        routine = httpx.get(f"{serving.url}/v1/routines/daily-15-minutes")
        assert routine.json()["id"] == "daily-15-minutes"
        page = httpx.get(f"{serving.url}/docs").raise_for_status()
        scripts = re.findall(r'src="([^"]+)"', page.text)
        assert scripts
        for script in scripts:
            httpx.get(httpx.URL(page.url).join(script)).raise_for_status()


def files_below(folder: str) -> set[str]:
    found = (path for path in (ROOT / folder).rglob("*") if path.is_file())
    return {
        path.relative_to(ROOT).as_posix() for path in found if path.parent.name != "__pycache__"
    }


def test_the_wheel_holds_the_code_the_content_and_the_migrations_and_nothing_else(
    wheel: Path,
) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assets = files_below("seed") | files_below("alembic")
    expected = files_below("api") | {f"api/_bundled/{path}" for path in assets}
    assert {name for name in names if not name.startswith("footing-")} == expected


def test_an_editable_install_is_the_checkout_and_copies_nothing() -> None:
    files = metadata.distribution("footing").files or []
    assert not [path for path in files if path.parts[0] == "api"]


@dataclass(frozen=True)
class Pin:
    """One entry of the lock."""

    part: str
    requirement: Requirement
    hashes: tuple[str, ...]

    @property
    def name(self) -> str:
        return canonicalize_name(self.requirement.name)

    @property
    def is_for_here(self) -> bool:
        marker = self.requirement.marker
        return marker is None or marker.evaluate()


def pins() -> Iterator[Pin]:
    part = ""
    text = (ROOT / "requirements.lock").read_text("utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if line.startswith("#"):
            part = line
        else:
            requirement, *hashes = re.split(r"\s+--hash=", line.strip())
            yield Pin(part, Requirement(requirement), tuple(hashes))


LOCK = list(pins())
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def group(name: str) -> list[Requirement]:
    """Return a dependency group with those that it includes."""
    found: list[Requirement] = []
    for entry in PROJECT["dependency-groups"][name]:
        is_name = isinstance(entry, str)
        found += [Requirement(entry)] if is_name else group(entry["include-group"])
    return found


ASKED = {
    # The image has the client for Redis too, since it is where several workers run.
    "# Run time": [
        Requirement(entry)
        for entry in (
            *PROJECT["project"]["dependencies"],
            *PROJECT["project"]["optional-dependencies"]["redis"],
        )
    ],
    "# Publish": [
        Requirement(entry) for entry in PROJECT["project"]["optional-dependencies"]["publish"]
    ],
    "# Build": group("build"),
    "# Development": group("dev"),
}


def closure(asked: Iterable[Requirement]) -> set[str]:
    """Name everything that these need on this machine, by what the installed packages say."""
    todo = [(requirement, extra) for requirement in asked for extra in ("", *requirement.extras)]
    seen: set[tuple[str, str]] = set()
    while todo:
        requirement, extra = todo.pop()
        key = (canonicalize_name(requirement.name), extra)
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if key in seen or not applies:
            continue
        seen.add(key)
        for text in metadata.requires(requirement.name) or []:
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                bare = Requirement(f"{needed.name}[{','.join(needed.extras)}]")
                todo += [(bare, wanted) for wanted in ("", *needed.extras)]
    return {name for name, _ in seen}


def test_the_lock_is_pins_with_hashes_in_four_parts_and_names_no_registry() -> None:
    assert tuple(dict.fromkeys(pin.part for pin in LOCK)) == PARTS
    for pin in LOCK:
        (specifier,) = pin.requirement.specifier
        assert specifier.operator == "=="
        assert pin.requirement.url is None
        assert pin.hashes
        assert all(re.fullmatch("sha256:[0-9a-f]{64}", each) for each in pin.hashes)
    text = (ROOT / "requirements.lock").read_text("utf-8")
    assert "://" not in text
    assert not re.search(r"^-", text, re.MULTILINE)


def test_the_lock_answers_everything_that_pyproject_asks_for() -> None:
    """When this fails: make lock."""
    for requirement in (*ASKED["# Run time"], *ASKED["# Development"]):
        name = canonicalize_name(requirement.name)
        found = [pin for pin in LOCK if pin.name == name]
        assert found, f"{name} is not in requirements.lock"
        for pin in found:
            (specifier,) = pin.requirement.specifier
            assert requirement.specifier.contains(specifier.version, prereleases=True), name


def test_each_part_of_the_lock_holds_what_it_needs_and_no_more() -> None:
    needed: set[str] = set()
    for part in PARTS:
        more = closure(ASKED[part]) - needed
        assert {pin.name for pin in LOCK if pin.part == part and pin.is_for_here} == more
        needed |= more
