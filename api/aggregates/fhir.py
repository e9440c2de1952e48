"""Figures as FHIR MeasureReports of the type `summary`, in R4B and in R5. Pure.

A statistic is a group, what the table is divided by is its stratifier, a cell is a stratum. People
are a population's count, anything else is a score. A figure without a number has the reason.
Every resource is validated with the FHIR model before it is sent.
"""

import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fhir.resources import get_fhir_model_class as get_r5_model
from fhir.resources.R4B import get_fhir_model_class as get_r4b_model

from api.aggregates.estimates import Quantity, Status
from api.aggregates.schemas import AggregateFigure, AggregatePeriod, AggregatePrivacy, Unit
from api.core.dates import utc_text
from api.publications.measures import TableName

MEDIA_TYPE = "application/fhir+json"
Version = Literal["4.3", "5.0"]
VERSIONS: tuple[Version, ...] = ("4.3", "5.0")
Resource = dict[str, Any]

OWN = "urn:footing:"
EXTENSION = f"{OWN}extension:"
HL7 = "http://terminology.hl7.org/CodeSystem/"
ANONYMISED = {"system": f"{HL7}v3-ObservationValue", "code": "ANONYED", "display": "anonymized"}
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
REASONS = {Status.SUPPRESSED: "masked", Status.NOT_RELEASED: "unknown"}
PEOPLE = "measure-population"
# Units by UCUM.
UNITS = {Unit.SHARE: "1", Unit.POINTS: "{score}", Unit.SESSIONS: "{session}"}
ERRORS = ("standard_error", "sampling_error", "privacy_error", "ci95_low", "ci95_high")


@dataclass(frozen=True)
class LabelledFigure:
    """A figure with all that it is about."""

    period: AggregatePeriod
    privacy: AggregatePrivacy
    key: str
    title: str
    stat: Quantity
    unit: Unit
    figure: AggregateFigure


def _extension(name: str, **value: Any) -> Resource:
    return {"url": EXTENSION + name, **value}


def _part(name: str, **value: Any) -> Resource:
    return {"url": name, **value}


def _concept(system: str, code: str, text: str | None = None) -> Resource:
    concept: Resource = {"coding": [{"system": OWN + system, "code": code}]}
    return concept if text is None else {**concept, "text": text}


def _guarantee(privacy: AggregatePrivacy) -> Resource:
    """Write what one publication costs one participant, beside the figures it is about."""
    numbers = ("rho", "epsilon", "delta", "year_ceiling_rho", "best_guess_percent")
    return _extension(
        "privacy",
        extension=[
            *(_part(name, valueDecimal=getattr(privacy, name)) for name in numbers),
            _part("unit", valueString=privacy.unit),
            _part("plan_hash", valueString=privacy.plan_hash),
        ],
    )


def _uncertainty(figure: AggregateFigure) -> Resource:
    """Write the status, and the errors and the 95 % interval where there is a number."""
    errors = [(name, getattr(figure, name)) for name in ERRORS]
    return _extension(
        "figure",
        extension=[
            _part("status", valueCode=figure.status.value),
            *(_part(name, valueDecimal=value) for name, value in errors if value is not None),
        ],
    )


def _stratum(labelled: LabelledFigure, version: Version) -> Resource:
    figure = labelled.figure
    value = "value" if version == "4.3" else "valueCodeableConcept"
    stratum = {
        "extension": [_uncertainty(figure)],
        value: _concept("aggregate-key", labelled.key, labelled.title),
    }
    absent = {"extension": [{"url": ABSENT, "valueCode": REASONS.get(figure.status, "unknown")}]}
    if labelled.unit is Unit.PEOPLE:
        population: Resource = {
            "code": {
                "coding": [{"system": f"{HL7}measure-population", "code": "measure-population"}]
            }
        }
        if figure.estimate is None:
            population["_count"] = absent
        else:
            population["count"] = max(0, round(figure.estimate))
        return {**stratum, "population": [population]}
    score = "measureScore" if version == "4.3" else "measureScoreQuantity"
    code = UNITS[labelled.unit]
    quantity = {
        "value": figure.estimate,
        "unit": labelled.unit.value,
        "system": "http://unitsofmeasure.org",
        "code": code,
    }
    return {**stratum, score: absent if figure.estimate is None else quantity}


def _group(
    table: TableName,
    title: str,
    stat: Quantity,
    figures: Iterable[LabelledFigure],
    version: Version,
) -> Resource:
    divided = _concept("aggregate-table", table.value, title)
    return {
        "code": _concept("aggregate-stat", stat.value),
        "stratifier": [
            {
                "code": [divided] if version == "4.3" else divided,
                "stratum": [_stratum(labelled, version) for labelled in figures],
            }
        ],
    }


def _status(period: AggregatePeriod) -> str:
    """Return why a period has no figures: not published yet, or lost."""
    if period.status == "released":
        return "complete"
    return "pending" if period.publication_id is None else "error"


def reports(
    table: TableName,
    title: str,
    figures: Iterable[LabelledFigure],
    version: Version,
    language: str,
) -> Iterator[Resource]:
    """Write one report for each period."""
    periods: dict[Any, list[LabelledFigure]] = {}
    for labelled in figures:
        periods.setdefault(labelled.period.starts_on, []).append(labelled)
    for found in periods.values():
        period = found[0].period
        parts = sorted({(labelled.stat, labelled.key) for labelled in found})
        name = f"{OWN}{table}:{period.period_kind}:{period.starts_on}:{parts}"
        closed = period.closed_at
        yield {
            "resourceType": "MeasureReport",
            # The same figures always have the same identifier.
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, name)),
            "meta": {"security": [ANONYMISED]},
            "language": language,
            "extension": [_guarantee(found[0].privacy)],
            "status": _status(period),
            "type": "summary",
            "measure": f"{OWN}measure:{table}",
            **({} if closed is None else {"date": utc_text(closed)}),
            "period": {"start": str(period.starts_on), "end": str(period.ends_on)},
            "group": [
                _group(
                    table,
                    title,
                    stat,
                    [labelled for labelled in found if labelled.stat is stat],
                    version,
                )
                for stat in dict.fromkeys(labelled.stat for labelled in found)
            ],
        }


def document(every: Iterable[Resource], version: Version, *, one: bool) -> bytes:
    """Write one report, or a Bundle of several; an invalid resource is an internal error."""
    model = get_r4b_model if version == "4.3" else get_r5_model
    resources: Sequence[Resource] = list(every)
    for resource in resources:
        model("MeasureReport").model_validate(resource)
    if one:
        return json.dumps(resources[0], ensure_ascii=False).encode()
    entries = [
        {"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource} for resource in resources
    ]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    return json.dumps(bundle, ensure_ascii=False).encode()
