"""The duration of an activity: from its dosage and, where that has no time, its pace."""

from api.content.seed import Activity, Range
from api.content.vocabulary import SideHandling


def estimate(activity: Activity) -> Range:
    """Return the minimum and maximum duration of an activity in seconds, for both feet."""
    dosage, pace = activity.dosage, activity.pace
    if dosage.sets is not None and dosage.repetitions is not None:
        each = pace.seconds_per_repetition if pace else None
        rest = pace.rest_seconds if pace else None
        pauses = (dosage.sets - 1) * (rest or 0)
        return Range(
            min=dosage.sets * dosage.repetitions.min * (each or 0) + pauses,
            max=dosage.sets * dosage.repetitions.max * (each or 0) + pauses,
        )
    per_side = dosage.seconds_per_side or (pace.seconds_per_side if pace else None)
    feet = 2 if activity.side_handling is SideHandling.EACH_FOOT else 1
    return Range(
        min=feet * (per_side.min if per_side else 0), max=feet * (per_side.max if per_side else 0)
    )


def total(parts: list[Range], change_over: Range) -> Range:
    """Add up the activities and the time to change between them."""
    gaps = max(0, len(parts) - 1)
    return Range(
        min=sum(part.min for part in parts) + gaps * change_over.min,
        max=sum(part.max for part in parts) + gaps * change_over.max,
    )
