"""Wire shapes of triage: a report, a decision, a rule set."""

import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from api.content.schemas import Hash, Name, Sentence, SourceIds
from api.content.vocabulary import CareLevel, QuestionType, ReviewStatus, WarningLevel
from api.http.fields import RequestModel, ResponseModel, Whole

Texts = Annotated[
    dict[str, Annotated[str, Field(max_length=2000)]],
    Field(max_length=50, description="One text for each language, by its code."),
]
RuleName = Annotated[str, Field(max_length=8, pattern=r"^[A-Z]{1,2}[0-9]{1,2}[a-z]?$")]
Int32 = {"format": "int32"}
ActivityStatus = Literal["continue", "caution", "pause", "stop"]
Timeframe = Literal["now", "today", "soon", "before_activity", "when_convenient"]
CareSetting = Literal[
    "emergency_department", "urgent_care", "maternity_unit", "professional", "self"
]
Level = Annotated[
    CareLevel,
    Field(
        description="self_care < screening_incomplete < see_professional < urgent < emergency. "
        "Treat an unknown value as `emergency`."
    ),
]


class ReportFields(RequestModel):
    """What a person reports. Left out, null and `unknown` are the same: not answered."""

    pain_score: Annotated[
        Whole | None,
        Field(
            ge=0,
            le=10,
            description="Worst pain of the last 24 hours, 0 to 10.",
            json_schema_extra=Int32,
            examples=[4],
        ),
    ] = None
    weeks: Annotated[
        Whole | None,
        Field(
            ge=0,
            le=5200,
            description="How many weeks it has lasted.",
            json_schema_extra=Int32,
            examples=[2],
        ),
    ] = None
    trend: Annotated[Literal["better", "same", "worse"] | None, Field(examples=["same"])] = None
    age_years: Annotated[
        Whole | None, Field(ge=0, le=120, json_schema_extra=Int32, examples=[42])
    ] = None
    country: Annotated[
        str | None,
        Field(
            pattern=r"^[A-Z]{2}$",
            max_length=2,
            min_length=2,
            description="ISO 3166-1 alpha-2.",
            examples=["ES"],
        ),
    ] = None
    answers: Annotated[
        dict[
            Annotated[str, Field(max_length=64)],
            Annotated[str, Field(max_length=64)] | None,
        ],
        Field(
            max_length=200,
            description="Choices by question id; the rule set lists both.",
            examples=[{"radiating_pain": "left", "other_numbness": "no"}],
        ),
    ] = {}


class TriageReport(ReportFields):
    """A report to evaluate without storing it."""


class DecisionAction(ResponseModel):
    """What to do, how soon, and where."""

    code: Name
    text: Sentence
    timeframe: Annotated[Timeframe, Field(description="Treat an unknown value as `now`.")]
    care_setting: Annotated[
        CareSetting, Field(description="Treat an unknown value as `emergency_department`.")
    ]


class DecisionReason(ResponseModel):
    """A rule that fired, what it read, and where it comes from."""

    rule_id: RuleName
    level: Annotated[WarningLevel, Field(description="Treat an unknown value as `emergency`.")]
    text: Sentence
    facts: Annotated[list[Name], Field(max_length=50)]
    source_ids: SourceIds


class UnansweredQuestion(ResponseModel):
    """A question that is open, and the level its answer could raise the decision to."""

    question_id: Name
    text: Sentence
    could_raise_to: Annotated[
        WarningLevel | None, Field(description="Treat an unknown value as `emergency`.")
    ]


class DecisionActivities(ResponseModel):
    """Whether the exercises and massages may go on."""

    status: Annotated[ActivityStatus, Field(description="Treat an unknown value as `stop`.")]
    text: Sentence


class RuleSetName(ResponseModel):
    """The rule set a decision was made with."""

    version: Annotated[str, Field(max_length=32)]
    hash: Hash


class Decision(ResponseModel):
    """What triage answers: never a diagnosis, and never that somebody is out of danger."""

    id: Annotated[
        str | None,
        Field(
            max_length=36,
            json_schema_extra={"format": "uuid"},
            description="Null where nothing was stored.",
        ),
    ]
    level: Level
    possible_level: Annotated[
        CareLevel, Field(description="The highest level that open questions could raise it to.")
    ]
    screening_complete: bool
    see_professional: Annotated[
        bool, Field(description="True from the level `see_professional` upwards.")
    ]
    title: Sentence
    message: Annotated[str, Field(max_length=8000)]
    actions: Annotated[list[DecisionAction], Field(max_length=50)]
    reasons: Annotated[list[DecisionReason], Field(max_length=200)]
    unanswered: Annotated[list[UnansweredQuestion], Field(max_length=200)]
    activities: DecisionActivities
    safety_net: Sentence
    disclaimer: Sentence
    rule_set: RuleSetName
    history_facts: Annotated[list[Name], Field(max_length=50)]
    evaluated_at: datetime.datetime
    language: Annotated[str, Field(max_length=2)]


class RuleSetChoice(ResponseModel):
    """One answer a question can have."""

    id: Name
    text: Texts


class RuleSetQuestion(ResponseModel):
    """Something triage asks."""

    id: Name
    type: QuestionType
    text: Texts
    help: Texts | None
    choices: Annotated[list[RuleSetChoice], Field(max_length=20)]
    minimum: Annotated[int | None, Field(ge=0, le=10_000, json_schema_extra=Int32)]
    maximum: Annotated[int | None, Field(ge=0, le=10_000, json_schema_extra=Int32)]
    must_ask: bool
    asked_of: Literal["everyone", "pregnant"]


class RuleSetFact(ResponseModel):
    """How a fact is derived; see docs/triage-spec.md."""

    id: Name
    kind: Literal[
        "answer", "at_least", "at_most", "both_sides", "any", "all", "not_given", "history"
    ]
    questions: Annotated[list[Name], Field(max_length=100)]
    choices: Annotated[list[Name], Field(max_length=20)]
    value: Annotated[int | None, Field(ge=0, le=10_000, json_schema_extra=Int32)]
    facts: Annotated[list[Name], Field(max_length=100)]


class RuleSetExample(ResponseModel):
    """Answers that must or must not make the rule fire."""

    answers: Annotated[dict[str, Any], Field(max_length=200)]
    fires: bool


class RuleSetRule(ResponseModel):
    """A rule: a monotone JsonLogic condition over facts."""

    id: RuleName
    version: Annotated[int, Field(ge=1, le=1_000_000, json_schema_extra=Int32)]
    level: WarningLevel
    action: Name
    reads: Annotated[list[Name], Field(max_length=50)]
    condition: Annotated[
        dict[str, Any],
        Field(max_length=1, description="JsonLogic; operators var, and, or, ===, in."),
    ]
    text: Texts
    source_ids: SourceIds
    design_choice: bool
    needs_clinician: bool
    examples: Annotated[list[RuleSetExample], Field(max_length=50)]


class RuleSetLevel(ResponseModel):
    """A level and its words."""

    id: CareLevel
    rank: Annotated[int, Field(ge=0, le=9, json_schema_extra=Int32)]
    title: Texts
    message: Texts


class RuleSetAction(ResponseModel):
    """An action and its words."""

    code: Name
    text: Texts
    timeframe: Timeframe
    care_setting: CareSetting
    activities: ActivityStatus


class RuleSetStatus(ResponseModel):
    """An activity status and its words."""

    status: ActivityStatus
    text: Texts


class RuleSetPhrases(ResponseModel):
    """Sentences that every decision is built with."""

    safety_net: Texts
    disclaimer: Texts
    answer_first: Texts
    late_report: Texts
    emergency_number: Texts
    urgent_service: Texts


class RuleSetCountry(ResponseModel):
    """Whom to call in one country; where none is listed, the phrase `emergency_number` is used."""

    country: Annotated[str, Field(min_length=2, max_length=2, pattern=r"^[A-Z]{2}$")]
    emergency_number: Annotated[str, Field(max_length=6, pattern=r"^[0-9]{2,6}$")]
    urgent_service: Texts | None
    source_ids: SourceIds
    checked_at: datetime.date
    needs_clinician: bool


class RuleSetReview(ResponseModel):
    """Who has signed the rule set; it lies outside the hash."""

    status: ReviewStatus
    reviewer: Annotated[str | None, Field(max_length=200)]
    reviewed_at: datetime.date


class StoredRuleSet(ResponseModel):
    """A rule set. Its hash is the SHA-256 of its canonical JSON without `hash` and `review`."""

    hash: Hash
    version: Annotated[str, Field(max_length=32)]
    engine: Annotated[str, Field(max_length=64)]
    languages: Annotated[list[Annotated[str, Field(max_length=2)]], Field(max_length=50)]
    max_offline_age_seconds: Annotated[int, Field(ge=0, le=31_536_000, json_schema_extra=Int32)]
    incomplete_action: Name
    complete_action: Name
    questions: Annotated[list[RuleSetQuestion], Field(max_length=200)]
    facts: Annotated[list[RuleSetFact], Field(max_length=500)]
    rules: Annotated[list[RuleSetRule], Field(max_length=200)]
    session_facts: Annotated[list[RuleSetFact], Field(max_length=100)]
    session_rules: Annotated[list[RuleSetRule], Field(max_length=100)]
    countries: Annotated[list[RuleSetCountry], Field(max_length=300)]
    levels: Annotated[list[RuleSetLevel], Field(max_length=9)]
    actions: Annotated[list[RuleSetAction], Field(max_length=50)]
    activity_status: Annotated[list[RuleSetStatus], Field(max_length=4)]
    phrases: RuleSetPhrases


class CurrentRuleSet(StoredRuleSet):
    """The rule set in force, with its review."""

    review: RuleSetReview
