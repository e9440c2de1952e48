"""The evaluator in JavaScript gives the same bytes as the server."""

import copy
import itertools
import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from api.content.catalogue import Catalogue
from api.content.rule_set import reviewed_document, rule_set_hash
from api.content.signing import read_signer
from api.core.canonical import canonical, sha256
from api.journal.history import PAIN_RISEN, PERSISTENT, PastReport, Timeline, in_order
from api.triage.evaluation import Case, advise, decide
from api.triage.reports import case_of_sent
from api.triage.rules import RuleSet, compile_rule_set
from api.triage.screens import confirmation, next_screen
from api.triage.vectors import NOW, PEOPLE, cases, report_vector, walk
from tests.support.budget import budget
from tests.triage.generators import ReportGenerator

Json = dict[str, Any]
REPORTS = budget(quick=1_000, full=20_000)
HISTORIES = budget(quick=200, full=1_000)
DAMAGED_REPORTS = budget(quick=300, full=20_000)
SCREENS = budget(quick=1_000, full=20_000)
BROKEN = budget(quick=10, full=100)
REVERSED = budget(quick=100, full=500)
# How often each rule and level must occur at least: what never occurs is not compared.
OFTEN = budget(quick=1, full=20)
CLIENT = Path(__file__).parents[2] / "clients" / "js-triage"
NODE = shutil.which("node")

pytestmark = [
    pytest.mark.fuzz,
    pytest.mark.skipif(NODE is None, reason="Node is not installed"),
    pytest.mark.skipif(
        not (CLIENT / "node_modules").is_dir(), reason="run: npm ci --prefix clients/js-triage"
    ),
]


def written(name: str, case: Case) -> Json:
    """Return a case as it is sent, without its decision."""
    vector = report_vector(name, case, {})
    del vector["decision"]
    return vector


def differing(
    folder: Path, lines: Iterable[Json], expected: Iterable[tuple[str, bytes]]
) -> list[str]:
    """Evaluate every line in one run of Node; return the cases with different bytes.

    Hashes are compared instead of some hundred megabytes, and computed while Node is running.
    """
    given, answers = folder / "given.jsonl", folder / "answers.jsonl"
    with given.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    command = [str(NODE), str(CLIENT / "bin" / "evaluate.js")]
    with (
        given.open("rb") as source,
        answers.open("wb") as target,
        subprocess.Popen(command, stdin=source, stdout=target, stderr=subprocess.PIPE) as node,
    ):
        ours = [(name, sha256(data)) for name, data in expected]
        _, errors = node.communicate()
    assert (node.returncode, errors.decode()) == (0, "")
    with answers.open("rb") as file:
        theirs = [sha256(line.removesuffix(b"\n")) for line in file]
    return [name for (name, here), there in zip(ours, theirs, strict=True) if here != there]


def test_generated_reports_and_all_vectors_get_the_same_bytes(
    rule_set: RuleSet, tmp_path: Path
) -> None:
    every = [*cases(rule_set), *ReportGenerator(rule_set, seed=20_261_122).cases(REPORTS)]
    assert len(every) > REPORTS + 200
    seen: Counter[str] = Counter()

    def expected() -> Iterator[tuple[str, bytes]]:
        for name, case in every:
            decision, outcome = decide(rule_set, case)
            seen.update([decision["level"], f"possible {decision['possible_level']}"])
            seen.update(f"fired {rule['id']}" for rule in outcome.fired)
            seen.update(f"undecided {rule['id']}" for rule in outcome.undecided)
            yield name, canonical(decision)

    lines = (written(name, case) for name, case in every)
    assert differing(tmp_path, [{"rule_set": rule_set.document}, *lines], expected()) == []
    ids = [rule["id"] for rule in rule_set.document["rules"]]
    levels = [level["id"] for level in rule_set.document["levels"]]
    wanted = [*levels, *(f"{what} {name}" for what in ("fired", "undecided") for name in ids)]
    assert [name for name in wanted if seen[name] < OFTEN] == []


def test_reports_with_unusable_parts_get_the_same_bytes(rule_set: RuleSet, tmp_path: Path) -> None:
    generator = ReportGenerator(rule_set, seed=404)
    lines: list[Json] = []
    expected: list[tuple[str, bytes]] = []
    seen: Counter[str] = Counter()
    for name, sent in [(f"damaged-{at}", generator.damaged()) for at in range(DAMAGED_REPORTS)]:
        case = case_of_sent(rule_set, sent, "en", generator.instant())
        decision, _ = decide(rule_set, case)
        seen.update({part["code"] for part in decision["ignored"]})
        lines.append(written(name, case) | {"report": sent})
        expected.append((name, canonical(decision)))
    assert min(seen.values()) > DAMAGED_REPORTS / 100
    assert len(seen) == 4
    assert differing(tmp_path, [{"rule_set": rule_set.document}, *lines], expected) == []


def test_the_next_screen_is_the_same_after_any_answers(rule_set: RuleSet, tmp_path: Path) -> None:
    generator = ReportGenerator(rule_set, seed=16)
    names = [screen["id"] for screen in rule_set.document["screens"]]
    lines: list[Json] = []
    expected: list[tuple[str, bytes]] = []
    seen: Counter[str] = Counter()
    steps = [(who, step) for who, says in PEOPLE.items() for step in walk(rule_set, says)]
    on_their_way = [
        (f"{who}-{at}", Case(step.answers, "en", NOW)) for at, (who, step) in enumerate(steps)
    ]
    for name, case in (*generator.cases(SCREENS), *on_their_way):
        skipped = generator.random.sample(names, generator.random.choice((0, 0, 0, 1, 5)))
        screen = next_screen(rule_set, case.answers, case.history_facts, skipped)
        seen[screen["screen_id"] if screen else "none"] += 1
        lines.append(written(name, case) | {"skipped": skipped})
        mild = confirmation(rule_set, screen) if screen else {}
        expected.append((name, canonical({"screen": screen, "confirmation": mild})))
    assert set(seen) == {*names, "none"}
    assert differing(tmp_path, [{"rule_set": rule_set.document}, *lines], expected) == []


def test_every_pain_before_and_after_a_session_gets_the_same_advice(
    rule_set: RuleSet, tmp_path: Path
) -> None:
    pains = (None, *range(11))
    lines = [
        {"pain_before": before, "pain_after": after, "language": language}
        for before, after, language in itertools.product(
            pains, pains, rule_set.document["languages"]
        )
    ]
    expected = [(str(line), canonical(advise(rule_set, *line.values()))) for line in lines]
    assert len({advice for _, advice in expected}) > 4
    assert differing(tmp_path, [{"rule_set": rule_set.document}, *lines], expected) == []


def facts_of(history: list[PastReport]) -> Iterator[tuple[PastReport, tuple[str, ...]]]:
    timeline = Timeline(history)
    for report in in_order(history):
        yield report, timeline.episode_before(report).facts_of(report)


def test_generated_histories_get_the_same_history_facts(rule_set: RuleSet, tmp_path: Path) -> None:
    generator = ReportGenerator(rule_set, seed=42)
    histories = [generator.history() for _ in range(HISTORIES)]
    lines = [
        {
            "history": [
                {
                    # A device may write ids in upper case, and instants with its own offset.
                    "id": str(report.id).upper(),
                    "reported_at": report.reported_at.isoformat(),
                    "pain_score": report.pain_score,
                }
                for report in history
            ]
        }
        for history in histories
    ]
    expected = [
        (
            str(history),
            canonical(
                [
                    {"id": str(report.id), "history_facts": list(facts)}
                    for report, facts in facts_of(history)
                ]
            ),
        )
        for history in histories
    ]
    for name in (PERSISTENT, PAIN_RISEN):
        assert sum(name.encode() in facts for _, facts in expected) > HISTORIES / 10
    assert differing(tmp_path, lines, expected) == []


DAMAGED = [
    {"no_such_operator": [1]},
    {"throw": "broken"},
    {"/": [1, 0]},
    {"!": [{"var": "fever"}]},
    {"!!": [{"var": "fever"}]},
    {"var": "no_such_fact"},
    {"var": ["fever"]},
    {"===": [{"var": "fever"}]},
    {"===": [{"var": "fever"}, {"var": "worried"}]},
    {"===": [{"var": "no_such_fact"}, True]},
    {"in": [{"var": "fever"}, [True]]},
    {"in": [{"var": "fever"}, [1]]},
    {"in": [{"var": "fever"}, "true"]},
    {"and": []},
    {"and": [{"var": "fever"}, {"var": "no_such_fact"}]},
    {"or": [{"var": "no_such_fact"}, {"var": "fever"}]},
    {"or": [{"var": "fever"}, {"var": "no_such_fact"}]},
    {"var": "fever", "and": [{"var": "worried"}]},
    {},
    True,
]


def test_a_broken_or_unusual_rule_gets_the_same_bytes(catalogue: Catalogue, tmp_path: Path) -> None:
    lines: list[Json] = []
    expected: list[tuple[str, bytes]] = []
    levels = set()
    for number, condition in enumerate(DAMAGED):
        document = copy.deepcopy(reviewed_document(catalogue))
        rule = next(rule for rule in document["rules"] if rule["id"] == "U03")
        rule |= {"condition": condition, "reads": ["fever", "no_such_fact"]}
        document["hash"] = rule_set_hash(document)
        damaged = compile_rule_set(document)
        lines.append({"rule_set": document})
        for name, case in ReportGenerator(damaged, seed=number).cases(BROKEN):
            decision, _ = decide(damaged, case)
            levels.add(decision["level"])
            lines.append(written(name, case))
            expected.append((f"{condition}: {name}", canonical(decision)))
    assert {"urgent", "emergency"} <= levels
    assert differing(tmp_path, lines, expected) == []


def test_a_rule_set_in_another_order_gets_the_same_bytes(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    document = copy.deepcopy(reviewed_document(catalogue))
    for part in ("questions", "rules", "actions", "levels", "countries"):
        document[part].reverse()
    document["hash"] = rule_set_hash(document)
    reversed_set = compile_rule_set(document)
    every = [*ReportGenerator(reversed_set, seed=7).cases(REVERSED)]
    expected = [(name, canonical(decide(reversed_set, case)[0])) for name, case in every]
    lines = (written(name, case) for name, case in every)
    assert differing(tmp_path, [{"rule_set": document}, *lines], expected) == []


def test_what_the_server_signs_the_device_accepts(catalogue: Catalogue, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    sign = read_signer(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    document = reviewed_document(catalogue, sign)
    rule_set = compile_rule_set(document)
    every = cases(rule_set)
    head = {"rule_set": document, "trusted_keys": [public.decode()]}
    expected = ((name, canonical(decide(rule_set, case)[0])) for name, case in every)
    lines = (written(name, case) for name, case in every)
    assert differing(tmp_path, [head, *lines], expected) == []


def test_the_evaluators_own_tests_pass() -> None:
    tests = sorted(str(path) for path in (CLIENT / "test").glob("*.test.js"))
    assert len(tests) > 3
    command = [str(NODE), "--disallow-code-generation-from-strings", "--test", *tests]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
