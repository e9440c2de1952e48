"""What is measured of a participant in a period, as integers, and the bound of a contribution.

A participant contributes to one cell of a table. The contribution is a vector; its length is the
measure's bound, and the noise is drawn for that length. `people` combines three questions: whether
they practised, met the dose, and scored their pain. As weighted contrasts these cost less than a
histogram of the four cases: see ADR 0020.
"""

from enum import StrEnum

# 7² + 5² + 5² = 99, which is less than 10².
PRACTISED_WEIGHT = 7
DOSE_MET_WEIGHT = 5
SCORED_WEIGHT = 5
PEOPLE_BOUND = 10


class Measure(StrEnum):
    """What a table measures; each measure has its own noise."""

    PEOPLE = "people"
    PAIN = "pain"
    SESSIONS = "sessions"
    RED_FLAGS = "red_flags"
    PAIN_SQUARES = "pain_squares"


class Statistic(StrEnum):
    """A stored number of a cell."""

    PRACTISED = "practised"
    DOSE_MET = "dose_met"
    SCORED = "scored"
    PAIN = "pain"
    SESSIONS = "sessions"
    RED_FLAGS = "red_flags"
    PAIN_SQUARES = "pain_squares"


STATISTICS: dict[Measure, tuple[Statistic, ...]] = {
    Measure.PEOPLE: (Statistic.PRACTISED, Statistic.DOSE_MET, Statistic.SCORED),
    Measure.PAIN: (Statistic.PAIN,),
    Measure.SESSIONS: (Statistic.SESSIONS,),
    Measure.RED_FLAGS: (Statistic.RED_FLAGS,),
    Measure.PAIN_SQUARES: (Statistic.PAIN_SQUARES,),
}


class TableName(StrEnum):
    """A table of a publication, named by its cell keys."""

    ROUTINE = "routine"
    AGE = "age"
    REGION = "region"
    ALL = "all"
    RED_FLAG_RULE = "red_flag_rule"
    RED_FLAG = "red_flag"


FROM_REPORTS = frozenset({TableName.RED_FLAG_RULE, TableName.RED_FLAG})
EVERYBODY = "all"
PERSONALISED = "personalised"
OTHER_RULE = "other"
UNKNOWN = "unknown"
