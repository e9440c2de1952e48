"""Responses of the content endpoints. Every field is always present; null if empty."""

from typing import Annotated, Literal

from pydantic import Field

from api.content.vocabulary import (
    ActivityKind,
    CareLevel,
    CautionAction,
    Directness,
    Equipment,
    EvidenceGrade,
    FootZone,
    Origin,
    Position,
    Pressure,
    ReviewStatus,
    SideHandling,
    SpineRegion,
    Stroke,
    Target,
    WarningLevel,
)
from api.http.fields import INT32, WHOLE, LocalDate, RequestModel, ResponseModel
from api.http.pages import NextCursor

Slug = Annotated[str, Field(max_length=64, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
Name = Annotated[str, Field(max_length=64, pattern=r"^[a-z0-9]+(_[a-z0-9]+)*$")]
Hash = Annotated[str, Field(min_length=64, max_length=64, pattern=r"^[0-9a-f]{64}$")]
Sentence = Annotated[str, Field(max_length=2000)]
SourceIds = Annotated[list[Slug], Field(max_length=50, description="See `GET /v1/sources`.")]
LanguageCode = Annotated[
    str, Field(min_length=2, max_length=2, pattern=r"^[a-z]{2}$", examples=["en"])
]
Licence = Annotated[
    str,
    Field(
        max_length=64,
        pattern=r"^[A-Za-z0-9.+-]+$",
        description="SPDX identifier.",
        examples=["Apache-2.0"],
    ),
]
CautionId = Annotated[str, Field(max_length=8, pattern=r"^[CO][0-9]{1,2}[a-z]?$")]
Count = Annotated[int, Field(ge=0, le=100_000, json_schema_extra=INT32)]
Seconds = Count
Sets = Annotated[int, Field(ge=1, le=20, json_schema_extra=INT32)]
PerDay = Annotated[int, Field(ge=1, le=24, json_schema_extra=INT32)]
# Vocabularies may grow. Where a text says the same in words, an unknown value loses nothing.
AnyActivityKind = Annotated[
    ActivityKind, Field(description="Don't offer an activity of an unknown value.")
]
AnyEquipment = Annotated[
    Equipment, Field(description="Show an unknown value by the `text` beside it.")
]
AnyPosition = Annotated[
    Position, Field(description="Show an unknown value by its `position_text`.")
]
AnyTarget = Annotated[Target, Field(description="Ignore an unknown value.")]
AnySideHandling = Annotated[
    SideHandling, Field(description="Treat an unknown value as `each_foot`.")
]
AnyOrigin = Annotated[
    Origin,
    Field(
        description="`seed`: from the article; `added`: our own addition. "
        "Treat an unknown value as `added`."
    ),
]
AnyReviewStatus = Annotated[
    ReviewStatus, Field(description="Treat an unknown value as `engineering_draft`.")
]
HelpLevel = Annotated[
    CareLevel | None,
    Field(description="The help to seek; null: none. Treat an unknown value as `emergency`."),
]


class NullableRange(ResponseModel):
    """Minimum and maximum, exactly as in the source; null if it gives none."""

    model_config = {
        **ResponseModel.model_config,
        "json_schema_extra": {"type": ["object", "null"], "additionalProperties": False},
    }

    min: Count
    max: Count


class SecondsRange(ResponseModel):
    """A duration in seconds: at least and at most."""

    min: Seconds
    max: Seconds


class TextReview(ResponseModel):
    """Who has checked a text. Until a clinician has, `reviewer` is null."""

    status: AnyReviewStatus
    reviewer: Annotated[str | None, Field(max_length=200)]
    reviewed_at: LocalDate


class ClaimEvidence(ResponseModel):
    """How well a claim is supported, in GRADE words."""

    grade: Annotated[
        EvidenceGrade,
        Field(description="Treat an unknown value as `not_established`."),
    ]
    applies_to: Annotated[Name, Field(description="What the grade is about, such as back_pain.")]
    directness: Annotated[Directness, Field(description="Treat an unknown value as `none`.")]
    statement: Sentence
    source_ids: SourceIds


class ContentClaim(ResponseModel):
    """What is said to be so, with its evidence."""

    id: Slug
    text: Sentence
    evidence: ClaimEvidence


class ActivityDosage(ResponseModel):
    """How much: `source` is `seed` if the article gives it; what it does not give is null."""

    text: Sentence
    seconds_per_side: NullableRange | None
    sets: Sets | None
    repetitions: NullableRange | None
    per_day: PerDay | None
    source: AnyOrigin


class EquipmentItem(ResponseModel):
    """A piece of equipment; any one of `any_of` is enough."""

    any_of: Annotated[list[AnyEquipment], Field(max_length=10)]
    required: bool
    text: Sentence


class ContentCaution(ResponseModel):
    """What a condition means for this activity."""

    id: CautionId
    condition: Annotated[Name, Field(description="See `conditions` in `GET /v1/content`.")]
    condition_title: Sentence
    action: Annotated[CautionAction, Field(description="Treat an unknown value as `stop`.")]
    text: Sentence
    care_level: Annotated[
        CareLevel | None,
        Field(
            description="The help to seek for the condition itself; null: none by itself. "
            "Treat an unknown value as `emergency`."
        ),
    ]
    source_ids: SourceIds
    needs_clinician: Annotated[
        bool, Field(description="No source at hand: a clinician has to confirm it.")
    ]


class MediaLabel(ResponseModel):
    """A text to show beside or over a picture, at a point of its 600 by 600 units."""

    id: Name
    text: Sentence
    x: Annotated[int, Field(ge=0, le=600, json_schema_extra=INT32)]
    y: Annotated[int, Field(ge=0, le=600, json_schema_extra=INT32)]
    anchor: Annotated[
        Literal["start", "middle", "end"],
        Field(description="The part of the text at the point. Treat an unknown value as `middle`."),
    ]


class ContentMedia(ResponseModel):
    """A picture. Its URLs contain its hash, so that it never changes."""

    id: Slug
    url: Annotated[
        str,
        Field(
            max_length=200,
            description="Path on this server.",
            json_schema_extra={"format": "uri-reference"},
        ),
    ]
    dark_url: Annotated[
        str,
        Field(
            max_length=200,
            description="The same picture for dark screens.",
            json_schema_extra={"format": "uri-reference"},
        ),
    ]
    media_type: Annotated[
        str,
        Field(max_length=64, pattern=r"^[a-z]+/[a-z0-9.+-]+$", examples=["image/svg+xml"]),
    ]
    kind: Annotated[
        Literal["drawing", "map"], Field(description="Show an unknown value as a `drawing`.")
    ]
    title: Sentence
    description: Annotated[str, Field(max_length=2000, description="For screen readers.")]
    labels: Annotated[
        list[MediaLabel],
        Field(max_length=20, description="Show them all where there is room, or as a list."),
    ]
    licence: Licence
    credit: Annotated[str, Field(max_length=100)]


class Instruction(ResponseModel):
    """A step, or a reason to stop."""

    text: Sentence
    origin: AnyOrigin
    media_id: Annotated[
        Slug | None, Field(description="The picture in `media` that shows this step.")
    ]


class ContentBase(ResponseModel):
    """What every piece of content carries."""

    id: Slug
    title: Sentence
    licence: Licence
    reviewed_at: LocalDate
    review: TextReview
    translation_review: TextReview


class ActivityBase(ContentBase):
    """What exercises, massages and tips share."""

    summary: Sentence
    steps: Annotated[list[Instruction], Field(max_length=20)]
    why: ContentClaim
    cautions: Annotated[list[ContentCaution], Field(max_length=60)]
    stop_criteria: Annotated[list[Instruction], Field(max_length=20)]
    media: Annotated[list[ContentMedia], Field(max_length=10)]


class Exercise(ActivityBase):
    """An exercise for the feet."""

    kind: AnyActivityKind
    equipment: Annotated[list[EquipmentItem], Field(max_length=10)]
    position: AnyPosition
    position_text: Sentence
    targets: Annotated[list[AnyTarget], Field(max_length=10)]
    side_handling: AnySideHandling
    side_text: Sentence
    dosage: ActivityDosage


class Massage(Exercise):
    """A massage technique for the feet; what it claims of the spine is traditional use."""

    foot_zone: Annotated[
        FootZone, Field(description="Show an unknown value by its `foot_zone_text`.")
    ]
    foot_zone_text: Sentence
    spine_region: Annotated[
        SpineRegion,
        Field(
            description="As traditional reflexology claims; not established. "
            "Show an unknown value by its `spine_region_text`."
        ),
    ]
    spine_region_text: Sentence
    stroke: Annotated[Stroke, Field(description="Show an unknown value by its `stroke_text`.")]
    stroke_text: Sentence
    tool_text: Sentence
    pressure: Annotated[
        Pressure, Field(description="Show an unknown value by its `pressure_text`.")
    ]
    pressure_text: Sentence


class Tip(ActivityBase):
    """Advice that accompanies the activities."""


class Benefit(ContentBase):
    """How the whole is said to help, with what is known of it."""

    why: ContentClaim


class HealthWarning(ContentBase):
    """When to stop and seek help."""

    text: Sentence
    level: Annotated[WarningLevel, Field(description="Treat an unknown value as `emergency`.")]
    what_to_do: Sentence
    question_ids: Annotated[
        list[Name], Field(max_length=20, description="The triage questions that ask for it.")
    ]
    source_ids: SourceIds
    origin: AnyOrigin


class RoutineItem(ResponseModel):
    """One activity of a routine, in its place."""

    activity_id: Slug
    kind: AnyActivityKind
    title: Sentence
    required: bool
    side_handling: AnySideHandling
    dosage: ActivityDosage
    estimated_seconds: SecondsRange
    assumptions: Annotated[list[Sentence], Field(max_length=10)]


class Routine(ContentBase):
    """Activities to do in order."""

    summary: Sentence
    intended_for: Sentence
    items: Annotated[list[RoutineItem], Field(max_length=20)]
    tip_ids: Annotated[list[Slug], Field(max_length=10)]
    per_day: PerDay
    estimated_seconds: SecondsRange
    assumptions: Annotated[list[Sentence], Field(max_length=30)]
    claimed_seconds: Annotated[
        Seconds | None,
        Field(description="The time that the article states; null if it states none."),
    ]
    claim_holds: Annotated[
        Literal["always", "low_end_only", "never", "no_claim"],
        Field(
            description="Whether the computed time keeps within the claimed one. "
            "Treat an unknown value as `never`."
        ),
    ]
    claims: Annotated[list[ContentClaim], Field(max_length=20)]
    origin: AnyOrigin


class ContentSource(ResponseModel):
    """A citation."""

    id: Slug
    title: Annotated[str, Field(max_length=300)]
    publisher: Annotated[str, Field(max_length=200)]
    year: Annotated[int, Field(ge=1900, le=2100, json_schema_extra=INT32)] | None
    kind: Name
    doi: Annotated[str | None, Field(max_length=120, pattern=r"^10\.[0-9]{4,9}/\S+$")]
    isbn: Annotated[str | None, Field(max_length=13, pattern=r"^97[89][0-9]{10}$")]
    pmid: Annotated[
        str | None,
        Field(max_length=9, pattern=r"^[1-9][0-9]*$", description="Its number in PubMed."),
    ]
    document: Annotated[
        str | None,
        Field(max_length=200, description="The public name under which a body lists it."),
    ]
    url: Annotated[str | None, Field(max_length=300, json_schema_extra={"format": "uri"})]
    note: Annotated[str | None, Field(max_length=2000)]


ConsentVersion = Annotated[
    str,
    Field(max_length=10, pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", examples=["2026-11-22"]),
]


class ConsentText(ResponseModel):
    """The exact text that a participant agrees to, in one version."""

    id: Annotated[
        Literal["storage", "research"],
        Field(description="Ask for no consent of an unknown value."),
    ]
    version: ConsentVersion
    current: bool
    required: bool
    title: Sentence
    text: Sentence


class ContentCondition(ResponseModel):
    """A medical condition that cautions can refer to, and that a profile may list."""

    id: Name
    title: Sentence
    question_id: Name | None
    care_level: HelpLevel


class ExerciseList(ResponseModel):
    """A page of exercises."""

    items: Annotated[list[Exercise], Field(max_length=200)]
    next_cursor: NextCursor


class MassageList(ResponseModel):
    """A page of massage techniques."""

    items: Annotated[list[Massage], Field(max_length=200)]
    next_cursor: NextCursor


class WarningList(ResponseModel):
    """A page of warnings, the article's three first."""

    items: Annotated[list[HealthWarning], Field(max_length=200)]
    next_cursor: NextCursor


class RoutineList(ResponseModel):
    """A page of routines."""

    items: Annotated[list[Routine], Field(max_length=200)]
    next_cursor: NextCursor


class TipList(ResponseModel):
    """A page of tips."""

    items: Annotated[list[Tip], Field(max_length=200)]
    next_cursor: NextCursor


class BenefitList(ResponseModel):
    """A page of benefits."""

    items: Annotated[list[Benefit], Field(max_length=200)]
    next_cursor: NextCursor


class SourceList(ResponseModel):
    """A page of sources."""

    items: Annotated[list[ContentSource], Field(max_length=200)]
    next_cursor: NextCursor


class ConsentList(ResponseModel):
    """The consent texts, current ones first."""

    items: Annotated[list[ConsentText], Field(max_length=200)]
    next_cursor: NextCursor


class DeletedContent(ResponseModel):
    """An entry that an earlier release had and this one does not."""

    kind: Name
    id: Slug


class ContentBundle(ResponseModel):
    """All content in one language, for use offline."""

    version: Annotated[Hash, Field(description="The hash of the release.")]
    hash: Annotated[Hash, Field(description="SHA-256 over `content` in canonical JSON (RFC 8785).")]
    language: LanguageCode
    languages: Annotated[list[LanguageCode], Field(max_length=50)]
    rule_set_hash: Hash
    deleted: Annotated[
        list[DeletedContent],
        Field(max_length=1000, description="What to forget of the release before this one."),
    ]
    content: "BundledContent"


class BundledContent(ResponseModel):
    """Everything the article teaches."""

    exercises: Annotated[list[Exercise], Field(max_length=200)]
    massages: Annotated[list[Massage], Field(max_length=200)]
    warnings: Annotated[list[HealthWarning], Field(max_length=200)]
    routines: Annotated[list[Routine], Field(max_length=200)]
    tips: Annotated[list[Tip], Field(max_length=200)]
    benefits: Annotated[list[Benefit], Field(max_length=200)]
    sources: Annotated[list[ContentSource], Field(max_length=500)]
    consents: Annotated[list[ConsentText], Field(max_length=200)]
    conditions: Annotated[list[ContentCondition], Field(max_length=200)]


class PlanRequest(RequestModel):
    """What a user has: time, equipment, positions and medical conditions."""

    minutes: Annotated[int, Field(ge=1, le=240, json_schema_extra=INT32, examples=[15]), WHOLE]
    equipment: Annotated[
        list[Equipment],
        Field(max_length=20, description="What is at hand.", examples=[["chair", "towel"]]),
    ]
    positions: Annotated[
        list[Position],
        Field(min_length=1, max_length=5, description="What is possible.", examples=[["seated"]]),
    ]
    conditions: Annotated[
        list[Name],
        Field(
            max_length=50,
            description="Ids of the user's medical conditions.",
            examples=[["diabetes"]],
        ),
    ] = []


class PlanItem(RoutineItem):
    """One activity of a plan: how much of it, and the cautions for the user's conditions.

    The planned figures are within the dosage; null if the dosage has no such figure.
    """

    planned_seconds: Annotated[Seconds, Field(description="Both feet and rests included.")]
    planned_seconds_per_side: Seconds | None
    planned_sets: Sets | None
    planned_repetitions: Count | None
    cautions: Annotated[list[ContentCaution], Field(max_length=60)]


class LeftOut(ResponseModel):
    """An activity that the plan does not include, and why."""

    activity_id: Slug
    title: Sentence
    reason: Annotated[
        Literal["contraindicated", "ask_first", "equipment", "position", "time", "hold"],
        Field(description="Treat an unknown value as `contraindicated`."),
    ]
    text: Sentence
    caution_ids: Annotated[list[CautionId], Field(max_length=60)]
    care_level: HelpLevel


class Plan(ResponseModel):
    """A routine composed for one person, now. It is not stored."""

    fits: Annotated[
        bool,
        Field(description="Whether a plan fits within the requested time."),
    ]
    requested_seconds: Seconds
    planned_seconds: Annotated[Seconds, Field(description="With time to change over.")]
    estimated_seconds: Annotated[
        SecondsRange, Field(description="The least and the most that the dosages allow.")
    ]
    items: Annotated[list[PlanItem], Field(max_length=20)]
    left_out: Annotated[list[LeftOut], Field(max_length=20)]
    assumptions: Annotated[list[Sentence], Field(max_length=30)]
    messages: Annotated[list[Sentence], Field(max_length=10)]
    see_professional: bool
    care_level: HelpLevel
    release: Hash
    language: LanguageCode
