"""Wire shapes of triage: a report, a decision, a rule set."""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    model_serializer,
    model_validator,
)

from api.content import vocabulary
from api.content.schemas import (
    AnyReviewStatus,
    Hash,
    LanguageCode,
    Name,
    Sentence,
    Slug,
    SourceIds,
)
from api.content.vocabulary import CareLevel, QuestionType, WarningLevel
from api.http.fields import (
    INT32,
    WHOLE,
    Instant,
    LocalDate,
    RecordId,
    RequestModel,
    ResponseModel,
)

Texts = Annotated[
    dict[str, Annotated[str, Field(max_length=2000)]],
    Field(max_length=50, description="One text for each language, by its code."),
]
Version = Annotated[
    str, Field(max_length=32, pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$", examples=["1.0.0"])
]
EngineName = Annotated[
    str,
    Field(max_length=64, pattern=r"^[a-z-]+/[0-9]+$", examples=["footing-triage/2"]),
]
RuleName = Annotated[str, Field(max_length=8, pattern=r"^[A-Z]{1,2}[0-9]{1,2}[a-z]?$")]
ActivityStatus = Annotated[
    vocabulary.ActivityStatus,
    Field(description="Treat an unknown value as `stop`."),
]
Timeframe = Annotated[
    Literal["now", "today", "soon", "before_activity", "when_convenient"],
    Field(description="Treat an unknown value as `now`."),
]
CareSetting = Annotated[
    Literal["emergency_department", "urgent_care", "maternity_unit", "professional", "self"],
    Field(description="Treat an unknown value as `emergency_department`."),
]
Level = Annotated[
    CareLevel,
    Field(
        description="self_care < screening_incomplete < see_professional < urgent < emergency. "
        "Treat an unknown value as `emergency`."
    ),
]
WarnedLevel = Annotated[WarningLevel, Field(description="Treat an unknown value as `emergency`.")]
PainScore = Annotated[
    Annotated[int, Field(ge=0, le=10, json_schema_extra=INT32), WHOLE] | None,
    Field(description="Worst pain of the last 24 hours, 0 to 10.", examples=[4]),
]
Weeks = Annotated[
    Annotated[int, Field(ge=0, le=5200, json_schema_extra=INT32), WHOLE] | None,
    Field(description="How many weeks the pain has lasted.", examples=[2]),
]
Trend = Annotated[
    Literal["better", "same", "worse"] | None,
    Field(description="Show an unknown value as not answered.", examples=["same"]),
]
AgeYears = Annotated[
    Annotated[int, Field(ge=0, le=120, json_schema_extra=INT32), WHOLE] | None,
    Field(examples=[42]),
]
COUNTRY_AS_SENT = r"^[A-Za-z]{2}$"
Country = Annotated[
    Annotated[
        str,
        Field(pattern=COUNTRY_AS_SENT, max_length=2, min_length=2),
        AfterValidator(str.upper),
    ]
    | None,
    Field(description="ISO 3166-1 alpha-2; stored in capitals.", examples=["ES"]),
]
CountryCode = Annotated[str, Field(min_length=2, max_length=2, pattern=r"^[A-Z]{2}$")]
ReportedCountry = Annotated[
    CountryCode | None, Field(description="ISO 3166-1 alpha-2.", examples=["ES"])
]
# Not checked as a Name: what a client sends here is looked up, and the refusal names it.
QuestionId = Annotated[str, Field(max_length=64)]
Answer = Annotated[
    str, Field(max_length=64, json_schema_extra={"pattern": r"^[a-z0-9]+(_[a-z0-9]+)*$"})
]
Amount = Annotated[int, Field(ge=0, le=10_000, json_schema_extra=INT32)]


class ReportFields(RequestModel):
    """What a user reports. Omitted, null and `unknown` all mean: not answered."""

    pain_score: PainScore = None
    weeks: Weeks = None
    trend: Trend = None
    age_years: AgeYears = None
    country: Country = None
    answers: Annotated[
        dict[QuestionId, Answer | None],
        Field(
            max_length=200,
            description="Choices by question id; the rule set lists both.",
            examples=[{"radiating_pain": "left", "other_numbness": "no"}],
        ),
    ] = {}


def _free(schema: dict[str, Any]) -> None:
    """Describe an object that may hold anything, so that nothing on the way refuses it either."""
    del schema["properties"]
    schema |= {"additionalProperties": True, "maxProperties": 1000}


class TriageReport(BaseModel):
    """A report to evaluate without storing it: any JSON object gets a decision.

    It has `pain_score`, `weeks`, `trend`, `age_years`, `country` and `answers`, as
    `NewSymptomReport` describes them. Parts that cannot be used count as not answered and are
    listed in `ignored` of the decision.
    """

    model_config = ConfigDict(frozen=True, json_schema_extra=_free)

    _sent: dict[str, Any] = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _take(
        cls, value: Any, handler: ModelWrapValidatorHandler["TriageReport"]
    ) -> "TriageReport":
        """Keep an object as it was sent, whatever is in it."""
        if not isinstance(value, dict):
            return handler(value)
        report = cls.model_construct()
        report._sent = value  # noqa: SLF001  # of its own class
        return report

    @model_serializer
    def _give(self) -> dict[str, Any]:
        return self._sent

    @property
    def sent(self) -> dict[str, Any]:
        """Return what was sent."""
        return self._sent


class IgnoredPart(ResponseModel):
    """A part of a report that cannot be used and counts as not answered."""

    pointer: Annotated[
        str,
        Field(
            max_length=200,
            description="JSON Pointer (RFC 6901); each name in it is cut to 64 characters.",
            examples=["/answers/headache"],
        ),
    ]
    code: Annotated[
        str,
        Field(
            max_length=64,
            pattern=r"^[a-z0-9_]+$",
            description="`unknown_field`, `unknown_question`, `unknown_choice` or `invalid_value`; "
            "more may come.",
            examples=["unknown_question"],
        ),
    ]


class DecisionAction(ResponseModel):
    """What to do, how soon, and where."""

    code: Name
    text: Sentence
    timeframe: Timeframe
    care_setting: CareSetting


class DecisionReason(ResponseModel):
    """A rule that fired, its facts, and its sources."""

    rule_id: RuleName
    level: WarnedLevel
    text: Sentence
    facts: Annotated[list[Name], Field(max_length=50)]
    source_ids: SourceIds


class UnansweredQuestion(ResponseModel):
    """An open question, and the level that its answer could raise the decision to."""

    question_id: Name
    text: Sentence
    could_raise_to: Annotated[
        WarningLevel | None, Field(description="Treat an unknown value as `emergency`.")
    ]


class DecisionActivities(ResponseModel):
    """Whether the exercises and massages may go on."""

    status: ActivityStatus
    text: Sentence


class DecisionSafetyNet(ResponseModel):
    """Signs to watch for, with what to do about them as their title."""

    title: Annotated[Sentence | None, Field(description="Null in decisions of an older engine.")]
    signs: Annotated[list[Sentence], Field(max_length=50, description="One a line.")]


class Decision(ResponseModel):
    """The result of triage: never a diagnosis, and never a statement that someone is safe."""

    id: Annotated[RecordId | None, Field(description="Null if nothing was stored.")]
    level: Level
    possible_level: Annotated[
        CareLevel,
        Field(
            description="The highest level that open questions could raise it to. "
            "Treat an unknown value as `emergency`."
        ),
    ]
    screening_complete: bool
    see_professional: Annotated[
        bool, Field(description="True from the level `see_professional` upwards.")
    ]
    headline: Annotated[
        Sentence, Field(description="What to do, in a few words. Show it first, in large type.")
    ]
    message: Annotated[str, Field(max_length=8000)]
    actions: Annotated[
        list[DecisionAction],
        Field(max_length=50, description="Those of the level alone; the first matters most."),
    ]
    notices: Annotated[
        list[Sentence],
        Field(max_length=10, description="About this report: it is late, questions are open."),
    ]
    reasons: Annotated[
        list[DecisionReason],
        Field(
            max_length=200,
            description="The strictest first. If exactly one emergency rule fired, the mildest are "
            "left out where it would be too long to read.",
        ),
    ]
    unanswered: Annotated[list[UnansweredQuestion], Field(max_length=200)]
    activities: DecisionActivities
    safety_net: Annotated[list[DecisionSafetyNet], Field(max_length=10)]
    disclaimer: Sentence
    ignored: Annotated[
        list[IgnoredPart],
        Field(
            max_length=50,
            description="Parts of the request that cannot be used: they count as not "
            "answered. Log them. Empty for stored reports.",
        ),
    ]
    ignored_total: Annotated[
        int,
        Field(
            ge=0,
            le=2_147_483_647,
            json_schema_extra=INT32,
            description="The total number; `ignored` lists the first ones.",
        ),
    ]
    rule_set_version: Version
    rule_set_hash: Hash
    history_facts: Annotated[list[Name], Field(max_length=50)]
    evaluated_at: Instant
    language: LanguageCode


class RuleSetChoice(ResponseModel):
    """A possible answer to a question."""

    id: Name
    text: Texts


class RuleSetQuestion(ResponseModel):
    """Something triage asks."""

    id: Name
    type: Annotated[
        QuestionType,
        Field(description="A question with an unknown value cannot be asked: update the app."),
    ]
    text: Texts
    help: Texts | None
    choices: Annotated[list[RuleSetChoice], Field(max_length=20)]
    minimum: Amount | None
    maximum: Amount | None
    must_ask: bool
    asked_if: Annotated[
        Name | None,
        Field(
            description="Ask it while this fact is possible. While it is not, an open answer "
            "counts as `no` or `none`. Null: always asked."
        ),
    ]


class RuleSetScreen(ResponseModel):
    """Questions on one page, in the order of asking; see docs/triage-spec.md."""

    id: Name
    title: Texts
    questions: Annotated[list[Name], Field(max_length=20)]


class RuleSetFact(ResponseModel):
    """How a fact is derived; see docs/triage-spec.md."""

    id: Name
    kind: Annotated[
        Literal[
            "answer", "at_least", "at_most", "both_sides", "any", "all", "not_given", "history"
        ],
        Field(description="An unknown value needs a newer evaluator: ask the server instead."),
    ]
    questions: Annotated[list[Name], Field(max_length=100)]
    choices: Annotated[list[Name], Field(max_length=20)]
    value: Amount | None
    facts: Annotated[list[Name], Field(max_length=100)]


class RuleSetExample(ResponseModel):
    """Answers that must or must not make the rule fire."""

    answers: Annotated[
        dict[str, Any],
        Field(max_length=200, description="Whole numbers and choices by question id."),
    ]
    fires: bool


class RuleSetRule(ResponseModel):
    """A rule: a monotone JsonLogic condition over facts."""

    id: RuleName
    version: Annotated[int, Field(ge=1, le=1_000_000, json_schema_extra=INT32)]
    level: WarnedLevel
    action: Name
    reads: Annotated[list[Name], Field(max_length=50)]
    condition: Annotated[
        dict[str, Any],
        Field(max_length=1, description="JsonLogic; operators var, and, or, ===, in."),
    ]
    text: Texts
    explanation: Annotated[
        Texts,
        Field(description="Thresholds and reasons, for clinicians; never part of a decision."),
    ]
    source_ids: SourceIds
    design_choice: bool
    needs_clinician: bool
    examples: Annotated[list[RuleSetExample], Field(max_length=50)]


class RuleSetLevel(ResponseModel):
    """A level and its words."""

    id: Level
    rank: Annotated[int, Field(ge=0, le=9, json_schema_extra=INT32)]
    message: Texts


class RuleSetAction(ResponseModel):
    """An action and its words."""

    code: Name
    replaces: Annotated[list[Name], Field(max_length=50, description="Not shown beside this one.")]
    headline: Texts
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

    disclaimer: Texts
    answer_first: Texts
    questions_first: Texts
    late_report: Texts
    emergency_call: Texts
    emergency_call_anywhere: Texts
    crisis_call: Texts
    crisis_call_anywhere: Texts
    urgent_service: Texts


class RuleSetCompleteAction(ResponseModel):
    """An action where no rule fired and nothing is missing; the first certain one counts."""

    fact: Annotated[Name | None, Field(description="Null: always.")]
    action: Name


class RuleSetSafetyNet(ResponseModel):
    """Signs to watch for, and what to do about them."""

    title: Texts
    signs: Annotated[list[Texts], Field(max_length=50)]


class RuleSetCountry(ResponseModel):
    """The emergency numbers of one country. Others use the phrase `emergency_call_anywhere`."""

    country: CountryCode
    emergency_number: Annotated[str, Field(max_length=6, pattern=r"^[0-9]{2,6}$")]
    crisis_line: Annotated[str | None, Field(max_length=20, pattern=r"^[0-9][0-9 ]{1,19}$")]
    urgent_service: Texts | None
    source_ids: SourceIds
    checked_at: LocalDate
    needs_clinician: bool


class SessionAdvice(ResponseModel):
    """The advice of a rule on the pain of a session."""

    rule_id: RuleName
    level: WarnedLevel
    headline: Annotated[Sentence, Field(description="Show it first.")]
    text: Sentence
    action: DecisionAction
    source_ids: SourceIds


class ReportVector(ResponseModel):
    """A report, all that its decision depends on besides, and the decision it must get."""

    name: Slug
    report: TriageReport
    language: LanguageCode
    evaluated_at: Instant
    report_id: Annotated[RecordId | None, Field(description="Null: evaluated, not stored.")]
    reported_at: Instant | None
    local_date: LocalDate | None
    history_facts: Annotated[list[Name], Field(max_length=50)]
    decision: Decision


class SessionVector(ResponseModel):
    """The pain of a session, and the advice it must get."""

    name: Slug
    pain_before: PainScore
    pain_after: PainScore
    language: LanguageCode
    advice: Annotated[list[SessionAdvice], Field(max_length=20)]


class AskedScreen(ResponseModel):
    """A screen with the questions that it asks of this person."""

    screen_id: Name
    questions: Annotated[list[Name], Field(max_length=20)]


class ScreenVector(ResponseModel):
    """What was answered so far, and the screen that has to follow."""

    name: Slug
    report: TriageReport
    history_facts: Annotated[list[Name], Field(max_length=50)]
    skipped: Annotated[list[Name], Field(max_length=100, description="Screens that were skipped.")]
    screen: Annotated[AskedScreen | None, Field(description="Null: nothing is left to ask.")]
    confirmation: Annotated[
        dict[str, Answer],
        Field(max_length=20, description="What confirming it answers, if nothing is ticked."),
    ]


class TriageVectors(ResponseModel):
    """Golden cases to check an evaluator against: equal means equal canonical bytes."""

    engine: EngineName
    rule_set_version: Version
    rule_set_hash: Hash
    reports: Annotated[list[ReportVector], Field(max_length=5000)]
    sessions: Annotated[list[SessionVector], Field(max_length=500)]
    screens: Annotated[list[ScreenVector], Field(max_length=1000)]


class RuleSetSignature(ResponseModel):
    """A signature over the canonical bytes that the hash is made of; see docs/triage-spec.md."""

    algorithm: Annotated[
        Literal["ed25519"],
        Field(description="A signature with an unknown value cannot be verified."),
    ]
    key_id: Annotated[Hash, Field(description="The SHA-256 of the raw public key.")]
    value: Annotated[
        str,
        Field(
            min_length=88, max_length=88, pattern=r"^[A-Za-z0-9+/]{86}==$", description="Base64."
        ),
    ]


class RuleSetReview(ResponseModel):
    """The review of the rule set; not part of the hash."""

    status: AnyReviewStatus
    reviewer: Annotated[str | None, Field(max_length=200)]
    reviewed_at: LocalDate


class ServedRuleSet(ResponseModel):
    """A rule set. Its hash is the SHA-256 of its canonical JSON without `hash` itself."""

    hash: Hash
    version: Version
    engine: EngineName
    languages: Annotated[list[LanguageCode], Field(max_length=50)]
    max_offline_age_seconds: Annotated[int, Field(ge=0, le=31_536_000, json_schema_extra=INT32)]
    incomplete_action: Name
    complete_actions: Annotated[list[RuleSetCompleteAction], Field(max_length=10)]
    questions: Annotated[list[RuleSetQuestion], Field(max_length=200)]
    screens: Annotated[list[RuleSetScreen], Field(max_length=100)]
    facts: Annotated[list[RuleSetFact], Field(max_length=500)]
    rules: Annotated[list[RuleSetRule], Field(max_length=200)]
    session_facts: Annotated[list[RuleSetFact], Field(max_length=100)]
    session_rules: Annotated[list[RuleSetRule], Field(max_length=100)]
    countries: Annotated[list[RuleSetCountry], Field(max_length=300)]
    levels: Annotated[list[RuleSetLevel], Field(max_length=9)]
    actions: Annotated[list[RuleSetAction], Field(max_length=50)]
    activity_status: Annotated[list[RuleSetStatus], Field(max_length=4)]
    safety_net: Annotated[list[RuleSetSafetyNet], Field(max_length=10)]
    phrases: RuleSetPhrases


class WithdrawnRuleSet(ResponseModel):
    """A rule set that was found to be wrong and must not be used again."""

    hash: Hash
    reason: Annotated[str, Field(max_length=500)]
    withdrawn_at: Instant


class CurrentRuleSet(ServedRuleSet):
    """The rule set in force, with its review and the ones before it that were withdrawn.

    What it adds to the stored one, `review`, `signature` and `withdrawn`, lies outside the hash.
    """

    review: RuleSetReview
    signature: Annotated[
        RuleSetSignature | None, Field(description="Null if the operator does not sign rule sets.")
    ]
    withdrawn: Annotated[list[WithdrawnRuleSet], Field(max_length=1000)]
