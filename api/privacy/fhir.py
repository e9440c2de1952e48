"""A participant's records as FHIR R4B resources. Pure; ADR 0016 gives the reason for each mapping.

Resources are written as FHIR's own JSON and held against its model before they leave. Codes come
from LOINC, HL7 and ISO where they mean just the same, and from systems of our own everywhere else.
"""

import datetime
import json
import re
import uuid
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from fhir.resources.R4B import get_fhir_model_class

from api.triage.engines import as_shown

MEDIA_TYPE = "application/fhir+json"

Row = Any
Resource = dict[str, Any]

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
# What a person reports in a field of its own, by FHIR's name for the type of the answer.
REPORTED = (
    ("pain_score", "valueInteger"),
    ("weeks", "valueInteger"),
    ("trend", "valueCoding"),
    ("age_years", "valueInteger"),
    ("country", "valueCoding"),
)
# Facts that no question of a rule set asks for.
OTHER_TEXTS = {"country": "Country", "note": "Note"}
ANSWER_SYSTEMS = {"country": "urn:iso:std:iso:3166"}
DONE = ("seconds", "sets", "repetitions", "target_seconds", "target_sets", "target_repetitions")
# FHIR takes no control characters; our own notes may hold some.
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def instant(moment: datetime.datetime) -> str:
    """Write a moment, in UTC."""
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _own(system: str, code: str) -> dict[str, str]:
    return {"system": OWN + system, "code": code}


def _concept(system: str, code: str, text: str | None = None) -> dict[str, Any]:
    concept: dict[str, Any] = {"coding": [_own(system, code)]}
    return concept if text is None else {**concept, "text": text}


def _extension(name: str, kind: str, value: Any) -> dict[str, Any]:
    return {"url": EXTENSION + name, kind: value}


def _note(*texts: str | None) -> dict[str, Any]:
    """Keep a note unless it is empty: FHIR has no empty text."""
    written = [CONTROL.sub("\ufffd", text) for text in texts if text and text.strip()]
    return {"note": [{"text": text} for text in written]} if written else {}


def _name(row: Row, kind: str, key: object) -> uuid.UUID:
    """Name a resource, the same in every export: ids of different kinds of records may collide."""
    return uuid.uuid5(row.participant_id, f"{kind}/{key}")


def _reference(row: Row, kind: str, key: object) -> dict[str, str]:
    return {"reference": f"urn:uuid:{_name(row, kind, key)}"}


def _subject(row: Row) -> dict[str, str]:
    return _reference(row, "Patient", row.participant_id)


def _resource(row: Row, resource_type: str, key: object, kind: str | None = None) -> Resource:
    return {"resourceType": resource_type, "id": str(_name(row, kind or resource_type, key))}


def _identifier(record_id: uuid.UUID) -> dict[str, str]:
    return {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{record_id}"}


def _received(row: Row) -> dict[str, Any]:
    return {"meta": {"lastUpdated": instant(row.received_at)}}


def _own_day(row: Row) -> list[dict[str, Any]]:
    return [
        _extension("local-date", "valueDate", row.local_date.isoformat()),
        _extension("time-zone", "valueCode", row.time_zone),
    ]


def person(row: Row) -> Iterator[Resource]:
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
            _extension("enrolled-at", "valueDateTime", instant(row.enrolled_at)),
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


def consents(row: Row) -> Iterator[Resource]:
    """Describe what was agreed to: storage and research are consents of their own.

    The row has its `rank` beside it: 1 is the newest, which counts.
    """
    categories = {
        "storage": {"coding": [{"system": LOINC, "code": "59284-0"}]},
        "research": {"coding": [{"system": f"{HL7}consentcategorycodes", "code": "research"}]},
    }
    scopes = {"storage": "patient-privacy", "research": "research"}
    for purpose, category in categories.items():
        yield {
            **_resource(row, "Consent", f"{row.number}/{purpose}"),
            "status": "active" if row.rank == 1 else "inactive",
            "scope": {"coding": [{"system": f"{HL7}consentscope", "code": scopes[purpose]}]},
            "category": [category],
            "patient": _subject(row),
            "dateTime": instant(row.given_at),
            "performer": [_subject(row)],
            "policyRule": _concept("consent-text", row.version),
            "provision": {"type": "permit" if getattr(row, purpose) else "deny"},
        }


def session(row: Row) -> Iterator[Resource]:
    """Describe a session, each of its activities, and what was felt before, after and in it.

    The row has `superseded` beside it, whether another session stands for this one, so that whoever
    counts must not count it; and `has_corrected`, whether what it corrects is stored.
    """
    extensions = _own_day(row)
    if row.has_corrected:
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
        "status": "entered-in-error" if row.superseded else status,
        "statusReason": _concept("session-status", row.status),
        "code": routine,
        "subject": _subject(row),
        "performedPeriod": {"start": instant(row.started_at), "end": instant(row.ended_at)},
        "asserter": _subject(row),
        **_note(row.note),
    }
    for number, item in enumerate(row.items):
        yield _activity(row, number, item)
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
                **_part(row),
                "category": [SURVEY],
                "code": {"coding": codes, "text": text},
                "effectiveDateTime": instant(moment),
                "valueInteger": figure,
            }


def _part(row: Row) -> Resource:
    """Say what everything in a session has in common."""
    return {
        "partOf": [_reference(row, "Procedure", row.id)],
        "status": "entered-in-error" if row.superseded else "final",
        "subject": _subject(row),
        "performer": [_subject(row)],
    }


def _activity(row: Row, number: int, item: dict[str, Any]) -> Resource:
    """Describe one activity of a session: what was done, and what was meant to be done."""
    skipped = item.get("skipped", False)
    figures = [
        {"code": _concept("observation", name.replace("_", "-")), "valueInteger": item[name]}
        for name in DONE
        if item.get(name) is not None
    ]
    made = {
        **_resource(row, "Observation", f"{row.id}/{number}", "activity"),
        **_part(row),
        "category": [ACTIVITY, _concept("activity-kind", item["kind"])],
        "code": _concept("activity", item["activity_id"]),
        "effectivePeriod": {"start": instant(row.started_at), "end": instant(row.ended_at)},
        "bodySite": _concept("foot", item["side"]),
    }
    if figures:
        made["component"] = figures
    if skipped:
        absent = {"system": f"{HL7}data-absent-reason", "code": "not-performed"}
        made["dataAbsentReason"] = {"coding": [absent]}
        made["status"] = "entered-in-error" if row.superseded else "cancelled"
    return made


def report(row: Row, questions: Mapping[str, str]) -> Iterator[Resource]:
    """Describe a symptom report: the answers to the questions of a rule set, by their ids.

    The row has `rule_set_hash` beside it, of the rule set that read the answers; `questions` are
    the texts of that rule set, in the person's language.
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
        "questionnaire": f"{OWN}questionnaire:{row.rule_set_hash}",
        "status": "completed",
        "subject": _subject(row),
        "authored": instant(row.reported_at),
        "author": _subject(row),
        "source": _subject(row),
        **({"item": items} if items else {}),
    }


def decision(row: Row) -> Iterator[Resource]:
    """Describe what triage answered to a report.

    The row has `reported_at` of its report beside it, and `current`, the decision that counts now.
    """
    document = as_shown(row.document)
    links = []
    if row.supersedes is not None:
        earlier = _reference(row, "decision", row.supersedes)
        links.append(_extension("supersedes", "valueReference", earlier))
    if row.current != row.id:
        counts = _reference(row, "decision", row.current)
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
        "effectiveDateTime": instant(row.reported_at),
        "issued": instant(row.evaluated_at),
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


def _parts_of(row: Row) -> Iterator[dict[str, Any]]:
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
    # Reasons that were left out for length.
    for rule_id in row.fired:
        if rule_id not in told:
            yield {"code": _concept("rule", rule_id), "valueBoolean": True}
    unknown = {"system": f"{HL7}data-absent-reason", "code": "unknown"}
    for rule_id in row.undecided:
        yield {"code": _concept("rule", rule_id), "dataAbsentReason": {"coding": [unknown]}}


def clearance(row: Row) -> Iterator[Resource]:
    """Describe the person's word that a professional has said that it is fine."""
    yield {
        **_resource(row, "Observation", row.id, "clearance"),
        **_received(row),
        "identifier": [_identifier(row.id)],
        "status": "final",
        "category": [SURVEY],
        "code": _concept("observation", "clearance", "A professional has said that it is fine"),
        "subject": _subject(row),
        "performer": [_subject(row)],
        "effectiveDateTime": instant(row.cleared_at),
        "valueBoolean": True,
    }


def hold(row: Row, standing: Collection[str]) -> Iterator[Resource]:
    """Describe what a decision asked of the activities, rule by rule; `standing` are in force.

    The row has `has_decision` beside it: a hold outlives a deleted report and its decisions.
    """
    detail = {
        "url": "http://hl7.org/fhir/StructureDefinition/flag-detail",
        "valueReference": _reference(row, "decision", row.decision_id),
    }
    for rule_id, status in sorted(row.rules.items()):
        yield {
            **_resource(row, "Flag", f"{row.decision_id}/{rule_id}"),
            "extension": [
                *([detail] if row.has_decision else []),
                _extension("rule", "valueCoding", _own("rule", rule_id)),
            ],
            "identifier": [_identifier(row.decision_id)],
            "status": "active" if rule_id in standing else "inactive",
            "category": [{"coding": [{"system": f"{HL7}flag-category", "code": "safety"}]}],
            "code": _concept("activity-status", status),
            "subject": _subject(row),
            "period": {"start": instant(row.reported_at)},
        }


def entry(resource: Resource) -> bytes:
    """Write an entry of a Bundle; what FHIR's model refuses is a fault of ours and raises."""
    # The model's own JSON says the same and takes twenty times as long to write.
    get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    entry = {"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource}
    return json.dumps(entry, ensure_ascii=False).encode()


def opening(now: datetime.datetime) -> bytes:
    """Write a Bundle up to its first entry."""
    return (
        f'{{"resourceType": "Bundle", "type": "collection", "timestamp": "{instant(now)}", '
        '"entry": ['
    ).encode()


CLOSING = b"]}"
