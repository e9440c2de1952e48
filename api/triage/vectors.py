"""Golden cases: reports and sessions with the expected results, to test any evaluator.

Made from the rules' own examples, so that every rule fires in one case and is silent in another
that differs by a single answer; and by hand, for what the examples can't say.
"""

import datetime
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from api.content.rule_set import ENGINE
from api.core.canonical import canonical
from api.core.dates import utc_text
from api.triage.evaluation import Case, Json, advise, decide, judge_report
from api.triage.facts import Answers
from api.triage.reports import FIELDS, case_of_sent
from api.triage.rules import LAST_RESORT, RuleSet, compile_rule_set
from api.triage.screens import confirmation, next_screen

PATH = "triage/vectors"
NOW = datetime.datetime(2026, 11, 22, 12, 0, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
REPORT_ID = uuid.UUID("01939d6e-7a5b-7c3e-8f10-2b6d5c4e3a21")
MILD_NUMBERS = {"pain_score": 2, "weeks": 1, "age_years": 40}
MILD_CHOICES = ("no", "none", "better")

# By hand: differences from an unremarkable report.
ON_MILD: Mapping[str, Answers] = {
    "all-benign": {},
    "article-severe-pain": {"pain_score": 7},
    "article-severe-pain-just-below": {"pain_score": 6},
    "article-persistent-pain": {"weeks": 6},
    "article-persistent-pain-just-below": {"weeks": 5},
    "article-persistent-pain-not-better": {"weeks": 3, "trend": "same"},
    "article-radiating-pain": {"radiating_pain": "left"},
    "article-numbness-in-a-leg": {"leg_numbness": "right"},
    "article-numbness-elsewhere": {"other_numbness": "yes"},
    "both-sides-in-one-answer": {"radiating_pain": "both"},
    "both-sides-pain-and-numbness": {"radiating_pain": "left", "leg_numbness": "right"},
    "both-sides-numbness-and-weakness": {"leg_numbness": "left", "leg_weakness": "right"},
    "one-side-in-two-answers": {"radiating_pain": "left", "leg_numbness": "left"},
    "both-sides-known-and-stable": {
        "radiating_pain": "both",
        "long_known": "yes",
        "trend": "same",
    },
    "both-sides-known-but-worse": {
        "radiating_pain": "both",
        "long_known": "yes",
        "trend": "worse",
    },
    "both-sides-known-but-trend-open": {
        "radiating_pain": "both",
        "long_known": "yes",
        "trend": None,
    },
    "both-sides-not-known-for-long": {"radiating_pain": "both", "trend": "same"},
    "weak-leg-known-and-stable": {"leg_weakness": "left", "long_known": "yes", "trend": "same"},
    "saddle-numbness-is-never-known-and-stable": {
        "saddle_numbness": "yes",
        "leg_numbness": "both",
        "long_known": "yes",
        "trend": "same",
    },
    "assessed-and-better": {
        "osteoporosis": "yes",
        "assessed_before": "yes",
        "trend": "better",
        "weeks": 8,
    },
    "assessed-and-the-same": {
        "osteoporosis": "yes",
        "assessed_before": "yes",
        "trend": "same",
        "weeks": 8,
    },
    "assessed-and-worse": {
        "osteoporosis": "yes",
        "assessed_before": "yes",
        "trend": "worse",
        "weeks": 8,
    },
    "assessed-but-trend-open": {"osteoporosis": "yes", "assessed_before": "yes", "trend": None},
    "not-asked-if-known-long": {"long_known": None},
    "asked-if-known-long": {"other_numbness": "yes", "long_known": "unknown"},
    "not-asked-about-pregnancy": {
        "pregnant": "cannot_be",
        "missed_period": None,
        "pregnancy_bleeding": None,
        "pregnancy_less_movement": "unknown",
        "shoulder_tip_pain": None,
    },
    "not-asked-about-pregnancy-past-60": {
        "age_years": 61,
        "pregnant": None,
        "missed_period": None,
        "pregnancy_bleeding": None,
    },
    "asked-about-pregnancy": {"pregnant": "yes", "pregnancy_bleeding": None},
    "asked-about-pregnancy-while-it-is-unknown": {
        "pregnant": "unknown",
        "missed_period": None,
        "pregnancy_bleeding": None,
    },
    "a-missed-period-opens-what-follows": {"missed_period": "yes", "shoulder_tip_pain": None},
    "an-answer-counts-whether-it-was-asked-for-or-not": {
        "pregnant": "cannot_be",
        "missed_period": "yes",
    },
    "worried-and-not-asked-on": {"worried": "yes", "self_harm_thoughts": None},
    "not-worried-and-not-asked-on": {"worried": "no", "self_harm_thoughts": None},
    "saddle-numbness-without-pain": {"saddle_numbness": "yes", "pain_score": 0},
    "must-ask-left-open": {"fever": "unknown"},
    "optional-left-open": {"first_episode": "unknown", "age_years": 50},
    "left-open-that-could-make-it-urgent": {"night_pain": "unknown"},
    "an-emergency-of-one-rule-among-many-others": {
        "saddle_numbness": "yes",
        "fever": None,
        "worried": "yes",
        "radiating_pain": "left",
        "weight_loss": "yes",
        "night_pain": "yes",
        "worse_on_cough": "yes",
        "stops_daily_life": "yes",
        "weeks": 8,
        "steroids": "yes",
    },
    "keep-still-replaces-going-to-hospital": {
        "trauma": "major",
        "saddle_numbness": "yes",
        "chest_pain": "yes",
    },
    "many-at-once": {
        "worried": "yes",
        "radiating_pain": "left",
        "fever": "yes",
        "saddle_numbness": "yes",
        "weeks": None,
        "night_pain": None,
    },
}
# By hand: the only answers there are.
ALONE: Mapping[str, Answers] = {
    "nothing-answered": {},
    "only-both-legs-answered": {"radiating_pain": "both"},
    "only-one-leg-answered": {"radiating_pain": "left"},
}
# By hand: what is sent in the place of, or beside, a report in which nothing stands out, and can't
# be used.
ODD: Mapping[str, Json] = {
    "ignored-question": {"answers": {"headache": "yes"}},
    "ignored-question-of-an-odd-name": {"answers": {"a/b~c": False}},
    "ignored-choice": {"answers": {"night_pain": "often"}},
    "ignored-choice-of-another-kind": {"answers": {"one_leg_swelling": True}},
    "ignored-field-in-answers": {"answers": {"pain_score": "9"}},
    "ignored-answers": {"answers": ["fever"]},
    "ignored-fraction": {"pain_score": 2.5},
    "ignored-number-out-of-bounds": {"weeks": 5201},
    "ignored-number-in-words": {"age_years": "forty"},
    "ignored-trend": {"trend": "sideways"},
    "ignored-country": {"country": "Spain"},
    "ignored-metadata": {"app_version": "1.4.0", "mood": None},
    "ignored-answer-in-the-wrong-place": {"one_leg_swelling": "yes"},
    "ignored-beside-an-emergency": {"weeks": -1, "answers": {"saddle_numbness": "yes", "x": "y"}},
    "ignored-more-than-is-listed": {
        "answers": {f"question_{number}\U0001f600": "yes" for number in range(60)}
    },
    "ignored-names-cut-short": {"answers": {"~" * 70: "yes"}, "\uff5e\U0001f600/" * 30: 1},
    "understood-country-in-lower-case": {"country": "gb", "answers": {"fever": "yes"}},
    "understood-unknown": {"weeks": "unknown", "trend": "unknown"},
    "understood-null-for-what-nobody-asks": {"answers": {"headache": None, "weeks": None}},
    "understood-whole-report": {
        "id": "0193b1c4-2a10-7b3d-9c55-1f2e3d4c5b6a",
        "reported_at": "2026-11-22T10:00:00+01:00",
        "local_date": "2026-11-22",
        "time_zone": "Europe/Madrid",
        "note": None,
        "device_decision": {"level": "self_care", "rule_set_hash": "0" * 64},
        "answers": {"fever": "yes"},
    },
}
COUNTRIES = ("GB", "ES", "US", "ZZ")
SESSIONS = ((None, None), (3, 4), (3, 5), (None, 6), (None, 7), (5, None), (4, 9), (9, 8))


def mild_answers(rule_set: RuleSet) -> dict[str, int | str | None]:
    """Answer every question unremarkably."""
    answers: dict[str, int | str | None] = {}
    for name, question in rule_set.questions.items():
        choices = [choice["id"] for choice in question["choices"]]
        mild = [choice for choice in MILD_CHOICES if choice in choices]
        number = MILD_NUMBERS.get(name, question["minimum"])
        answers[name] = (mild or choices)[0] if choices else number
    return answers


def _by_hand(rule_set: RuleSet) -> Iterator[tuple[str, Case]]:
    mild = mild_answers(rule_set)
    *_, other_language = languages = rule_set.document["languages"]
    for name, changes in ON_MILD.items():
        yield name, Case({**mild, **changes}, languages[0], NOW)
    for name, answers in ALONE.items():
        yield name, Case(answers, languages[0], NOW)
    yield "nothing-answered-null", Case(dict.fromkeys(mild), languages[0], NOW)
    unknown = {name: None if name in FIELDS else "unknown" for name in mild}
    yield "nothing-answered-unknown", Case(unknown, languages[0], NOW)
    yield "all-benign-in-another-language", Case(mild, other_language, NOW)
    for language in languages:
        for country in COUNTRIES:
            stem = f"{country.lower()}-{language}"
            for level, answer in (
                ("emergency", "chest_pain"),
                ("urgent", "fever"),
                ("crisis", "self_harm_thoughts"),
            ):
                case = Case({**mild, answer: "yes"}, language, NOW, country=country)
                yield f"{level}-in-{stem}", case
        stored = Case(
            {**mild, "fever": None},
            language,
            NOW,
            report_id=REPORT_ID,
            reported_at=NOW - DAY,
            local_date=(NOW - DAY).date(),
            country="GB",
        )
        yield f"late-by-a-day-{language}", stored
        on_time = replace(stored, reported_at=NOW - DAY + datetime.timedelta(seconds=1))
        yield f"late-by-a-second-less-{language}", on_time
    given = replace(on_time, answers=mild)
    yield "stored", given
    history = [fact["id"] for fact in rule_set.document["facts"] if fact["kind"] == "history"]
    for name in history:
        case = replace(given, history_facts=(name,))
        yield f"history-{name.replace('_', '-')}", case
    yield "history-all", replace(given, history_facts=tuple(history))


def _fires(rule_set: RuleSet, rule: Mapping[str, Any], answers: Answers) -> bool:
    return rule in judge_report(rule_set, answers).fired


def _others(question: Mapping[str, Any], answer: int | str, mild: int | str) -> Iterator[int | str]:
    """List other answers to a question: the neighbours of a number, the mildest choice first."""
    if question["choices"]:
        yield mild
        yield from (choice["id"] for choice in question["choices"])
        return
    for number in (int(answer) - 1, int(answer) + 1, mild):
        if question["minimum"] <= number <= question["maximum"]:
            yield number


def _silenced(
    rule_set: RuleSet, rule: Mapping[str, Any], answers: Answers, changeable: Answers
) -> Answers | None:
    """Change the one answer that makes a rule silent."""
    mild = mild_answers(rule_set)
    for name, answer in changeable.items():
        for other in _others(rule_set.questions[name], answer, mild[name]):  # type: ignore[arg-type]  # examples and mild answers leave none open
            changed = {**answers, name: other}
            if not _fires(rule_set, rule, changed):
                return changed
    return None


def _of_rule(
    rule_set: RuleSet, rule: Mapping[str, Any], language: str
) -> Iterator[tuple[str, Case]]:
    """Make every example a whole report, and a silent twin of the first that has one."""
    mild = mild_answers(rule_set)
    silent = None
    for number, example in enumerate(rule["examples"], start=1):
        answers = {**mild, **example["answers"]}
        if _fires(rule_set, rule, answers) != example["fires"]:
            # Some rules turn on a question that is open, which the mild answers would close.
            answers = example["answers"]
        yield f"example-{number}", Case(answers, language, NOW)
        if example["fires"] and silent is None:
            silent = _silenced(rule_set, rule, answers, example["answers"])
            if silent is not None:
                yield f"silent-twin-of-{number}", Case(silent, language, NOW)


def _of_rules(rule_set: RuleSet) -> Iterator[tuple[str, Case]]:
    languages = rule_set.document["languages"]
    for index, rule in enumerate(rule_set.document["rules"]):
        # In turn, so that the words of the rules are compared in every language.
        language = languages[index % len(languages)]
        for part, case in _of_rule(rule_set, rule, language):
            yield f"{rule['id'].lower()}-{part}", case


def _can_be_sent(rule_set: RuleSet, answers: Answers) -> bool:
    """Return whether the rule set has the questions and choices, which others may not have."""
    questions = rule_set.questions
    return all(
        name in questions
        and (
            isinstance(answer, int | None)
            or answer in {choice["id"] for choice in questions[name]["choices"]}
        )
        for name, answer in answers.items()
    )


def cases(rule_set: RuleSet) -> list[tuple[str, Case]]:
    """Return all golden cases by name, each different from every other."""
    found: list[tuple[str, Case]] = []
    for name, case in (*_by_hand(rule_set), *_of_rules(rule_set)):
        if _can_be_sent(rule_set, case.answers) and all(case != known for _, known in found):
            found.append((name, case))
    return found


# Who goes through the screens, and how each differs from an unremarkable person.
PEOPLE: Mapping[str, Answers] = {
    "healthy-adult": {},
    "saddle-numbness": {"saddle_numbness": "yes"},
    "one-sided-leg-pain": {"radiating_pain": "left", "pain_score": 5},
    "pregnancy-with-bleeding": {"pregnant": "yes", "pregnancy_bleeding": "a_little"},
    "known-stenosis": {
        "radiating_pain": "both",
        "long_known": "yes",
        "trend": "same",
        "weeks": 200,
        "age_years": 72,
        "assessed_before": "yes",
    },
    "car-crash-8-years-ago": {"weeks": 416, "trend": "same", "stops_daily_life": "yes"},
    "worried": {"worried": "yes"},
}


class Step(NamedTuple):
    """A screen on the way of a person, what was answered before it, and the taps that it takes."""

    answers: Answers
    screen: Json | None
    taps: int


def walk(rule_set: RuleSet, says: Answers) -> Iterator[Step]:
    """Go through the screens as a person does: tick what is the matter, and confirm the rest.

    A tap is an answer, or the confirmation of all that was not ticked.
    """
    would = {**mild_answers(rule_set), **says}
    answers: dict[str, int | str | None] = {}
    while (screen := next_screen(rule_set, answers)) is not None:
        before, taps = dict(answers), 0
        asked: Json | None = screen
        # What is ticked can open another question on the same screen.
        while asked is not None and asked["screen_id"] == screen["screen_id"]:
            mild = confirmation(rule_set, asked)
            ticked = {
                name: would[name] for name in asked["questions"] if would[name] != mild.get(name)
            }
            if not ticked:
                answers |= mild
                taps += 1
                break
            answers |= ticked
            taps += len(ticked)
            asked = next_screen(rule_set, answers)
        yield Step(before, screen, taps)
    yield Step(answers, None, 0)


def _screen_vector(rule_set: RuleSet, name: str, answers: Answers, *skipped: str) -> Json:
    screen = next_screen(rule_set, answers, (), skipped)
    return {
        "name": name,
        "report": as_sent(Case(answers, LAST_RESORT, NOW)),
        "history_facts": [],
        "skipped": list(skipped),
        "screen": screen,
        "confirmation": {} if screen is None else confirmation(rule_set, screen),
    }


def _screen_vectors(rule_set: RuleSet) -> Iterator[Json]:
    for person, says in PEOPLE.items():
        if not _can_be_sent(rule_set, says):
            continue
        for number, step in enumerate(walk(rule_set, says)):
            if person == "healthy-adult" or number > 0:
                yield _screen_vector(rule_set, f"{person}-{number}", step.answers)
    names = [screen["id"] for screen in rule_set.document["screens"]]
    yield _screen_vector(rule_set, "skipped-first", {}, *names[:1])
    yield _screen_vector(rule_set, "skipped-all", {}, *names)


def _instant(instant: datetime.datetime | None) -> str | None:
    return None if instant is None else utc_text(instant)


def as_sent(case: Case) -> Json:
    """Write the answers of a case as a report."""
    others = {
        question: case.answers[question] for question in case.answers if question not in FIELDS
    }
    return {
        **{field: case.answers.get(field) for field in FIELDS},
        "country": case.country,
        "answers": others,
    }


def odd_reports(rule_set: RuleSet) -> Iterator[tuple[str, Json]]:
    """List reports of which something can't be used, as they are sent."""
    mild = as_sent(Case(mild_answers(rule_set), LAST_RESORT, NOW))
    for name, odd in ODD.items():
        answers = odd.get("answers", {})
        if isinstance(answers, dict):
            answers = {**mild["answers"], **answers}
        yield name, {**mild, **odd, "answers": answers}


def report_vector(
    name: str, case: Case, decision: Mapping[str, Any], sent: Json | None = None
) -> Json:
    """Write a case and its decision as they are served; `sent` where it is not what is decided."""
    return {
        "name": name,
        "report": as_sent(case) if sent is None else sent,
        "language": case.language,
        "evaluated_at": _instant(case.evaluated_at),
        "report_id": None if case.report_id is None else str(case.report_id),
        "reported_at": _instant(case.reported_at),
        "local_date": None if case.local_date is None else case.local_date.isoformat(),
        "history_facts": list(case.history_facts),
        "decision": decision,
    }


def _odd_vectors(rule_set: RuleSet) -> Iterator[Json]:
    languages = rule_set.document["languages"]
    for number, (name, sent) in enumerate(odd_reports(rule_set)):
        case = case_of_sent(rule_set, sent, languages[number % len(languages)], NOW)
        yield report_vector(name, case, decide(rule_set, case)[0], sent)


def vectors(rule_set: RuleSet) -> Json:
    """Return everything that an evaluator can be checked against."""
    return {
        "engine": ENGINE,
        "rule_set_version": rule_set.document["version"],
        "rule_set_hash": rule_set.hash,
        "reports": [
            *(
                report_vector(name, case, decide(rule_set, case)[0])
                for name, case in cases(rule_set)
            ),
            *_odd_vectors(rule_set),
        ],
        "sessions": [
            {
                "name": f"pain-{before}-to-{after}-{language}".lower(),
                "pain_before": before,
                "pain_after": after,
                "language": language,
                "advice": advise(rule_set, before, after, language),
            }
            for language in rule_set.document["languages"]
            for before, after in SESSIONS
        ],
        "screens": list(_screen_vectors(rule_set)),
    }


def vector_answers(document: Mapping[str, Any]) -> dict[str, bytes]:
    """Prepare the answer of `GET /v1/triage/vectors` for the release that holds a rule set."""
    return {PATH: canonical(vectors(compile_rule_set(document)))}
