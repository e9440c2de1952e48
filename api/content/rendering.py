"""Renders entries of the catalogue as responses in one language."""

import re
from collections.abc import Sequence
from typing import Literal
from xml.sax.saxutils import escape

from api.content import schemas, seed
from api.content.catalogue import Catalogue
from api.content.durations import estimate, total
from api.core.canonical import sha256

CONTENT_LICENCE = "Apache-2.0"
SVG = "image/svg+xml"
ClaimHolds = Literal["always", "low_end_only", "never", "no_claim"]


# Colours of background, floor, shadow, lines and border, and their replacements for dark screens.
# Skin, clothes and arrows are visible on both.
DARK = {
    "#FBF6EC": "#3B3644",
    "#E8DDC8": "#2C2833",
    "#C9BBA0": "#1F1C25",
    "#2B2833": "#0F0D13",
    "#8F8675": "#6B6474",
}


def _darkened(drawing: bytes) -> bytes:
    text = drawing.decode()
    for light, dark in DARK.items():
        text = text.replace(f'"{light}"', f'"{dark}"')
    return text.encode()


class Renderer:
    """Renders one catalogue in one language."""

    def __init__(self, catalogue: Catalogue, language: str) -> None:
        self.catalogue = catalogue
        self.language = language
        self._conditions = {condition.id: condition for condition in catalogue.conditions}
        self._activities = {activity.id: activity for activity in catalogue.activities}
        own = next(item for item in catalogue.languages if item.code == language)
        self._translation_review = self._review(own.review)
        light = {media.id: self._drawing(media) for media in catalogue.media}
        dark = {f"{media_id}-dark": _darkened(drawing) for media_id, drawing in light.items()}
        self.drawings = light | dark
        self._media = {media.id: self._picture(media) for media in catalogue.media}

    def _text(self, text: dict[str, str]) -> str:
        return text[self.language]

    def _instructions(self, steps: Sequence[seed.Instruction]) -> list[schemas.Instruction]:
        return [
            schemas.Instruction(
                text=self._text(step.text), origin=step.origin, media_id=step.media_id
            )
            for step in steps
        ]

    def _review(self, review: seed.Review) -> schemas.TextReview:
        return schemas.TextReview(
            status=review.status, reviewer=review.reviewer, reviewed_at=review.reviewed_at
        )

    def _drawing(self, media: seed.Media) -> bytes:
        texts = {"title": media.title, "description": media.description}

        def fill(match: re.Match[str]) -> str:
            return escape(self._text(texts[match[1]]))

        template = self.catalogue.drawings[media.id]
        return re.sub(r"\{\{([a-z0-9_]+)\}\}", fill, template).encode()

    def drawing_name(self, media_id: str) -> str:
        """Return a drawing's URL, with the hash of its bytes in this language."""
        return f"{media_id}-{sha256(self.drawings[media_id])[:16]}.svg"

    def _picture(self, media: seed.Media) -> schemas.ContentMedia:
        return schemas.ContentMedia(
            id=media.id,
            url=f"/v1/media/{self.drawing_name(media.id)}",
            dark_url=f"/v1/media/{self.drawing_name(f'{media.id}-dark')}",
            media_type=SVG,
            kind=media.kind,
            title=self._text(media.title),
            description=self._text(media.description),
            labels=[
                schemas.MediaLabel(
                    id=name,
                    text=self._text(label.text),
                    x=label.x,
                    y=label.y,
                    anchor=label.anchor,
                )
                for name, label in media.labels.items()
            ],
            licence=media.licence,
            credit=media.credit,
        )

    def _claim(self, claim: seed.Claim) -> schemas.ContentClaim:
        evidence = claim.evidence
        return schemas.ContentClaim(
            id=claim.id,
            text=self._text(claim.text),
            evidence=schemas.ClaimEvidence(
                grade=evidence.grade,
                applies_to=evidence.applies_to,
                directness=evidence.directness,
                statement=self._text(evidence.statement),
                source_ids=evidence.source_ids,
            ),
        )

    def caution(self, caution: seed.Caution) -> schemas.ContentCaution:
        """Render one caution with its condition."""
        condition = self._conditions[caution.condition]
        return schemas.ContentCaution(
            id=caution.id,
            condition=condition.id,
            condition_title=self._text(condition.title),
            action=caution.action,
            text=self._text(caution.text),
            care_level=condition.care_level,
            source_ids=caution.source_ids,
            needs_clinician=caution.needs_clinician,
        )

    def _cautions(self, entry_id: str) -> list[schemas.ContentCaution]:
        return [self.caution(c) for c in self.catalogue.cautions if entry_id in c.applies_to]

    def _dosage(self, activity: seed.Activity) -> schemas.ActivityDosage:
        dosage = activity.dosage

        def bounds(range_: seed.Range | None) -> schemas.NullableRange | None:
            return schemas.NullableRange(min=range_.min, max=range_.max) if range_ else None

        return schemas.ActivityDosage(
            text=self._text(activity.dosage_text),
            seconds_per_side=bounds(dosage.seconds_per_side),
            sets=dosage.sets,
            repetitions=bounds(dosage.repetitions),
            per_day=dosage.per_day,
            source=dosage.source,
        )

    def _base(
        self,
        entry: seed.Activity | seed.Tip | seed.Benefit | seed.HealthWarning | seed.Routine,
    ) -> schemas.ContentBase:
        return schemas.ContentBase(
            id=entry.id,
            title=self._text(entry.title),
            licence=CONTENT_LICENCE,
            reviewed_at=entry.review.reviewed_at,
            review=self._review(entry.review),
            translation_review=self._translation_review,
        )

    def _activity(self, entry: seed.Activity | seed.Tip) -> schemas.ActivityBase:
        return schemas.ActivityBase(
            **dict(self._base(entry)),
            summary=self._text(entry.summary),
            steps=self._instructions(entry.steps),
            why=self._claim(entry.why),
            cautions=self._cautions(entry.id),
            stop_criteria=self._instructions(entry.stop_criteria),
            media=[self._media[media_id] for media_id in entry.media_ids],
        )

    def exercise(self, activity: seed.Activity) -> schemas.Exercise:
        """Render an exercise."""
        return schemas.Exercise(
            **dict(self._activity(activity)),
            kind=activity.kind,
            equipment=[
                schemas.EquipmentItem(
                    any_of=need.any_of, required=need.required, text=self._text(need.text)
                )
                for need in activity.equipment
            ],
            position=activity.position,
            position_text=self._text(activity.position_text),
            targets=activity.targets,
            side_handling=activity.side_handling,
            side_text=self._text(activity.side_text),
            dosage=self._dosage(activity),
        )

    def massage(self, activity: seed.Activity) -> schemas.Massage:
        """Render a massage technique."""
        if activity.massage is None:
            message = f"{activity.id} is not a massage"
            raise ValueError(message)
        how = activity.massage
        return schemas.Massage(
            **dict(self.exercise(activity)),
            foot_zone=how.zone.foot_zone,
            foot_zone_text=self._text(how.zone.foot_zone_text),
            spine_region=how.zone.spine_region,
            spine_region_text=self._text(how.zone.spine_region_text),
            stroke=how.stroke,
            stroke_text=self._text(how.stroke_text),
            tool_text=self._text(how.tool_text),
            pressure=how.pressure,
            pressure_text=self._text(how.pressure_text),
        )

    def tip(self, tip: seed.Tip) -> schemas.Tip:
        """Render a tip."""
        return schemas.Tip(
            **dict(self._activity(tip)),
        )

    def benefit(self, benefit: seed.Benefit) -> schemas.Benefit:
        """Render a benefit."""
        return schemas.Benefit(
            **dict(self._base(benefit)),
            why=self._claim(benefit.why),
        )

    def warning(self, warning: seed.HealthWarning) -> schemas.HealthWarning:
        """Render a warning."""
        return schemas.HealthWarning(
            **dict(self._base(warning)),
            text=self._text(warning.text),
            level=warning.level,
            what_to_do=self._text(warning.what_to_do),
            question_ids=warning.question_ids,
            source_ids=warning.source_ids,
            origin=warning.origin,
        )

    def routine_item(self, activity: seed.Activity, *, required: bool) -> schemas.RoutineItem:
        """Render one activity of a routine or a plan."""
        seconds = estimate(activity)
        return schemas.RoutineItem(
            activity_id=activity.id,
            kind=activity.kind,
            title=self._text(activity.title),
            required=required,
            side_handling=activity.side_handling,
            dosage=self._dosage(activity),
            estimated_seconds=schemas.SecondsRange(min=seconds.min, max=seconds.max),
            assumptions=[self._text(activity.pace.assumption)] if activity.pace else [],
        )

    def routine(self, routine: seed.Routine) -> schemas.Routine:
        """Render a routine with its computed duration; optional items count at the high end."""
        items = [
            self.routine_item(self._activities[item.activity_id], required=item.required)
            for item in routine.items
        ]
        parts = [estimate(self._activities[item.activity_id]) for item in routine.items]
        needed = [part for part, item in zip(parts, routine.items, strict=True) if item.required]
        least = total(needed, routine.change_over_seconds).min
        most = total(parts, routine.change_over_seconds).max
        claimed = routine.claimed_minutes * 60 if routine.claimed_minutes else None
        return schemas.Routine(
            **dict(self._base(routine)),
            summary=self._text(routine.summary),
            intended_for=self._text(routine.intended_for),
            items=items,
            tip_ids=routine.tip_ids,
            per_day=routine.per_day,
            estimated_seconds=schemas.SecondsRange(min=least, max=most),
            assumptions=[
                *(assumption for item in items for assumption in item.assumptions),
                self._text(routine.change_over_assumption),
            ],
            claimed_seconds=claimed,
            claim_holds=claim_holds(least, most, claimed),
            claims=[self._claim(claim) for claim in routine.claims],
            origin=routine.origin,
        )

    def source(self, source: seed.Source) -> schemas.ContentSource:
        """Render a citation."""
        return schemas.ContentSource(
            id=source.id,
            title=source.title,
            publisher=source.publisher,
            year=source.year,
            kind=source.kind,
            doi=source.doi,
            isbn=source.isbn,
            pmid=source.pmid,
            document=source.document,
            url=source.url,
            note=self._text(source.note) if source.note else None,
        )

    def consent(self, consent: seed.Consent) -> schemas.ConsentText:
        """Render a consent text."""
        return schemas.ConsentText(
            id=consent.id,
            version=consent.version,
            current=consent.current,
            required=consent.required,
            title=self._text(consent.title),
            text=self._text(consent.text),
        )

    def condition(self, condition: seed.Condition) -> schemas.ContentCondition:
        """Render a condition."""
        return schemas.ContentCondition(
            id=condition.id,
            title=self._text(condition.title),
            question_id=condition.question_id,
            care_level=condition.care_level,
        )

    def bundle(self) -> schemas.BundledContent:
        """Render everything, for use offline."""
        catalogue = self.catalogue
        return schemas.BundledContent(
            exercises=[self.exercise(activity) for activity in catalogue.exercises],
            massages=[self.massage(activity) for activity in catalogue.massages],
            warnings=[self.warning(warning) for warning in catalogue.warnings],
            routines=[self.routine(routine) for routine in catalogue.routines],
            tips=[self.tip(tip) for tip in catalogue.tips],
            benefits=[self.benefit(benefit) for benefit in catalogue.benefits],
            sources=[self.source(source) for source in catalogue.sources],
            consents=[self.consent(consent) for consent in catalogue.consents],
            conditions=[self.condition(condition) for condition in catalogue.conditions],
        )


def claim_holds(least: int, most: int, claimed: int | None) -> ClaimHolds:
    """Return whether the claimed duration holds for a computed one."""
    if claimed is None:
        return "no_claim"
    if most <= claimed:
        return "always"
    return "low_end_only" if least <= claimed else "never"
