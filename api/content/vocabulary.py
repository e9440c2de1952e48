"""The enums of the content, shared by the seed files and the responses.

Values are identifiers, so that generated clients get usable names. Enums may grow within v1: each
response field documents what a client does with an unknown value.
"""

from enum import StrEnum
from typing import Literal, get_args

# What a participant's activities may do, mildest first.
ActivityStatus = Literal["continue", "caution", "pause", "stop"]
ACTIVITY_STATUSES: tuple[ActivityStatus, ...] = get_args(ActivityStatus)


class ActivityKind(StrEnum):
    """Exercise or massage technique."""

    EXERCISE = "exercise"
    MASSAGE = "massage"


class Equipment(StrEnum):
    """What an activity is done with."""

    CHAIR = "chair"
    TOWEL = "towel"
    TENNIS_BALL = "tennis_ball"
    FOAM_ROLLER = "foam_roller"
    WALL = "wall"
    MASSAGE_TOOL = "massage_tool"


class Position(StrEnum):
    """How the body is held."""

    SEATED = "seated"
    STANDING = "standing"


class Target(StrEnum):
    """The structure an activity works on."""

    FOOT_MUSCLES = "foot_muscles"
    PLANTAR_FASCIA = "plantar_fascia"
    CALF_MUSCLES = "calf_muscles"
    HEEL = "heel"
    INNER_EDGE = "inner_edge"
    SORE_SPOT = "sore_spot"


class SideHandling(StrEnum):
    """Whether each foot has its own turn."""

    EACH_FOOT = "each_foot"
    BOTH_FEET = "both_feet"


class FootZone(StrEnum):
    """The part of the foot a massage works on."""

    HEEL = "heel"
    INNER_EDGE = "inner_edge"
    SORE_SPOT = "sore_spot"


class Stroke(StrEnum):
    """The movement of a massage."""

    CIRCLES = "circles"
    RUB_HEEL_TO_TOE = "rub_heel_to_toe"
    GENTLE_MASSAGE = "gentle_massage"


class Pressure(StrEnum):
    """How hard a massage presses, in the source's words; it gives no scale."""

    FIRM = "firm"
    GENTLE = "gentle"


class SpineRegion(StrEnum):
    """The part of the spine that reflexology links to a foot zone."""

    LOWER_SPINE = "lower_spine"
    UPPER_SPINE = "upper_spine"
    NONE = "none"


class EvidenceGrade(StrEnum):
    """GRADE certainty, and two words for what has none."""

    HIGH = "high"
    MODERATE = "moderate"
    LOW = "low"
    VERY_LOW = "very_low"
    NOT_ESTABLISHED = "not_established"
    TRADITIONAL_USE = "traditional_use"


class Directness(StrEnum):
    """Whether the evidence is about this very thing."""

    DIRECT = "direct"
    INDIRECT = "indirect"
    NONE = "none"


class Origin(StrEnum):
    """`seed`: the article the content comes from; `added`: the project's own addition."""

    SEED = "seed"
    ADDED = "added"


class ReviewStatus(StrEnum):
    """How far a text has been checked."""

    ENGINEERING_DRAFT = "engineering_draft"
    NEEDS_CLINICIAN = "needs_clinician"
    CLINICALLY_REVIEWED = "clinically_reviewed"


class CautionAction(StrEnum):
    """`stop`: not offered; `ask`: a professional first; `modify`: with the stated change."""

    STOP = "stop"
    ASK = "ask"
    MODIFY = "modify"


class WarningLevel(StrEnum):
    """The levels a rule or a warning can have."""

    SEE_PROFESSIONAL = "see_professional"
    URGENT = "urgent"
    EMERGENCY = "emergency"


class CareLevel(StrEnum):
    """The outcomes of triage, mildest first."""

    SELF_CARE = "self_care"
    SCREENING_INCOMPLETE = "screening_incomplete"
    SEE_PROFESSIONAL = "see_professional"
    URGENT = "urgent"
    EMERGENCY = "emergency"


class QuestionType(StrEnum):
    """What an answer looks like."""

    INTEGER = "integer"
    CHOICE = "choice"
    SIDES = "sides"
