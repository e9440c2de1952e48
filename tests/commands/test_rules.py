"""`footing rules`: a clinician reads, compares and withdraws rule sets."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.core.config import SEED_FOLDER
from tests.conftest import AppMaker
from tests.support.device import Device
from tests.support.server import footing as run_footing

Json = dict[str, Any]
Footing = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def footing(tmp_path: Path) -> Footing:
    """Run the command as an operator would, on a database or on none."""

    def run(
        *arguments: str, database_url: str = "sqlite:///unused.db"
    ) -> subprocess.CompletedProcess[str]:
        return run_footing(*arguments, database_url=database_url, folder=tmp_path)

    return run


@pytest.fixture
def changed_seed(tmp_path: Path) -> Path:
    """A seed folder whose threshold for severe pain is 6 and not 7."""
    folder = tmp_path / "seed"
    shutil.copytree(SEED_FOLDER, folder)
    path = folder / "triage/facts.json"
    facts = json.loads(path.read_text("utf-8"))
    next(fact for fact in facts if fact["id"] == "pain_7_plus")["value"] = 6
    path.write_text(json.dumps(facts), "utf-8")
    return folder


@pytest.fixture
def corrected_seed(tmp_path: Path) -> Path:
    """A seed folder whose rule set says that radiating pain is urgent."""
    folder = tmp_path / "corrected"
    shutil.copytree(SEED_FOLDER, folder)
    path = folder / "triage/rules.json"
    rules = json.loads(path.read_text("utf-8"))
    rule = next(rule for rule in rules if rule["id"] == "P01")
    rule |= {"level": "urgent", "action": "same_day", "version": 2}
    path.write_text(json.dumps(rules), "utf-8")
    return folder


def test_the_table_names_every_rule_with_its_level_action_and_sources(footing: Footing) -> None:
    printed = footing("rules", "table").stdout
    rules = json.loads((SEED_FOLDER / "triage/rules.json").read_text("utf-8"))
    for rule in rules:
        (line,) = [line for line in printed.splitlines() if line.startswith(f"| {rule['id']} v")]
        assert f"| {rule['level']} |" in line
        assert rule["action"] in line
        assert rule["text"]["en"] in line
        assert all(source in line for source in rule["source_ids"])
        assert rule["explanation"]["en"] in line
        assert not line.endswith("| 0 |  |"), "no vector makes this rule fire"
        assert line.endswith(" |  |"), "there is room to sign"
    questions = json.loads((SEED_FOLDER / "triage/questions.json").read_text("utf-8"))
    assert all(f"| {question['id']} |" in printed for question in questions)


def test_the_table_is_a_page_in_the_language_asked_for(footing: Footing) -> None:
    page = footing("rules", "table", "--format", "html", "--language", "es").stdout
    assert page.startswith('<!doctype html>\n<html lang="es">')
    rules = json.loads((SEED_FOLDER / "triage/rules.json").read_text("utf-8"))
    assert rules[0]["text"]["es"] in page
    assert footing("rules", "table", "--language", "de").returncode == 1


def test_made_up_people_reach_levels_and_every_rate_has_a_source_or_says_that_it_has_none(
    footing: Footing,
) -> None:
    printed = footing("rules", "population", "--people", "500").stdout
    assert printed == footing("rules", "population", "--people", "500").stdout
    (everybody,) = [line for line in printed.splitlines() if line.startswith("| all | 500 |")]
    shares = [float(cell.strip(" %")) for cell in everybody.split("|")[3:-1]]
    assert round(sum(shares)) == 100
    rates = json.loads((SEED_FOLDER.parent / "api/triage/population.json").read_text("utf-8"))
    questions = json.loads((SEED_FOLDER / "triage/questions.json").read_text("utf-8"))
    assert {entry["question"] for entry in rates["rates"]} <= {q["id"] for q in questions}
    for entry in rates["rates"]:
        assert entry["source"] is None or entry["source"] in rates["sources"]
        source = entry["source"] or "assumption: no study at hand"
        assert f"| {entry['question']}: {entry['choice']} |" in printed
        assert source in printed
    assert all("doi:" in text or "Spine" in text for text in rates["sources"].values())


def test_a_changed_threshold_lists_the_decisions_that_would_change(
    footing: Footing, changed_seed: Path, tmp_path: Path
) -> None:
    reports = tmp_path / "reports.jsonl"
    benign = {"weeks": 1, "trend": "same"}
    lines = [{"pain_score": pain} | benign for pain in (5, 6, 7)]
    reports.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    result = footing("rules", "diff", str(changed_seed), "--reports", str(reports))
    assert result.returncode == 0
    printed = result.stdout.splitlines()
    assert "facts: pain_7_plus changed in value" in printed
    changed = [line for line in printed if line.startswith("reports.jsonl")]
    (line,) = changed
    assert line.startswith("reports.jsonl:2: screening_incomplete -> see_professional [level, ")
    assert line.endswith("] +P03")
    assert printed[-1].endswith("decisions would change.")
    assert "Would be rejected: triage/rules.json#" in result.stderr


def test_nothing_changed_means_no_decision_would_change(footing: Footing) -> None:
    result = footing("rules", "diff", str(SEED_FOLDER))
    assert result.stdout.splitlines()[-1].startswith("0 of ")


def test_a_line_that_is_no_report_is_named(footing: Footing, tmp_path: Path) -> None:
    reports = tmp_path / "reports.jsonl"
    reports.write_text('{"pain_score": 4}\n{"pain_score": 11}\n', "utf-8")
    result = footing("rules", "diff", str(SEED_FOLDER), "--reports", str(reports))
    assert result.returncode == 1
    assert "reports.jsonl:2: not a report" in result.stderr


def test_a_withdrawn_rule_set_is_never_used_again_and_its_decisions_are_made_again(
    footing: Footing, make_client: AppMaker, database_url: str, corrected_seed: Path
) -> None:
    client = make_client(database_url=database_url, release_poll_seconds=0.1)
    device = Device(client)
    device.enrol()
    report = device.report({"radiating_pain": "left"})
    wrong = device.post_report(report).json()["decision"]
    old = wrong["rule_set_hash"]
    assert wrong["level"] == "see_professional"

    in_force = footing("rules", "withdraw", old, "--reason", "wrong", database_url=database_url)
    assert in_force.returncode == 1
    assert "Seed a corrected one first" in in_force.stderr

    seeded = footing("seed", "--folder", str(corrected_seed), database_url=database_url)
    assert seeded.returncode == 0, seeded.stderr
    # The examples of P01 still hold: it fires on the same answers.
    reason = "radiating pain is urgent"
    done = footing("rules", "withdraw", old, "--reason", reason, database_url=database_url)
    assert done.returncode == 0, done.stderr
    assert "see_professional -> urgent" in done.stdout
    assert done.stdout.endswith("1 decisions were made again.\n")

    again = device.decision_on(report)
    assert again["level"] == "urgent"
    details = device.get(f"/v1/decisions/{wrong['id']}").json()
    assert details["decision"] == wrong
    assert details["superseded_by"] == again["id"]
    replayed = client.post(f"/v1/decisions/{wrong['id']}/replay", headers=device.headers)
    assert replayed.json()["identical"] is True
    replayed = client.post(f"/v1/decisions/{again['id']}/replay", headers=device.headers)
    assert replayed.json()["identical"] is True

    body = wait_for_withdrawal(client)
    assert body["withdrawn"][0]["hash"] == old
    assert body["withdrawn"][0]["reason"] == reason
    assert body["hash"] == again["rule_set_hash"]

    back = footing("seed", database_url=database_url)
    assert back.returncode == 1
    assert "was withdrawn" in back.stderr
    assert client.get("/v1/triage/rule-set").json()["hash"] == body["hash"]


def wait_for_withdrawal(client: TestClient) -> Json:
    for _ in range(100):
        answer: Json = client.get("/v1/triage/rule-set").json()
        if answer["withdrawn"]:
            return answer
        time.sleep(0.1)
    pytest.fail("the running app did not learn of the withdrawal")


def test_an_unknown_rule_set_can_not_be_withdrawn(footing: Footing, database_url: str) -> None:
    result = footing("rules", "withdraw", "0" * 64, "--reason", "x", database_url=database_url)
    assert result.returncode == 1
    assert "No rule set with this hash" in result.stderr
