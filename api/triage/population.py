"""Synthetic people with ordinary back pain, at stated rates: how often each level is reached. Pure.

`population.json` holds the rates. Where a study was found its source is named; all others are
assumptions, and printed as such. Nobody in this population has a serious disease: whatever it sends
to a professional is the price of not missing one.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from api.triage.evaluation import SERIOUS, judge_report, level_of, ranks
from api.triage.facts import Answers
from api.triage.rules import RuleSet
from api.triage.vectors import mild_answers

RATES: dict[str, Any] = json.loads((Path(__file__).parent / "population.json").read_text("utf-8"))
AGES: tuple[tuple[int, int | None], ...] = ((18, 49), (50, 69), (70, None))
DURATIONS: tuple[tuple[int, int | None], ...] = ((0, 3), (4, 12), (13, None))
SAME = "same"
SIDES = "leg_numbness", "leg_weakness"


@dataclass
class GroupCount:
    """How many people there are in a group, which levels they reached, and which rules fired."""

    people: int = 0
    levels: Counter[str] = field(default_factory=Counter)
    # Of urgent and emergency rules: how often each fired, and how often it alone gave the level.
    fired: Counter[str] = field(default_factory=Counter)
    alone: Counter[str] = field(default_factory=Counter)


def _number(chance: random.Random, part: Mapping[str, Any]) -> int:
    while True:
        drawn = round(chance.gauss(part["mean"], part["deviation"]))
        if part["minimum"] <= drawn <= part["maximum"]:
            return drawn


def made_up(rule_set: RuleSet, number: int) -> Iterator[Answers]:
    """Make people up, the same ones in every run."""
    chance = random.Random(RATES["seed"])  # noqa: S311  # the same people in every run
    mild = mild_answers(rule_set)
    spans = RATES["weeks"]
    for _ in range(number):
        answers = dict(mild)
        age = answers["age_years"] = _number(chance, RATES["age_years"])
        answers["pain_score"] = _number(chance, RATES["pain_score"])
        (span,) = chance.choices(spans, [part["per_1000"] for part in spans])
        answers["weeks"] = chance.randint(span["from"], span["to"])
        rate = "from_70" if age >= AGES[2][0] else "from_50" if age >= AGES[1][0] else "per_1000"
        # Choices of one question exclude each other: a draw for each question, used up in turn.
        left: dict[tuple[str, str], float] = {}
        for entry in RATES["rates"]:
            name, condition = entry["question"], entry["if"]
            key = (name, str(condition))
            drawn = left.setdefault(key, chance.random() * 1000)
            if condition is not None and answers[condition[0]] not in condition[1]:
                continue
            if 0 <= drawn < entry[rate]:
                choice = entry["choice"]
                sided = choice == SAME and name in SIDES
                answers[name] = answers["radiating_pain"] if sided else choice
            left[key] = drawn - entry[rate]
        yield answers


def _name(unit: str, span: tuple[int, int | None]) -> str:
    low, high = span
    return f"{low} {unit} and more" if high is None else f"{low} to {high} {unit}"


def _every_group() -> list[str]:
    return [
        "all",
        *(_name("years", span) for span in AGES),
        *(_name("weeks", span) for span in DURATIONS),
    ]


def _groups(answers: Answers) -> Iterator[str]:
    yield "all"
    for question, unit, spans in (("age_years", "years", AGES), ("weeks", "weeks", DURATIONS)):
        value = answers[question]
        for low, high in spans:
            if isinstance(value, int) and value >= low and (high is None or value <= high):
                yield _name(unit, (low, high))


def count(rule_set: RuleSet, number: int) -> dict[str, GroupCount]:
    """Judge everybody, and count by group."""
    rank = ranks(rule_set)
    found = {name: GroupCount() for name in _every_group()}
    for answers in made_up(rule_set, number):
        outcome = judge_report(rule_set, answers)
        level = level_of(rule_set, outcome)
        strictest = [rule["id"] for rule in outcome.fired if rank[rule["level"]] == rank[level]]
        for name in _groups(answers):
            group = found[name]
            group.people += 1
            group.levels[level] += 1
            group.fired.update(rule["id"] for rule in outcome.fired if rule["level"] in SERIOUS)
            if level in SERIOUS and len(strictest) == 1:
                group.alone.update(strictest)
    return found


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}%"


def render(rule_set: RuleSet, number: int) -> str:
    """Write the figures, and what they rest on, as Markdown."""
    found = count(rule_set, number)
    levels = [level["id"] for level in rule_set.document["levels"]]
    lines = [
        f"# Made-up population of {number} people, rule set {rule_set.document['version']}",
        "",
        f"| group | people | {' | '.join(levels)} |",
        f"|---|---|{'---|' * len(levels)}",
    ]
    for name, group in found.items():
        if group.people == 0:
            continue
        shares = " | ".join(_percent(group.levels[level], group.people) for level in levels)
        lines.append(f"| {name} | {group.people} | {shares} |")
    every = found["all"]
    lines += [
        "",
        "How often each urgent or emergency rule fired, and how often it alone gave the level:",
        "",
        "| rule | level | fired | alone |",
        "|---|---|---|---|",
    ]
    level_of_rule = {rule["id"]: rule["level"] for rule in rule_set.document["rules"]}
    for name, times in every.fired.most_common():
        shares = f"{_percent(times, every.people)} | {_percent(every.alone[name], every.people)}"
        lines.append(f"| {name} | {level_of_rule[name]} | {shares} |")
    lines += [
        "",
        "| answer | of 1,000 | from 50 years | from 70 | if | source |",
        "|---|---|---|---|---|---|",
    ]
    for entry in RATES["rates"]:
        condition = entry["if"]
        only = "" if condition is None else f"{condition[0]}: {' or '.join(condition[1])}"
        rates = f"{entry['per_1000']} | {entry['from_50']} | {entry['from_70']}"
        source = entry["source"] or "assumption: no study at hand"
        lines.append(f"| {entry['question']}: {entry['choice']} | {rates} | {only} | {source} |")
    for name in ("age_years", "pain_score"):
        part = RATES[name]
        drawn = f"normal, mean {part['mean']}, deviation {part['deviation']}"
        lines.append(f"| {name} | {drawn} | | | | {part['source']} |")
    for part in RATES["weeks"]:
        weeks = f"weeks: {part['from']} to {part['to']}"
        lines.append(f"| {weeks} | {part['per_1000']} | | | | assumption: no study at hand |")
    lines += ["", *(f"- {name}: {text}" for name, text in RATES["sources"].items())]
    return "\n".join(lines) + "\n"
