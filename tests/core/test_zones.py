"""Time zones: the same zone has one spelling, and what is none is taken for none."""

import datetime
from pathlib import Path

import pytest

import api
from api.core.zones import find_zone, known_names, one_spelling

NOON = datetime.datetime(2026, 11, 22, 12, 0, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("spelling", "one", "hours"),
    [
        ("+05:30", "+05:30", 5.5),
        ("+0530", "+05:30", 5.5),
        ("GMT+05:30", "+05:30", 5.5),
        ("GMT+0530", "+05:30", 5.5),
        ("UTC+5:30", "+05:30", 5.5),
        ("UTC+05:30:00", "+05:30", 5.5),
        ("UTC+2", "+02:00", 2),
        ("gmt+2", "+02:00", 2),
        ("-03", "-03:00", -3),
        ("-00:30", "-00:30", -0.5),
        ("UTC-12", "-12:00", -12),
        ("+14:00", "+14:00", 14),
        ("+00:00", "UTC", 0),
        ("-00:00", "UTC", 0),
        ("GMT+00:00", "UTC", 0),
        ("UTC+0", "UTC", 0),
        ("Z", "UTC", 0),
        ("UTC", "UTC", 0),
        # A name of its own, in which the sign means the opposite.
        ("Etc/GMT+2", "Etc/GMT+2", -2),
        ("Europe/Madrid", "Europe/Madrid", 1),
    ],
)
def test_a_zone_has_one_spelling_however_a_device_writes_it(
    spelling: str, one: str, hours: float
) -> None:
    assert one_spelling(spelling) == one
    assert one_spelling(one) == one
    for text in (spelling, one):
        zone = find_zone(text)
        assert zone is not None
        assert NOON.astimezone(zone).utcoffset() == datetime.timedelta(hours=hours)


@pytest.mark.parametrize(
    "text",
    [
        *("localtime", "Factory", "posixrules", "right/UTC", "Mars/Olympus", "CEST"),
        *("europe/madrid", "+19:00", "+5:3", "+05:60", "UTC+", "GMT+123456", "+", "", "٠"),
        *("../../etc/passwd", "+٠٥"),
    ],
)
def test_what_is_no_zone_is_known_as_none_and_keeps_its_spelling(text: str) -> None:
    assert find_zone(text) is None
    assert one_spelling(text) == text


def test_every_known_name_is_its_own_spelling_and_has_clocks() -> None:
    assert len(known_names()) > 400
    for name in known_names():
        assert one_spelling(name) == name
        assert find_zone(name) is not None


def test_zones_are_looked_up_in_one_place() -> None:
    # The synthetic users of the demo live in zones that are written there.
    folder = Path(api.__file__).parent
    importing = {
        str(path.relative_to(folder))
        for path in folder.rglob("*.py")
        if "import zoneinfo" in path.read_text("utf-8")
    }
    assert importing == {"core/zones.py", "commands/demo_data.py"}
