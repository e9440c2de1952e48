"""A participant's records as FHIR R4B resources. Pure; ADR 0016 gives the reason for each mapping.

Resources are written as FHIR JSON and validated with the FHIR model before they are sent. Codes
come from LOINC, HL7 and ISO where the meaning is exactly the same, otherwise from our own systems.
"""

import datetime
import json
import re
import uuid
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from fhir.resources.R4B import get_fhir_model_class

from api.core.dates import utc_text
from api.journal.models import (
    ActivityHold,
    Clearance,
    ExerciseSession,
    StoredDecision,
    SymptomReport,
)
from api.participants.models import ConsentRecord, Participant
from api.triage.engines import as_shown

MEDIA_TYPE = "application/fhir+json"

Resource = dict[str, Any]
Dated = ExerciseSession | SymptomReport
Owned = Participant | ConsentRecord | StoredDecision | ActivityHold | Clearance | Dated

OWN = "urn:footing:"
EXTENSION = f"{OWN}extension:"
HL7 = "http://terminology.hl7.org/CodeSystem/"
LOINC = "http://loinc.org"
PAIN = {
    "system": LOINC,
    "code": "72514-3",
    "display": "Pain severity - 0-10 verbal numeric rating [Score] - Reported",
}
SURVEY = {"coding": [{"system": f"{HL7}observation-category", "code": "survey"}]}
ACTIVITY = {"coding": [{"system": f"{HL7}observation-category", "code": "activity"}]}
# Report fields outside of `answers`, with FHIR's name for the type of the value.
REPORTED = (
    ("pain_score", "valueInteger"),
    ("weeks", "valueInteger"),
    ("trend", "valueCoding"),
    ("age_years", "valueInteger"),
    ("country", "valueCoding"),
)
# Facts that no question asks for.
OTHER_TEXTS = {"country": "Country", "note": "Note"}
ANSWER_SYSTEMS = {"country": "urn:iso:std:iso:3166"}
DONE = ("seconds", "sets", "repetitions", "target_seconds", "target_sets", "target_repetitions")
# FHIR does not allow control characters; notes may contain some.
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def _own(system: str, code: str) -> dict[str, str]:
    return {"system": OWN + system, "code": code}


def _concept(system: str, code: str, text: str | None = None) -> dict[str, Any]:
    concept: dict[str, Any] = {"coding": [_own(system, code)]}
    return concept if text is None else {**concept, "text": text}


def _extension(name: str, kind: str, value: Any) -> dict[str, Any]:
    return {"url": EXTENSION + name, kind: value}


def _note(*texts: str | None) -> dict[str, Any]:
    """Return a note unless it is empty: FHIR has no empty text."""
    written = [CONTROL.sub("\ufffd", text) for text in texts if text and text.strip()]
    return {"note": [{"text": text} for text in written]} if written else {}


def _name(row: Owned, kind: str, key: object) -> uuid.UUID:
    """Return a resource's id, stable across exports: ids of different kinds may collide."""
    return uuid.uuid5(row.participant_id, f"{kind}/{key}")


def _reference(row: Owned, kind: str, key: object) -> dict[str, str]:
    return {"reference": f"urn:uuid:{_name(row, kind, key)}"}


def _subject(row: Owned) -> dict[str, str]:
    return _reference(row, "Patient", row.participant_id)


def _resource(row: Owned, resource_type: str, key: object, kind: str | None = None) -> Resource:
    return {"resourceType": resource_type, "id": str(_name(row, kind or resource_type, key))}


def _identifier(record_id: uuid.UUID) -> dict[str, str]:
    return {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{record_id}"}


def _received(row: Dated | Clearance) -> dict[str, Any]:
    return {"meta": {"lastUpdated": utc_text(row.received_at)}}


def _own_day(row: Dated) -> list[dict[str, Any]]:
    return [
        _extension("local-date", "valueDate", row.local_date.isoformat()),
        _extension("time-zone", "valueCode", row.time_zone),
    ]


def person(row: Participant) -> Iterator[Resource]:
    """Describe a participant, without a name or a date of birth, and their own conditions."""
    known = [
        _extension(name, "valueCode", value)
        for name, value in (("age-band", row.age_band), ("region", row.region))
        if value != "unknown"
    ]
    language = {"coding": [{"system": "urn:ietf:bcp:47", "code": row.language}]}
    yield {
        **_resource(row, "Patient", row.participant_id),
        "extension": [
            _extension("enrolled-at", "valueDateTime", utc_text(row.enrolled_at)),
            _extension("time-zone", "valueCode", row.time_zone),
            *known,
        ],
        "identifier": [_identifier(row.participant_id)],
        "communication": [{"language": language, "preferred": True}],
    }
    active = {"system": f"{HL7}condition-clinical", "code": "active"}
    unconfirmed = {"system": f"{HL7}condition-ver-status", "code": "unconfirmed"}
    for condition in row.conditions:
        yield {
            **_resource(row, "Condition", condition),
            "clinicalStatus": {"coding": [active]},
            "verificationStatus": {"coding": [unconfirmed]},
            "code": _concept("condition", condition),
            "subject": _subject(row),
            "asserter": _subject(row),
        }


def consents(row: ConsentRecord, *, newest: bool) -> Iterator[Resource]:
    """Describe a consent: storage and research are two resources."""
    categories = {
        "storage": {"coding": [{"system": LOINC, "code": "59284-0"}]},
        "research": {"coding": [{"system": f"{HL7}consentcategorycodes", "code": "research"}]},
    }
    scopes = {"storage": "patient-privacy", "research": "research"}
    for purpose, category in categories.items():
        yield {
            **_resource(row, "Consent", f"{row.number}/{purpose}"),
            "status": "active" if newest else "inactive",
            "scope": {"coding": [{"system": f"{HL7}consentscope", "code": scopes[purpose]}]},
            "category": [category],
            "patient": _subject(row),
            "dateTime": utc_text(row.given_at),
            "performer": [_subject(row)],
            "policyRule": _concept("consent-text", row.version),
            "provision": {"type": "permit" if getattr(row, purpose) else "deny"},
        }


def session(row: ExerciseSession, *, superseded: bool, has_corrected: bool) -> Iterator[Resource]:
    """Describe a session, each of its activities, and the scores before, after and in it.

    A superseded session must not be counted: another one counts instead. `has_corrected` is whether
    the session that this one corrects is stored.
    """
    extensions = _own_day(row)
    if has_corrected:
        corrected = _reference(row, "Procedure", row.replaces)
        extensions.append(_extension("replaces", "valueReference", corrected))
    elif row.replaces is not None:
        named = {"identifier": _identifier(row.replaces)}
        extensions.append(_extension("replaces", "valueReference", named))
    status = "completed" if row.status == "completed" else "stopped"
    routine = _concept("routine", row.routine_id) if row.routine_id else {"text": "No routine"}
    yield {
        **_resource(row, "Procedure", row.id),
        **_received(row),
        "extension": extensions,
        "identifier": [_identifier(row.id)],
        "status": "entered-in-error" if superseded else status,
        "statusReason": _concept("session-status", row.status),
        "code": routine,
        "subject": _subject(row),
        "performedPeriod": {"start": utc_text(row.started_at), "end": utc_text(row.ended_at)},
        "asserter": _subject(row),
        **_note(row.note),
    }
    for number, item in enumerate(row.items):
        yield _activity(row, number, item, superseded=superseded)
    felt = (
        ("pain-before", row.pain_before, row.started_at, "Pain before the session"),
        ("pain-after", row.pain_after, row.ended_at, "Pain after the session"),
        ("effort", row.effort, row.ended_at, "How hard the session felt, 0 to 10"),
    )
    for kind, figure, moment, text in felt:
        if figure is not None:
            codes = [*([] if kind == "effort" else [PAIN]), _own("observation", kind)]
            yield {
                **_resource(row, "Observation", row.id, kind),
                **_part(row, superseded=superseded),
                "category": [SURVEY],
                "code": {"coding": codes, "text": text},
                "effectiveDateTime": utc_text(moment),
                "valueInteger": figure,
            }


def _part(row: ExerciseSession, *, superseded: bool) -> Resource:
    """Return the fields that all resources of a session share."""
    return {
        "partOf": [_reference(row, "Procedure", row.id)],
        "status": "entered-in-error" if superseded else "final",
        "subject": _subject(row),
        "performer": [_subject(row)],
    }


def _activity(
    row: ExerciseSession, number: int, item: dict[str, Any], *, superseded: bool
) -> Resource:
    """Describe one activity of a session: what was done, and what was planned."""
    skipped = item.get("skipped", False)
    figures = [
        {"code": _concept("observation", name.replace("_", "-")), "valueInteger": item[name]}
        for name in DONE
        if item.get(name) is not None
    ]
    made = {
        **_resource(row, "Observation", f"{row.id}/{number}", "activity"),
        **_part(row, superseded=superseded),
        "category": [ACTIVITY, _concept("activity-kind", item["kind"])],
        "code": _concept("activity", item["activity_id"]),
        "effectivePeriod": {"start": utc_text(row.started_at), "end": utc_text(row.ended_at)},
        "bodySite": _concept("foot", item["side"]),
    }
    if figures:
        made["component"] = figures
    if skipped:
        absent = {"system": f"{HL7}data-absent-reason", "code": "not-performed"}
        made["dataAbsentReason"] = {"coding": [absent]}
        made["status"] = "entered-in-error" if superseded else "cancelled"
    return made


def report(
    row: SymptomReport, rule_set_hash: str | None, questions: Mapping[str, str]
) -> Iterator[Resource]:
    """Describe a symptom report: the answers to the questions of a rule set, by their ids.

    `questions` are the texts of that rule set, in the participant's language.
    """
    given = [
        (name, kind, getattr(row, name))
        for name, kind in REPORTED
        if getattr(row, name) is not None
    ]
    given += [(name, "valueCoding", choice) for name, choice in sorted(row.answers.items())]
    items = [
        {
            "linkId": name,
            "text": questions.get(name) or OTHER_TEXTS.get(name, name),
            "answer": [
                {
                    kind: {"system": ANSWER_SYSTEMS.get(name, f"{OWN}answer"), "code": value}
                    if kind == "valueCoding"
                    else value
                }
            ],
        }
        for name, kind, value in given
    ]
    items += [
        {"linkId": "note", "text": OTHER_TEXTS["note"], "answer": [{"valueString": note["text"]}]}
        for note in _note(row.note).get("note", ())
    ]
    yield {
        **_resource(row, "QuestionnaireResponse", row.id),
        **_received(row),
        "extension": _own_day(row),
        "identifier": _identifier(row.id),
        "questionnaire": f"{OWN}questionnaire:{rule_set_hash}",
        "status": "completed",
        "subject": _subject(row),
        "authored": utc_text(row.reported_at),
        "author": _subject(row),
        "source": _subject(row),
        **({"item": items} if items else {}),
    }


def decision(
    row: StoredDecision, reported_at: datetime.datetime, current: uuid.UUID
) -> Iterator[Resource]:
    """Describe a decision on a report; `current` is the decision in force on the same report."""
    document = as_shown(row.document)
    links = []
    if row.supersedes is not None:
        earlier = _reference(row, "decision", row.supersedes)
        links.append(_extension("supersedes", "valueReference", earlier))
    if current != row.id:
        counts = _reference(row, "decision", current)
        links.append(_extension("superseded-by", "valueReference", counts))
    rule_set = _own("rule-set", document["rule_set_hash"])
    method = {**rule_set, "version": document["rule_set_version"]}
    yield {
        **_resource(row, "Observation", row.id, "decision"),
        **({"extension": links} if links else {}),
        "identifier": [_identifier(row.id)],
        "status": "final",
        "category": [SURVEY],
        "code": _concept("observation", "triage-decision", "Red-flag triage, no diagnosis"),
        "subject": _subject(row),
        "effectiveDateTime": utc_text(reported_at),
        "issued": utc_text(row.evaluated_at),
        "valueCodeableConcept": _concept("triage-level", row.level, document["headline"]),
        "method": {"coding": [method], "text": row.engine},
        "derivedFrom": [_reference(row, "QuestionnaireResponse", row.report_id)],
        "component": list(_parts_of(row)),
        **_note(
            document["message"],
            *(action["text"] for action in document["actions"]),
            *document["notices"],
            *(" ".join(_lines(part)) for part in document["safety_net"]),
            document["disclaimer"],
        ),
    }


def _lines(part: dict[str, Any]) -> list[str]:
    """List the signs of a safety net behind their title, which old decisions do not have."""
    return [*filter(None, [part["title"]]), *part["signs"]]


def _parts_of(row: StoredDecision) -> Iterator[dict[str, Any]]:
    """Return the parts of a decision, each rule that fired, and each that stayed undecided."""
    document = row.document

    def of(name: str) -> dict[str, Any]:
        return {"code": _concept("observation", name)}

    status = _concept("activity-status", row.activity_status)
    possible = _concept("triage-level", document["possible_level"])
    yield {**of("activity-status"), "valueCodeableConcept": status}
    yield {**of("possible-level"), "valueCodeableConcept": possible}
    yield {**of("screening-complete"), "valueBoolean": document["screening_complete"]}
    for reason in document["reasons"]:
        level = _concept("triage-level", reason["level"])
        yield {
            "code": _concept("rule", reason["rule_id"], reason["text"]),
            "valueCodeableConcept": level,
        }
    told = {reason["rule_id"] for reason in document["reasons"]}
    # Reasons that the decision left out because of their length.
    for rule_id in row.fired:
        if rule_id not in told:
            yield {"code": _concept("rule", rule_id), "valueBoolean": True}
    unknown = {"system": f"{HL7}data-absent-reason", "code": "unknown"}
    for rule_id in row.undecided:
        yield {"code": _concept("rule", rule_id), "dataAbsentReason": {"coding": [unknown]}}


def clearance(row: Clearance) -> Iterator[Resource]:
    """Describe a clearance."""
    yield {
        **_resource(row, "Observation", row.id, "clearance"),
        **_received(row),
        "identifier": [_identifier(row.id)],
        "status": "final",
        "category": [SURVEY],
        "code": _concept("observation", "clearance", "A professional has said that it is fine"),
        "subject": _subject(row),
        "performer": [_subject(row)],
        "effectiveDateTime": utc_text(row.cleared_at),
        "valueBoolean": True,
    }


def hold(row: ActivityHold, in_force: Collection[str], *, has_decision: bool) -> Iterator[Resource]:
    """Describe the hold of a decision, rule by rule.

    `in_force`: the rules whose holds are in force; a hold outlives its report and decisions.
    """
    detail = {
        "url": "http://hl7.org/fhir/StructureDefinition/flag-detail",
        "valueReference": _reference(row, "decision", row.decision_id),
    }
    for rule_id, status in sorted(row.rules.items()):
        yield {
            **_resource(row, "Flag", f"{row.decision_id}/{rule_id}"),
            "extension": [
                *([detail] if has_decision else []),
                _extension("rule", "valueCoding", _own("rule", rule_id)),
            ],
            "identifier": [_identifier(row.decision_id)],
            "status": "active" if rule_id in in_force else "inactive",
            "category": [{"coding": [{"system": f"{HL7}flag-category", "code": "safety"}]}],
            "code": _concept("activity-status", status),
            "subject": _subject(row),
            "period": {"start": utc_text(row.reported_at)},
        }


def entry(resource: Resource) -> bytes:
    """Write an entry of a Bundle; raise if the FHIR model rejects it, an internal error."""
    # The model's own JSON is equal and takes twenty times as long to write.
    get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    entry = {"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource}
    return json.dumps(entry, ensure_ascii=False).encode()


def opening(now: datetime.datetime) -> bytes:
    """Write the beginning of a Bundle, up to its first entry."""
    return (
        f'{{"resourceType": "Bundle", "type": "collection", "timestamp": "{utc_text(now)}", '
        '"entry": ['
    ).encode()


CLOSING = b"]}"
