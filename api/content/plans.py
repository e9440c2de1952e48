"""Composes a routine for a person's time, equipment, positions and conditions.

A plan never contains an activity that a condition rules out, lists what it left out and why, and
keeps each dosage within the range of the source.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from api.content import schemas, seed
from api.content.durations import estimate, total
from api.content.rendering import Renderer
from api.content.vocabulary import ActivityStatus, CareLevel, CautionAction, Equipment, Position
from api.core.errors import Fault, InvalidRequest

ROUTINE = "daily-15-minutes"
# The condition of cautions that apply to all users.
EVERYONE = "always"
SECONDS_PER_MINUTE = 60
CARE_ORDER = list(CareLevel)
Reason = Literal["contraindicated", "ask_first", "equipment", "position", "time", "hold"]


@dataclass(frozen=True)
class Wishes:
    """What a plan is composed for."""

    minutes: int
    equipment: frozenset[Equipment]
    positions: frozenset[Position]
    conditions: tuple[str, ...]
    hold: ActivityStatus = "continue"


def check_conditions(renderer: Renderer, conditions: Sequence[str]) -> None:
    """Reject an unknown condition, which would silently have no effect."""
    known = {condition.id for condition in renderer.catalogue.conditions}
    faults = [
        Fault(f"/conditions/{index}", "unknown_condition", f'"{name}" is not a known condition.')
        for index, name in enumerate(conditions)
        if name not in known
    ]
    if faults:
        message = f"{faults[0].message} GET /v1/content lists the conditions."
        raise InvalidRequest(message, faults=faults)


class _Composer:
    def __init__(self, renderer: Renderer, wishes: Wishes) -> None:
        self.renderer = renderer
        self.wishes = wishes
        catalogue = renderer.catalogue
        activities = {activity.id: activity for activity in catalogue.activities}
        self.routine = next(item for item in catalogue.routines if item.id == ROUTINE)
        self.required = {item.activity_id: item.required for item in self.routine.items}
        self.candidates = [activities[item.activity_id] for item in self.routine.items]
        self.own = [c for c in catalogue.conditions if c.id in wishes.conditions]

    def phrase(self, phrase_id: str, **values: object) -> str:
        text = self.renderer.catalogue.phrase(phrase_id, self.renderer.language)
        return text.format(**values)

    def titles(self, condition_ids: Iterable[str]) -> str:
        wanted = set(condition_ids)
        return ", ".join(c.title[self.renderer.language] for c in self.own if c.id in wanted)

    def cautions(self, activity: seed.Activity, *actions: CautionAction) -> list[seed.Caution]:
        return [
            caution
            for caution in self.renderer.catalogue.cautions
            if activity.id in caution.applies_to
            and caution.action in actions
            and caution.condition in {*self.wishes.conditions, EVERYONE}
        ]

    def left_out(
        self, activity: seed.Activity, reason: Reason, text: str, cautions: Sequence[seed.Caution]
    ) -> schemas.LeftOut:
        conditions = {caution.condition for caution in cautions}
        return schemas.LeftOut(
            activity_id=activity.id,
            title=activity.title[self.renderer.language],
            reason=reason,
            text=text,
            caution_ids=[caution.id for caution in cautions],
            care_level=highest(c.care_level for c in self.own if c.id in conditions),
        )

    def held(self, activity: seed.Activity) -> str | None:
        """Return whether a hold prevents an activity: a caution only if it is not seated."""
        if self.wishes.hold in {"pause", "stop"}:
            return self.phrase("plan_hold")
        if self.wishes.hold == "caution" and activity.position is not Position.SEATED:
            return self.phrase("plan_caution")
        return None

    def obstacle(self, activity: seed.Activity) -> schemas.LeftOut | None:
        """Return why an activity cannot be in the plan: the most serious reason."""
        held = self.held(activity)
        if held:
            return self.left_out(activity, "hold", held, [])
        stops = self.cautions(activity, CautionAction.STOP)
        if stops:
            names = self.titles(caution.condition for caution in stops)
            text = self.phrase("plan_contraindicated", conditions=names)
            return self.left_out(activity, "contraindicated", text, stops)
        asks = self.cautions(activity, CautionAction.ASK)
        if asks:
            names = self.titles(caution.condition for caution in asks)
            text = self.phrase("plan_ask_first", conditions=names)
            return self.left_out(activity, "ask_first", text, asks)
        if activity.position not in self.wishes.positions:
            return self.left_out(activity, "position", self.phrase("plan_position"), [])
        missing = [
            need.text[self.renderer.language]
            for need in activity.equipment
            if need.required and not self.wishes.equipment.intersection(need.any_of)
        ]
        if missing:
            text = self.phrase("plan_equipment", equipment=", ".join(missing))
            return self.left_out(activity, "equipment", text, [])
        return None

    def choose(self) -> tuple[list[seed.Activity], list[schemas.LeftOut]]:
        """Choose the possible activities in the article's order, as long as the time lasts."""
        chosen: list[seed.Activity] = []
        left_out: list[schemas.LeftOut] = []
        budget = self.wishes.minutes * SECONDS_PER_MINUTE
        for activity in self.candidates:
            obstacle = self.obstacle(activity)
            if obstacle is None:
                parts = [estimate(item) for item in (*chosen, activity)]
                if total(parts, self.routine.change_over_seconds).min <= budget:
                    chosen.append(activity)
                    continue
                obstacle = self.left_out(activity, "time", self.phrase("plan_time"), [])
            left_out.append(obstacle)
        return chosen, left_out

    def item(self, activity: seed.Activity, share: float) -> schemas.PlanItem:
        """Plan one activity at a share (0 to 1) of its range."""

        def within(bounds: seed.Range | None) -> int | None:
            return bounds.min + int(share * (bounds.max - bounds.min)) if bounds else None

        dosage, pace = activity.dosage, activity.pace
        repetitions = within(dosage.repetitions)
        per_side = within(dosage.seconds_per_side or (pace.seconds_per_side if pace else None))
        planned = estimate(
            activity.model_copy(
                update={
                    "dosage": dosage.model_copy(
                        update={
                            "seconds_per_side": exactly(per_side),
                            "repetitions": exactly(repetitions),
                        }
                    )
                }
            )
        )
        modify = self.cautions(activity, CautionAction.MODIFY)
        rendered = self.renderer.routine_item(activity, required=self.required[activity.id])
        return schemas.PlanItem(
            **dict(rendered),
            planned_seconds=planned.min,
            planned_seconds_per_side=per_side,
            planned_sets=dosage.sets,
            planned_repetitions=repetitions,
            cautions=[self.renderer.caution(caution) for caution in modify],
        )

    def messages(
        self, chosen: Sequence[seed.Activity], left_out: Sequence[schemas.LeftOut], share: float
    ) -> list[str]:
        urgent = [condition for condition in self.own if condition.care_level is not None]
        messages = []
        if urgent:
            names = self.titles(condition.id for condition in urgent)
            messages.append(self.phrase("plan_seek_help", conditions=names))
        if not chosen:
            short = [
                item
                for item in self.candidates
                if any(o.activity_id == item.id and o.reason == "time" for o in left_out)
            ]
            if short:
                seconds = min(estimate(item).min for item in short)
                messages.append(
                    self.phrase("plan_does_not_fit", minutes=self.wishes.minutes, seconds=seconds)
                )
            else:
                messages.append(self.phrase("plan_empty"))
        elif share < 1:
            messages.append(self.phrase("plan_shortened"))
        return messages


def exactly(value: int | None) -> seed.Range | None:
    """Make a range of one value."""
    return None if value is None else seed.Range(min=value, max=value)


def highest(levels: Iterable[CareLevel | None]) -> CareLevel | None:
    """Return the most serious of some levels."""
    given = [level for level in levels if level is not None]
    return max(given, key=CARE_ORDER.index, default=None)


def compose(renderer: Renderer, wishes: Wishes, release_hash: str) -> schemas.Plan:
    """Compose a plan."""
    composer = _Composer(renderer, wishes)
    chosen, left_out = composer.choose()
    bounds = total([estimate(item) for item in chosen], composer.routine.change_over_seconds)
    budget = wishes.minutes * SECONDS_PER_MINUTE
    spread = bounds.max - bounds.min
    share = min(1.0, (budget - bounds.min) / spread) if spread else 1.0
    items = [composer.item(activity, share) for activity in chosen]
    change_over = composer.routine.change_over_seconds
    gap = change_over.min + int(share * (change_over.max - change_over.min))
    care_level = highest(condition.care_level for condition in composer.own)
    assumptions = [assumption for item in items for assumption in item.assumptions]
    if len(items) > 1:
        assumptions.append(composer.routine.change_over_assumption[renderer.language])
    return schemas.Plan(
        fits=bool(items),
        requested_seconds=budget,
        planned_seconds=sum(item.planned_seconds for item in items) + gap * max(0, len(items) - 1),
        estimated_seconds=schemas.SecondsRange(min=bounds.min, max=bounds.max),
        items=items,
        left_out=left_out,
        assumptions=assumptions,
        messages=composer.messages(chosen, left_out, share),
        see_professional=care_level is not None
        and CARE_ORDER.index(care_level) >= CARE_ORDER.index(CareLevel.SEE_PROFESSIONAL),
        care_level=care_level,
        release=release_hash,
        language=renderer.language,
    )
