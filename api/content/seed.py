"""The shape of every file in the seed folder.

One class per kind of entry, strict and closed: an unknown key or a wrong type is a fault that
`footing check` reports with its file and JSON Pointer. Texts hold every language side by side, so
that a changed sentence and its missing translation are seen in the same diff.
"""

import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from api.content.vocabulary import (
    ActivityKind,
    ActivityStatus,
    CareLevel,
    CautionAction,
    Directness,
    Equipment,
    EvidenceGrade,
    FootZone,
    Origin,
    Position,
    Pressure,
    QuestionType,
    ReviewStatus,
    SideHandling,
    SpineRegion,
    Stroke,
    Target,
    WarningLevel,
)
from api.core.canonical import canonical

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=64)]
Identifier = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$", max_length=64)
]
RuleId = Annotated[str, StringConstraints(pattern=r"^[A-Z]{1,2}[0-9]{1,2}[a-z]?$", max_length=8)]
LanguageCode = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]
Text = Annotated[
    dict[LanguageCode, Annotated[str, StringConstraints(min_length=1, max_length=2000)]],
    Field(min_length=1),
]


def _canonical(value: Any) -> Any:
    canonical(value)  # raises a ValueError for what cannot be written
    return value


# Hashes must be the same in all programming languages: no number beyond 2^53, no infinity.
Canonical = AfterValidator(_canonical)


class SeedModel(BaseModel):
    """Base of everything read from the seed folder."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Range(SeedModel):
    """A closed interval, as in the source."""

    min: Annotated[int, Field(ge=0, le=100_000)]
    max: Annotated[int, Field(ge=0, le=100_000)]


class Review(SeedModel):
    """Who has reviewed a text, when, and when the next review is due."""

    status: ReviewStatus
    reviewer: Annotated[str, StringConstraints(max_length=200)] | None
    reviewed_at: datetime.date
    due_at: datetime.date


class Language(SeedModel):
    """A language that every text is complete in."""

    code: LanguageCode
    name: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    review: Review


class Source(SeedModel):
    """A citation.

    `pmid` is its number in PubMed; `document` the public name under which a body lists a document
    that has no such number.
    """

    id: Slug
    title: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    publisher: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    year: Annotated[int, Field(ge=1900, le=2100)] | None
    kind: Literal[
        "article",
        "guideline",
        "health_service",
        "trial",
        "review",
        "cohort",
        "consensus",
        "regulator",
        "trade_body",
        "textbook",
        "project",
    ]
    doi: Annotated[str, StringConstraints(pattern=r"^10\.\d{4,9}/\S+$", max_length=120)] | None
    isbn: Annotated[str, StringConstraints(pattern=r"^97[89][0-9]{10}$")] | None
    pmid: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,8}$")] | None
    document: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None
    url: Annotated[str, StringConstraints(pattern=r"^https://\S+$", max_length=300)] | None
    note: Text | None


class Evidence(SeedModel):
    """How well a claim is supported, in GRADE words."""

    grade: EvidenceGrade
    applies_to: Identifier
    directness: Directness
    statement: Text
    source_ids: list[Slug]


class Claim(SeedModel):
    """A statement with its evidence."""

    id: Slug
    text: Text
    evidence: Evidence


class Dosage(SeedModel):
    """A dosage, exactly as in the source; null if it gives none."""

    seconds_per_side: Range | None
    sets: Annotated[int, Field(ge=1, le=20)] | None
    repetitions: Range | None
    per_day: Annotated[int, Field(ge=1, le=24)] | None
    source: Origin


class Pace(SeedModel):
    """The assumed pace where the dosage has no time, so that a duration can be computed."""

    seconds_per_side: Range | None
    seconds_per_repetition: Annotated[int, Field(ge=1, le=60)] | None
    rest_seconds: Annotated[int, Field(ge=0, le=600)] | None
    assumption: Text
    source_ids: list[Slug]


class EquipmentNeed(SeedModel):
    """A piece of equipment; any one of the alternatives is enough."""

    any_of: Annotated[list[Equipment], Field(min_length=1)]
    required: bool
    text: Text


class Zone(SeedModel):
    """The part of the foot a massage works on, and the spine region that tradition links to it."""

    foot_zone: FootZone
    foot_zone_text: Text
    spine_region: SpineRegion
    spine_region_text: Text


class Massage(SeedModel):
    """The fields that only massages have: zone, stroke, tool and pressure."""

    zone: Zone
    stroke: Stroke
    stroke_text: Text
    tool_text: Text
    pressure: Pressure
    pressure_text: Text


class Instruction(SeedModel):
    """A step or a reason to stop: from the article, in our words, or our own addition."""

    text: Text
    origin: Origin
    media_id: Slug | None = None


class Activity(SeedModel):
    """An exercise or a massage technique."""

    id: Slug
    kind: ActivityKind
    title: Text
    summary: Text
    steps: Annotated[list[Instruction], Field(min_length=1)]
    equipment: list[EquipmentNeed]
    position: Position
    position_text: Text
    targets: Annotated[list[Target], Field(min_length=1)]
    side_handling: SideHandling
    side_text: Text
    dosage: Dosage
    dosage_text: Text
    pace: Pace | None
    why: Claim
    stop_criteria: Annotated[list[Instruction], Field(min_length=1)]
    media_ids: Annotated[list[Slug], Field(min_length=1)]
    massage: Massage | None
    review: Review


class Tip(SeedModel):
    """Advice that accompanies the activities."""

    id: Slug
    title: Text
    summary: Text
    steps: list[Instruction]
    why: Claim
    stop_criteria: list[Instruction]
    media_ids: list[Slug]
    review: Review


class Benefit(SeedModel):
    """What the source says the activities are good for."""

    id: Slug
    title: Text
    why: Claim
    review: Review


class HealthWarning(SeedModel):
    """When to stop and seek help."""

    id: Slug
    title: Text
    text: Text
    level: WarningLevel
    what_to_do: Text
    question_ids: list[Identifier]
    source_ids: Annotated[list[Slug], Field(min_length=1)]
    origin: Origin
    review: Review


class Condition(SeedModel):
    """A medical condition that cautions can refer to.

    `question_id` is the triage question that asks for it; `care_level` is the care that a person
    with it should seek, whatever the activity.
    """

    id: Identifier
    title: Text
    question_id: Identifier | None
    care_level: CareLevel | None


class Caution(SeedModel):
    """What a condition means for some of the activities or tips."""

    id: Annotated[str, StringConstraints(pattern=r"^[CO][0-9]{1,2}[a-z]?$")]
    condition: Identifier
    applies_to: Annotated[list[Slug], Field(min_length=1)]
    action: CautionAction
    text: Text
    source_ids: list[Slug]
    design_choice: bool
    needs_clinician: bool


class RoutineItem(SeedModel):
    """One activity of a routine, with the activity's own dosage."""

    activity_id: Slug
    required: bool


class Routine(SeedModel):
    """A set of activities to do in order."""

    id: Slug
    title: Text
    summary: Text
    intended_for: Text
    items: Annotated[list[RoutineItem], Field(min_length=1)]
    tip_ids: list[Slug]
    claimed_minutes: Annotated[int, Field(ge=1, le=240)] | None
    per_day: Annotated[int, Field(ge=1, le=24)]
    change_over_seconds: Range
    change_over_assumption: Text
    claims: list[Claim]
    origin: Origin
    review: Review


class Consent(SeedModel):
    """One consent text in one version."""

    id: Literal["storage", "research"]
    version: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    current: bool
    required: bool
    title: Text
    text: Text


class Label(SeedModel):
    """A text beside a picture, anchored at a point of its 600 by 600 units."""

    text: Text
    x: Annotated[int, Field(ge=0, le=600)]
    y: Annotated[int, Field(ge=0, le=600)]
    anchor: Literal["start", "middle", "end"]


class Media(SeedModel):
    """A picture; its file is a template for the title and the description in every language.

    Its labels are data, since text inside a drawing can't be read when the drawing is small.
    """

    id: Slug
    file: Annotated[str, StringConstraints(pattern=r"^media/[a-z0-9-]+\.svg$")]
    kind: Literal["drawing", "map"]
    licence: Literal["Apache-2.0"]
    credit: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    title: Text
    description: Text
    labels: dict[Identifier, Label]


class Phrase(SeedModel):
    """A sentence that the server builds responses with; {names} are filled in."""

    id: Identifier
    text: Text


class Choice(SeedModel):
    """A possible answer to a question."""

    id: Identifier
    text: Text


class Question(SeedModel):
    """A question of triage; an integer question has bounds, any other has choices.

    With `asked_if`, it is asked while that fact is possible; otherwise it counts as answered with
    the mildest choice.
    """

    id: Identifier
    type: QuestionType
    text: Text
    help: Text | None
    choices: list[Choice]
    minimum: Annotated[int | None, Canonical]
    maximum: Annotated[int | None, Canonical]
    must_ask: bool
    asked_if: Identifier | None


class Screen(SeedModel):
    """Questions on one page: ticked together, or answered one by one without a mild choice."""

    id: Identifier
    title: Text
    questions: Annotated[list[Identifier], Field(min_length=1, max_length=7)]


class Fact(SeedModel):
    """A fact that rules read, defined over answers or over facts that are listed before it.

    kind           reads                 certain when                      possible when
    answer         question, choices     the answer is one of them         so, or not answered
    at_least       question, value       the number is given and >= value  so, or not answered
    at_most        question, value       the number is given and <= value  so, or not answered
    both_sides     questions             their sides together are both     so, unknown as both
    any, all       facts                 any / all are certain             any / all are possible
    not_given      facts (one)           it is not certain                 the same
    history        nothing               earlier reports say so            the same
    """

    id: Identifier
    kind: Literal[
        "answer", "at_least", "at_most", "both_sides", "any", "all", "not_given", "history"
    ]
    questions: list[Identifier] = []
    choices: list[Identifier] = []
    value: Annotated[int | None, Canonical] = None
    facts: list[Identifier] = []


class RuleExample(SeedModel):
    """A report's answers, in short form, that must or must not make a rule fire."""

    answers: Annotated[dict[Identifier, int | str], Canonical]
    fires: bool


class Rule(SeedModel):
    """A red-flag rule: a monotone JsonLogic condition over facts."""

    id: RuleId
    version: Annotated[int, Field(ge=1, le=1_000_000)]
    level: WarningLevel
    action: Identifier
    reads: Annotated[list[Identifier], Field(min_length=1)]
    condition: Annotated[JsonValue, Canonical]
    text: Text
    explanation: Text
    source_ids: list[Slug]
    design_choice: bool
    needs_clinician: bool
    examples: Annotated[list[RuleExample], Field(min_length=2)]


class Level(SeedModel):
    """An outcome of triage and its texts."""

    id: CareLevel
    rank: Annotated[int, Field(ge=0, le=9)]
    message: Text


class Action(SeedModel):
    """What to do, how soon and where, and the activity status.

    The headline of a decision is that of its first action. An action is not shown beside one that
    replaces it.
    """

    code: Identifier
    replaces: list[Identifier]
    headline: Text
    text: Text
    timeframe: Literal["now", "today", "soon", "before_activity", "when_convenient"]
    care_setting: Literal[
        "emergency_department", "urgent_care", "maternity_unit", "professional", "self"
    ]
    activities: ActivityStatus


class Country(SeedModel):
    """A country's numbers, which replace `{emergency_call}` and `{crisis_call}` in texts."""

    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    emergency_number: Annotated[str, StringConstraints(pattern=r"^[0-9]{2,6}$")]
    crisis_line: Annotated[str | None, StringConstraints(pattern=r"^[0-9][0-9 ]{1,19}$")]
    urgent_service: Text | None
    source_ids: list[Slug]
    checked_at: datetime.date
    needs_clinician: bool


class ActivityStatusText(SeedModel):
    """The texts of an activity status."""

    status: ActivityStatus
    text: Text


class Phrases(SeedModel):
    """Sentences that every decision is built with."""

    disclaimer: Text
    answer_first: Text
    questions_first: Text
    late_report: Text
    emergency_call: Text
    emergency_call_anywhere: Text
    crisis_call: Text
    crisis_call_anywhere: Text
    urgent_service: Text


class SafetyNet(SeedModel):
    """Signs to watch for, and what to do about them as their title."""

    title: Text
    signs: Annotated[list[Text], Field(min_length=1)]


class CompleteAction(SeedModel):
    """The action where no rule fired and nothing is missing, if a fact is certain; null: always."""

    fact: Identifier | None
    action: Identifier


class RuleSetHead(SeedModel):
    """Version and review of a rule set; the hash does not cover the review."""

    version: Annotated[str, StringConstraints(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")]
    max_offline_age_seconds: Annotated[int, Field(ge=3600, le=31_536_000)]
    incomplete_action: Identifier
    complete_actions: Annotated[list[CompleteAction], Field(min_length=1)]
    activity_status: list[ActivityStatusText]
    safety_net: Annotated[list[SafetyNet], Field(min_length=1)]
    phrases: Phrases
    review: Review
