"""Releases: how a changed seed folder reaches devices, what stays, and the way back.

The scenario runs once for each database: a server has the project's content; an operator seeds a
changed folder, then the first one again. Everything is checked over HTTP, without a restart.
"""

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.content.catalogue import Catalogue
from api.content.release import Release, build, catalogue_of, document_of
from api.content.rule_set import rule_set_document, rule_set_hash
from api.content.vocabulary import ReviewStatus
from api.core.config import Settings
from api.http import conditional
from api.http.conditional import compress
from api.main import create_app
from tests.content.seed_folder import SeedFolder
from tests.support import databases
from tests.support.clock import FakeClock
from tests.support.device import Device
from tests.support.server import footing
from tests.support.waiting import wait_until

Json = dict[str, Any]
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Moment:
    """The responses to devices while one release was active."""

    english: Json
    spanish: Json
    etags: dict[str, str]
    drawing: str
    drawn: bytes
    rule_set: str


@dataclass(frozen=True)
class Story:
    client: TestClient
    first: Moment
    changed: Moment
    changed_by: subprocess.CompletedProcess[str]
    back: Moment
    back_by: subprocess.CompletedProcess[str]


def look(client: TestClient) -> Moment:
    def get(path: str) -> Json:
        answer: Json = client.get(path).json()
        return answer

    drawing = get("/v1/exercises/toe-curls")["media"][0]["url"]
    paths = ("/v1/exercises/toe-curls", "/v1/massages/heel-massage", "/v1/tips", "/v1/content")
    return Moment(
        english=get("/v1/content"),
        spanish=get("/v1/content?lang=es"),
        etags={path: client.get(path).headers["ETag"] for path in paths},
        drawing=drawing,
        drawn=client.get(drawing).content,
        rule_set=get("/v1/triage/rule-set")["hash"],
    )


def wait_for_another(client: TestClient, version: str) -> None:
    """Wait until a server has loaded another release."""
    wait_until(lambda: client.get("/v1/content").json()["version"] != version)


def change(folder: SeedFolder) -> None:
    folder.put("exercises.json", "/0/title/en", "Towel curls")
    added = folder.read("exercises.json")[0] | {"id": "toe-spread"}
    folder.put("exercises.json", "/-", added)
    folder.put("media.json", "/0/title/en", "Towel curls, drawn")
    folder.drop_entry("routines.json", "gentle-start")
    folder.drop_entry("warnings.json", "morning-stiffness")
    folder.put("triage/rules.json", "/0/text/en", "Other words.")
    folder.put("tips.json", "/0/review/due_at", "2021-01-02")


@pytest.fixture
def story(database_url: str, tmp_path: Path) -> Iterator[Story]:
    """Run the scenario once: its checks take no time, and seeding takes seconds."""
    other = SeedFolder(tmp_path / "seed")
    change(other)
    settings = Settings(database_url=database_url, release_poll_seconds=POLL_SECONDS)
    with TestClient(create_app(settings, FakeClock())) as client:
        first = look(client)
        changed_by = other.seed(database_url)
        wait_for_another(client, first.english["version"])
        changed = look(client)
        back_by = footing("seed", database_url=database_url, folder=tmp_path)
        wait_for_another(client, changed.english["version"])
        yield Story(client, first, changed, changed_by, look(client), back_by)


def a_changed_folder_is_served_within_seconds_without_a_restart(story: Story) -> None:
    assert story.changed_by.returncode == 0
    assert story.changed_by.stdout == f"Activated release {story.changed.english['version']}\n"
    assert story.changed.english["content"]["exercises"][0]["title"] == "Towel curls"
    assert story.changed.english["version"] == story.changed.spanish["version"]
    assert story.changed.english["hash"] != story.first.english["hash"]
    ids = [exercise["id"] for exercise in story.changed.spanish["content"]["exercises"]]
    assert ids == ["toe-curls", "arch-rolls", "heel-raises", "toe-spread"]


def an_overdue_review_is_logged_and_does_not_stop_the_release(story: Story) -> None:
    fault = "Overdue: tips.json#/0/review/due_at: the review was due on 2021-01-02"
    assert fault in story.changed_by.stderr.splitlines()


def devices_learn_what_to_forget(story: Story) -> None:
    assert story.first.english["deleted"] == []
    gone = [
        {"kind": "warnings", "id": "morning-stiffness"},
        {"kind": "routines", "id": "gentle-start"},
    ]
    assert story.changed.english["deleted"] == gone
    assert story.changed.spanish["deleted"] == gone


def what_has_not_changed_is_not_sent_again(story: Story) -> None:
    before, after = story.first.etags, story.changed.etags
    same = {path for path in before if before[path] == after[path]}
    # An overdue review does not change what is served.
    assert same == {"/v1/massages/heel-massage", "/v1/tips"}


def the_way_back_is_to_seed_the_earlier_state(story: Story) -> None:
    assert story.back_by.returncode == 0
    for then, now in (
        (story.first.english, story.back.english),
        (story.first.spanish, story.back.spanish),
    ):
        assert now["content"] == then["content"]
        assert now["hash"] == then["hash"]
    assert story.back.rule_set == story.first.rule_set
    assert story.back.drawing == story.first.drawing


def on_the_way_back_devices_forget_what_the_change_had_added(story: Story) -> None:
    assert story.back.english["deleted"] == [{"kind": "exercises", "id": "toe-spread"}]
    # The same content as the first one, but not the same release.
    assert story.back.english["version"] != story.first.english["version"]


def the_pictures_of_every_release_stay_where_they_were(story: Story) -> None:
    assert story.changed.drawing != story.first.drawing
    assert b"Towel curls, drawn" in story.changed.drawn
    # The first is active again: the other one is read from the database.
    for moment in (story.first, story.changed):
        for encoding in ("", "gzip", "br", "zstd"):
            headers = {"Accept-Encoding": encoding}
            response = story.client.get(moment.drawing, headers=headers)
            assert response.status_code == 200
            assert response.content == moment.drawn
            assert response.headers.get("Content-Encoding", "") == encoding
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def every_rule_set_ever_used_can_be_asked_for_by_its_hash(story: Story) -> None:
    assert story.changed.rule_set != story.first.rule_set
    assert story.changed.english["rule_set_hash"] == story.changed.rule_set
    for name in (story.first.rule_set, story.changed.rule_set):
        document = story.client.get(f"/v1/triage/rule-sets/{name}").json()
        assert document["hash"] == name
        assert rule_set_hash(document) == name


def a_session_of_an_earlier_release_is_never_refused(story: Story) -> None:
    device = Device(story.client)
    device.enrol()
    items = [{"activity_id": "toe-spread", "kind": "exercise", "side": "left", "seconds": 60}]
    assert story.client.get("/v1/exercises/toe-spread").status_code == 404
    assert device.post_session(device.session(items=items)).status_code == 201
    unheard_of = [items[0] | {"activity_id": "hand-stand"}]
    assert device.post_session(device.session(items=unheard_of)).status_code == 422


PROMISES = (
    a_changed_folder_is_served_within_seconds_without_a_restart,
    an_overdue_review_is_logged_and_does_not_stop_the_release,
    devices_learn_what_to_forget,
    what_has_not_changed_is_not_sent_again,
    the_way_back_is_to_seed_the_earlier_state,
    on_the_way_back_devices_forget_what_the_change_had_added,
    the_pictures_of_every_release_stay_where_they_were,
    every_rule_set_ever_used_can_be_asked_for_by_its_hash,
    a_session_of_an_earlier_release_is_never_refused,
)


def test_a_changed_folder_reaches_devices_and_seeding_the_first_again_is_the_way_back(
    story: Story, subtests: pytest.Subtests
) -> None:
    for promise in PROMISES:
        with subtests.test(promise.__name__.replace("_", " ")):
            promise(story)


def test_seeding_the_folder_that_is_served_changes_nothing(templates: Path, tmp_path: Path) -> None:
    with databases.fresh_database("sqlite", templates, tmp_path) as url:
        result = footing("seed", database_url=url, folder=tmp_path)
        assert result.returncode == 0, result.stderr
        with TestClient(create_app(Settings(database_url=url), FakeClock())) as client:
            version = client.get("/v1/content").json()["version"]
    assert result.stdout == f"Already active: release {version}\n"


def test_a_broken_folder_changes_nothing_that_is_served(
    database_url: str, seed_folder: SeedFolder
) -> None:
    settings = Settings(database_url=database_url, release_poll_seconds=POLL_SECONDS)
    with TestClient(create_app(settings, FakeClock())) as client:
        before = look(client)
        seed_folder.put("exercises.json", "/0/title/en", "Towel curls")
        seed_folder.put("exercises.json", "/0/media_ids/0", "no-such")
        result = seed_folder.seed(database_url)
        assert result.returncode == 1
        assert result.stdout == ""
        assert result.stderr == (
            'exercises.json#/0/media_ids/0: "no-such" is not in media\n'
            "1 faults; nothing was changed.\n"
        )
        time.sleep(3 * POLL_SECONDS)
        assert look(client) == before


# Building releases, without a database.


def without(catalogue: Catalogue, kind: str) -> Catalogue:
    """Remove the last entry of a list."""
    return replace(catalogue, **{kind: getattr(catalogue, kind)[:-1]})


def gone(release: Release) -> list[tuple[str, str]]:
    return [(entry["kind"], entry["id"]) for entry in release.deleted]


def test_the_same_state_makes_the_same_release(small: Catalogue) -> None:
    first, second = build(small), build(catalogue_of(document_of(small)))
    assert second.hash == first.hash
    assert second.bodies == first.bodies
    assert build(small, first).hash == first.hash


def test_the_deletion_log_grows_for_devices_that_skipped_a_release(small: Catalogue) -> None:
    first = build(small)
    second = build(without(small, "tips"), first)
    third = build(without(without(small, "tips"), "warnings"), second)
    assert gone(first) == []
    assert gone(second) == [("tips", "pair-with-back-stretches")]
    assert gone(third) == [("tips", "pair-with-back-stretches"), ("warnings", "saddle-numbness")]


def test_a_restored_entry_is_removed_from_the_deletion_log(small: Catalogue) -> None:
    first = build(small)
    second = build(without(without(small, "tips"), "warnings"), first)
    third = build(without(small, "tips"), second)
    assert gone(third) == [("tips", "pair-with-back-stretches")]
    # Everything is back, nothing is to be deleted: it is the first release.
    assert build(small, third).hash == first.hash


def test_a_signed_review_makes_a_new_release_of_the_same_rule_set(small: Catalogue) -> None:
    review = small.head.review.model_copy(
        update={"status": ReviewStatus.CLINICALLY_REVIEWED, "reviewer": "Dr. A. Example"}
    )
    first = build(small)
    signed = build(replace(small, head=small.head.model_copy(update={"review": review})), first)
    assert signed.hash != first.hash
    assert signed.rule_set_hash == first.rule_set_hash == rule_set_hash(rule_set_document(small))
    served = ("triage/rule-set", "")
    assert signed.bodies[served].tag != first.bodies[served].tag
    kept = (f"triage/rule-sets/{first.rule_set_hash}", "")
    assert signed.bodies[kept] == first.bodies[kept]


def test_a_release_is_identified_by_its_responses(small: Catalogue) -> None:
    """Also by the deletion log: devices with the same hash must have the same content."""
    first = build(small)
    second = build(without(small, "tips"), first)
    fresh = build(without(small, "tips"))
    assert second.hash != fresh.hash
    assert second.bodies["tips", "en"] == fresh.bodies["tips", "en"]


def test_unchanged_bodies_are_not_compressed_again(
    small: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = build(small)
    changed = replace(small, tips=small.tips[:1])
    expected = build(changed)
    compressed: list[bytes] = []

    def counted(data: bytes, *, quick: bool = False) -> dict[str, bytes]:
        compressed.append(data)
        return compress(data, quick=quick)

    monkeypatch.setattr(conditional, "compress", counted)
    made = build(changed, before)
    assert 0 < len(compressed) < len(made.bodies) / 2
    same = before.bodies.keys() & made.bodies.keys() - {("content", "en")}
    assert {key: made.bodies[key] for key in same} == {key: expected.bodies[key] for key in same}
