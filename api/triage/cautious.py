"""The outcome if nothing can be decided: care today, and never "no flag". Pure.

docs/triage-spec.md, "The cautious outcome". Its texts are next to the code, because the rule set
may be what is broken.
"""

import datetime
import json
from pathlib import Path
from typing import Any

from api.core.dates import utc_text
from api.http.languages import DEFAULT
from api.triage.rules import RuleSet

Json = dict[str, Any]
WORDS: dict[str, Any] = json.loads((Path(__file__).parent / "cautious.json").read_text("utf-8"))
CANNOT_EVALUATE = "cannot_evaluate"
LEVEL = "urgent"


def cautious_outcome(rule_set: RuleSet, language: str, now: datetime.datetime) -> Json:
    """Return the cautious outcome, in the form of a decision; in English where it has no words."""
    spoken = language if language in WORDS["headline"] else DEFAULT
    says = {name: texts[spoken] for name, texts in WORDS.items() if name != "safety_net"}
    return {
        "id": None,
        "level": LEVEL,
        "possible_level": "emergency",
        "screening_complete": False,
        "see_professional": True,
        "headline": says["headline"],
        "message": says["message"],
        "actions": [
            {
                "code": CANNOT_EVALUATE,
                "text": says["action"],
                "timeframe": "today",
                "care_setting": "urgent_care",
            }
        ],
        "notices": [],
        "reasons": [],
        "unanswered": [],
        "activities": {"status": "stop", "text": says["activities"]},
        "safety_net": [
            {"title": part["title"][spoken], "signs": [sign[spoken] for sign in part["signs"]]}
            for part in WORDS["safety_net"]
        ],
        "disclaimer": says["disclaimer"],
        "ignored": [],
        "ignored_total": 0,
        "rule_set_version": rule_set.document["version"],
        "rule_set_hash": rule_set.hash,
        "history_facts": [],
        "evaluated_at": utc_text(now),
        "language": spoken,
    }
