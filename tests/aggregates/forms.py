"""The forms that figures come in, read as those would read them who have nothing else."""

import csv
import io
import re
from collections import Counter
from typing import Any

import httpx

from api.aggregates.estimates import Status
from tests.support.clinician import Clinician

Json = dict[str, Any]
R4B = "application/fhir+json"
R5 = "application/fhir+json; fhirVersion=5.0"
NUMBERS = (
    *("estimate", "standard_error", "sampling_error", "privacy_error"),
    *("ci95_low", "ci95_high"),
)


def ask(clinician: Clinician, path: str, accept: str = "", **params: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {clinician.token}"} | (
        {"Accept": accept} if accept else {}
    )
    return clinician.client.get(path, params=params, headers=headers)


def cells(clinician: Clinician, path: str, **params: str) -> dict[tuple[str, str], Json]:
    response = ask(clinician, path, **params)
    assert response.status_code == 200, response.text
    return {(cell["key"], cell["stat"]): cell for cell in response.json()["cells"]}


def csv_rows(response: httpx.Response) -> list[dict[str, str]]:
    assert response.status_code == 200, response.text
    text = response.content.decode("utf-8-sig")
    assert re.fullmatch(r"([^\n]*\r\n)+", text)
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def strata(report: Json) -> dict[tuple[str, str], Json]:
    """Read a MeasureReport of either version, as a FHIR client would."""
    found = {}
    for group in report["group"]:
        stat = group["code"]["coding"][0]["code"]
        (stratifier,) = group["stratifier"]
        for stratum in stratifier["stratum"]:
            value = stratum.get("value") or stratum["valueCodeableConcept"]
            found[value["coding"][0]["code"], stat] = stratum
    return found


def absent(stratum: Json) -> str | None:
    """Return why a stratum has no number, or None if it has one."""
    holders = [
        stratum.get("measureScore", stratum.get("measureScoreQuantity", {})),
        *(population.get("_count", {}) for population in stratum.get("population", ())),
    ]
    reasons = [
        extension["valueCode"]
        for holder in holders
        for extension in holder.get("extension", ())
        if extension["url"].endswith("data-absent-reason")
    ]
    return reasons[0] if reasons else None


def number(stratum: Json) -> float | None:
    score = stratum.get("measureScore", stratum.get("measureScoreQuantity"))
    if score is not None:
        return score.get("value")  # type: ignore[no-any-return]
    return stratum["population"][0].get("count")  # type: ignore[no-any-return]


def forms_that_agree(clinician: Clinician, path: str, **params: str) -> Counter[Status]:
    """Hold a table in all its forms against each other; return how many figures of which status."""
    shown_cells = cells(clinician, path, **params)
    lines = {
        (row["key"], row["stat"]): row
        for row in csv_rows(ask(clinician, path, "text/csv", **params))
    }
    reports = [strata(ask(clinician, path, accept, **params).json()) for accept in (R4B, R5)]
    assert lines.keys() == shown_cells.keys()
    for place, cell in shown_cells.items():
        line = lines[place]
        assert line["status"] == cell["status"]
        written = [float(line[name]) if line[name] else None for name in NUMBERS]
        assert written == [cell[name] for name in NUMBERS]
        shown = cell["status"] in {"ok", "unstable"}
        assert shown is (cell["estimate"] is not None)
        for report in reports:
            agrees(report[place], cell, shown=shown)
    return Counter(Status(cell["status"]) for cell in shown_cells.values())


def agrees(stratum: Json, cell: Json, *, shown: bool) -> None:
    """Hold a stratum against the cell of the JSON."""
    (figure,) = stratum["extension"]
    parts = {part["url"]: part for part in figure["extension"]}
    assert parts.pop("status")["valueCode"] == cell["status"]
    if not shown:
        assert absent(stratum) == {"suppressed": "masked"}.get(cell["status"], "unknown")
        assert (number(stratum), parts) == (None, {})
        return
    assert absent(stratum) is None
    precise = cell["estimate"]
    assert number(stratum) == (round(precise) if cell["unit"] == "people" else precise)
    assert {name: part["valueDecimal"] for name, part in parts.items()} == {
        name: cell[name] for name in NUMBERS if name != "estimate"
    }
