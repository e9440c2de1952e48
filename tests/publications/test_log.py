"""The publication log: a line is complete or missing, whatever happens to the disk."""

import asyncio
import datetime
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import pytest

from api.core.errors import NotReady, Unavailable
from api.publications.log import PublicationLog, hash_of

DAY = datetime.date(2026, 11, 22)
INSTALLATION = uuid.UUID(int=7)
# A file may not grow beyond so many bytes: a disk that is full after that, as the system says it.
ON_A_FULL_DISK = """
import asyncio, datetime, pathlib, resource, sys, uuid
from api.publications.log import PublicationLog
from api.core.errors import Unavailable
log = PublicationLog(pathlib.Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
for person in map(uuid.UUID, sys.argv[3:]):
    try:
        asyncio.run(log.erased(person, datetime.date(2026, 11, 22)))
        print("erased")
    except Unavailable as unavailable:
        print(unavailable.headers["Retry-After"])
"""


@pytest.fixture
def log(tmp_path: Path) -> PublicationLog:
    return PublicationLog(tmp_path / "publications.log")


def erase(log: PublicationLog, *people: uuid.UUID) -> set[str]:
    """Record erasures; return what is to be found in the log then."""
    for person in people:
        asyncio.run(log.erased(person, DAY))
    return set(map(hash_of, people))


def test_what_does_not_fit_on_the_disk_is_refused_and_leaves_nothing(log: PublicationLog) -> None:
    first, second, third, fourth = (uuid.uuid4() for _ in range(4))
    expected = erase(log, first)
    size = log.path.stat().st_size
    # One more line fits, and then all of a line but its end.
    limit = 3 * size - 1
    names = [str(limit), *map(str, (second, third))]
    done = subprocess.run(
        [sys.executable, "-c", ON_A_FULL_DISK, log.path, *names],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["erased", "60"]
    assert log.path.stat().st_size == 2 * size
    expected |= erase(log, fourth) | {hash_of(second)}
    assert log.read(INSTALLATION).erased == expected


def test_a_disk_that_takes_nothing_at_all_is_reported_as_a_problem() -> None:
    full = PublicationLog(Path("/dev/full"))
    with pytest.raises(Unavailable, match="nothing was erased"):
        erase(full, uuid.uuid4())
    with pytest.raises(NotReady, match="Cannot write the publication log /dev/full: No space left"):
        full.begin(INSTALLATION, DAY)


def test_an_erasure_that_cannot_be_recorded_does_not_happen(tmp_path: Path) -> None:
    log = PublicationLog(tmp_path / "no-such-folder" / "publications.log")
    with pytest.raises(Unavailable, match="nothing was erased"):
        erase(log, uuid.uuid4())


@pytest.mark.parametrize("left", [b'{"erased": "0f', b"\0\0\0\0", b"{" * 200_000])
def test_a_line_that_was_cut_off_is_left_out_and_the_next_one_takes_its_place(
    log: PublicationLog, left: bytes
) -> None:
    """As after a power cut within a write: it was never acknowledged."""
    expected = erase(log, uuid.uuid4())
    whole = log.path.read_bytes()
    log.path.write_bytes(whole + left)
    cut_off = log.read(INSTALLATION)
    assert cut_off.unfinished
    assert cut_off.erased == expected
    expected |= erase(log, uuid.uuid4())
    assert log.path.read_bytes().startswith(whole)
    assert log.read(INSTALLATION).erased == expected
    assert not log.read(INSTALLATION).unfinished


def test_a_last_line_that_lacks_only_its_end_counts(log: PublicationLog) -> None:
    expected = erase(log, uuid.uuid4())
    log.path.write_bytes(log.path.read_bytes().rstrip(b"\n"))
    assert log.read(INSTALLATION).erased == expected
    expected |= erase(log, uuid.uuid4())
    assert log.read(INSTALLATION).erased == expected


def test_a_log_that_holds_nothing_but_a_torn_line_starts_again(log: PublicationLog) -> None:
    log.path.write_bytes(b'{"era')
    expected = erase(log, uuid.uuid4())
    assert log.read(INSTALLATION).erased == expected


def test_a_line_in_the_middle_that_cannot_be_understood_is_named(log: PublicationLog) -> None:
    erase(log, uuid.uuid4())
    log.path.write_bytes(b'{"erased": "0f{"erased": "aa"}\n' + log.path.read_bytes())
    with pytest.raises(NotReady, match="Line 1 of the publication log"):
        log.read(INSTALLATION)


def test_writers_at_the_same_moment_leave_whole_lines(log: PublicationLog) -> None:
    people = [[uuid.uuid4() for _ in range(20)] for _ in range(4)]
    threads = [threading.Thread(target=erase, args=(log, *some)) for some in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.read(INSTALLATION).erased == {hash_of(one) for some in people for one in some}


def test_it_is_known_whose_log_it_is(log: PublicationLog) -> None:
    assert not log.read(INSTALLATION).knows_installation
    log.begin(uuid.uuid4(), DAY)
    assert not log.read(INSTALLATION).knows_installation
    log.begin(INSTALLATION, DAY)
    assert log.read(INSTALLATION).knows_installation
