"""`footing publish` as an operator meets it."""

import asyncio
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

from api.aggregates.estimates import PainEstimateRange, Quantity
from api.aggregates.reading import cells_of, table_estimates
from api.core.config import SEED_FOLDER
from api.participants.models import Participant
from api.publications.log import PublicationLog, hash_of
from api.publications.measures import TableName
from api.publications.models import Publication
from api.publications.reading import published
from api.publications.restoring import installation_id
from tests.conftest import AppMaker
from tests.core.stored import in_database, rows
from tests.publications.population import MONDAY, Person, install
from tests.publications.test_publishing import NoNoise, practising, publish, settle
from tests.support.device import Device
from tests.support.server import environment, footing, running_server

WITHOUT_OPENDP = """
import sys
sys.modules["opendp"] = None
from api.commands.app import app
app()
"""


def run(database_url: str, folder: Path, **settings: str) -> tuple[int, str, str]:
    done = footing("publish", database_url=database_url, folder=folder, **settings)
    return done.returncode, done.stdout, done.stderr


def installed_long_ago(database_url: str, folder: Path) -> uuid.UUID:
    """Make an installation old, with a log as old."""
    in_database(database_url, install)
    installation = in_database(database_url, installation_id)
    PublicationLog(folder / "footing-publications.log").begin(installation, MONDAY)
    return installation


def test_it_lists_what_it_closed_and_then_that_nothing_is_due(
    database_url: str, tmp_path: Path
) -> None:
    """On a database that was installed long ago, by the machine's own clock."""
    installed_long_ago(database_url, tmp_path)
    code, said, error = run(database_url, tmp_path)
    assert code == 0, error
    closed = [f"{row['kind']} {row['starts_on']}" for row in rows(database_url, Publication)]
    assert "week 2026-09-07" in closed
    assert sorted(line.split(" to ")[0] for line in said.splitlines()) == sorted(
        f"Closed {name}" for name in closed
    )
    assert "Publishing" in error
    assert run(database_url, tmp_path)[:2] == (0, "No period is due.\n")
    assert (tmp_path / "footing-publications.log").exists()


def test_a_fresh_installation_has_nothing_to_close(database_url: str, tmp_path: Path) -> None:
    assert run(database_url, tmp_path)[:2] == (0, "No period is due.\n")


def test_without_opendp_it_says_so_in_one_line(database_url: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_OPENDP, "publish"],
        env=environment(database_url),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "Publishing needs OpenDP, which is not installed: pip install 'footing[publish]'\n"
    )


def test_a_policy_with_a_wrong_scale_is_refused_and_nothing_is_published(
    database_url: str, tmp_path: Path
) -> None:
    in_database(database_url, install)
    seed = tmp_path / "seed"
    shutil.copytree(SEED_FOLDER, seed)
    policy = seed / "aggregates" / "standard.json"
    policy.write_text(policy.read_text("utf-8").replace('"scale": 144', '"scale": 72'), "utf-8")
    code, said, error = run(database_url, tmp_path, seed_folder=str(seed))
    assert (code, said) == (1, "")
    assert "rho of people is" in error
    assert error.count("\n") == 1
    assert not rows(database_url, Publication)


def test_the_pilot_profile_is_chosen_by_a_setting(database_url: str, tmp_path: Path) -> None:
    installed_long_ago(database_url, tmp_path)
    assert run(database_url, tmp_path, aggregates_profile="pilot")[0] == 0
    assert {row["profile"] for row in rows(database_url, Publication)} == {"pilot"}
    code, _, error = run(database_url, tmp_path, aggregates_profile="mine")
    assert code == 1
    assert "FOOTING_AGGREGATES_PROFILE" in error


def test_a_server_that_starts_on_a_restored_backup_erases_again(
    database_url: str, tmp_path: Path
) -> None:

    gone, log = practising(), tmp_path / "log"
    settle(database_url, gone)
    asyncio.run(PublicationLog(log).erased(gone.id, MONDAY))
    with running_server(database_url, tmp_path, publication_log=str(log)) as server:
        assert "Erased again after a restore: 1 participants" in server.log
    assert not rows(database_url, Participant)


def test_an_erasure_over_http_is_in_the_log_before_the_response(
    database_url: str, make_client: AppMaker, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    device = Device(make_client(database_url=database_url, publication_log=log))
    device.enrol()
    assert not log.exists()
    assert device.client.delete("/v1/me", headers=device.headers).status_code == 200
    assert hash_of(uuid.UUID(device.participant_id)) in log.read_text("utf-8")


def test_where_the_log_cannot_be_written_nothing_is_erased_and_no_server_starts(
    database_url: str, make_client: AppMaker, tmp_path: Path
) -> None:
    nowhere = tmp_path / "no-such-folder" / "log"
    device = Device(make_client(database_url=database_url, publication_log=nowhere))
    device.enrol()
    assert device.client.delete("/v1/me", headers=device.headers).status_code == 503
    assert device.get("/v1/me").status_code == 200
    done = footing(
        "serve", database_url=database_url, folder=tmp_path, publication_log=str(nowhere)
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Cannot write the publication log ")
    assert done.stderr.count("\n") == 1


def test_without_its_log_an_old_installation_publishes_only_with_an_explicit_option(
    database_url: str, tmp_path: Path
) -> None:
    """As after a restore with another path: each period would be drawn a second time."""
    in_database(database_url, install)
    installation = in_database(database_url, installation_id)
    log = tmp_path / "new.log"

    def footing_publish(*options: str) -> tuple[int, str]:
        done = footing(
            *("publish", *options),
            database_url=database_url,
            folder=tmp_path,
            publication_log=str(log),
        )
        return done.returncode, done.stderr

    code, said = footing_publish()
    assert code == 1
    assert said.startswith(f"The publication log {log} has no entry for this installation")
    assert said.endswith(f"footing publish --adopt-log {installation}\n")
    other = uuid.uuid4()
    code, said = footing_publish("--adopt-log", str(other))
    assert (code, said) == (1, f"This database is installation {installation}, not {other}.\n")
    assert not rows(database_url, Publication)
    assert footing_publish("--adopt-log", str(installation))[0] == 0
    assert len(rows(database_url, Publication)) > 5
    assert footing_publish()[0] == 0


def test_on_a_full_disk_nothing_is_erased_and_it_is_to_be_tried_again(
    database_url: str, make_client: AppMaker
) -> None:
    device = Device(make_client(database_url=database_url, publication_log=Path("/dev/full")))
    device.enrol()
    refused = device.client.delete("/v1/me", headers=device.headers)
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert device.get("/v1/me").status_code == 200


def test_what_is_read_is_what_was_published(database_url: str, tmp_path: Path) -> None:
    people = [practising() for _ in range(80)]
    settle(database_url, *people, Person())
    publish(database_url, tmp_path, noise=NoNoise())
    weeks = in_database(database_url, lambda db: published(db, "week", MONDAY))
    assert weeks[0].starts_on == MONDAY
    assert all(week.released for week in weeks)
    names = [week.id for week in weeks]
    cells = in_database(database_url, lambda db: cells_of(db, names))
    said = table_estimates(cells[names[0]], TableName.ROUTINE, PainEstimateRange(-5.0, 3.0))
    assert said["daily"][Quantity.PEOPLE].value == 80
    assert said["daily"][Quantity.ADHERENCE].value == 1
    assert said["massage"][Quantity.PEOPLE].value is None
