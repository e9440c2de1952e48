"""Everything that a clinician can see of a server: all clinician endpoints of its document."""

import itertools
import re
from collections.abc import Iterator
from typing import Any

import httpx

from tests.support.budget import budget

Json = dict[str, Any]
# What to ask with, by the name of the parameter. A new parameter needs a line here.
ASKED: dict[str, tuple[str, ...]] = {
    "table": ("all", "routine", "age", "region", "tenure", "red_flag_rule", "red_flag", "nothing"),
    "key": ("daily-15-minutes", "personalised", "age_40_49", "E01", "nothing"),
    "stat": ("people", "adherence", "sessions", "pain_change", "red_flags", "nothing"),
    "period_kind": ("week", "cycle", "quarter"),
    "starts_on": ("2026-09-07", "2026-09-14", "2026-11-16", "2026-09-09", "no day"),
    "from": ("2026-09-07", "2026-09-14", "2026-09-08"),
    "to": ("2026-09-13", "2026-09-20", "2026-11-22", "2026-09-14"),
    "lang": ("es", "fr"),
    "limit": ("1", "0"),
    "cursor": ("x",),
}
# Of all questions, one in so many: a number that shares no divisor with those of the forms.
ONE_IN = budget(quick=6, full=1)
FORMS = ("application/json", "text/csv", "application/fhir+json", "image/png")
# Says when its window ends by the real clock.
WINDOW = re.compile(r";t=\d+")
Seen = tuple[int, tuple[tuple[str, str], ...], bytes]


def _schemas(document: Json, operation: Json, place: str) -> dict[str, bool]:
    """Return the parameters of a place, and whether the endpoint requires them."""
    shared = document["components"].get("parameters", {})
    found = [
        shared[one["$ref"].rpartition("/")[2]] if "$ref" in one else one
        for one in operation.get("parameters", ())
    ]
    return {one["name"]: bool(one.get("required")) for one in found if one["in"] == place}


def _queries(needed: list[str], optional: list[str]) -> Iterator[dict[str, str]]:
    """Combine everything that is needed, and add to the first of it each thing that is not."""
    every = [
        dict(zip(needed, values, strict=True))
        for values in itertools.product(*(ASKED[name] for name in needed))
    ]
    yield from every
    for name in optional:
        for value in ASKED[name]:
            yield {**every[0], name: value}


def questions(document: Json) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Return every clinician endpoint of the document, with all its parameters."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if {"clinicianToken": []} not in operation["security"]:
                continue
            assert method == "get", f"{method} {path}: say how to ask it"
            places = list(_schemas(document, operation, "path"))
            query = _schemas(document, operation, "query")
            needed = [name for name, must in query.items() if must]
            optional = [name for name, must in query.items() if not must]
            for values in itertools.product(*(ASKED[name] for name in places)):
                filled = path.format(**dict(zip(places, values, strict=True)))
                for asked in _queries(needed, optional):
                    yield method, filled, asked


def surface(client: httpx.Client, token: str, only: str = "") -> dict[str, Seen]:
    """Ask everything, or only of some paths; return status, headers and bytes of each answer."""
    seen: dict[str, Seen] = {}
    plain = {
        "Authorization": f"Bearer {token}",
        # What is random is asked for.
        "X-Request-ID": "0123456789abcdef",
        "Accept-Encoding": "identity",
    }
    document = client.get("/v1/openapi.json").json()
    every = (question for question in questions(document) if question[1].startswith(only))
    asked = itertools.islice(every, 0, None, ONE_IN)
    for number, (method, path, params) in enumerate(asked):
        for form in FORMS if number % 7 == 0 else FORMS[number % 4 :][:1]:
            response = client.request(
                method, path, params=params, headers={**plain, "Accept": form}
            )
            headers = [(name, WINDOW.sub("", value)) for name, value in response.headers.items()]
            kept = tuple(sorted(pair for pair in headers if pair[0] != "date"))
            seen[f"{method} {path} {params} {form}"] = (
                response.status_code,
                kept,
                response.content,
            )
        assert seen
    return seen


def differences(one: dict[str, Seen], other: dict[str, Seen]) -> list[str]:
    assert one.keys() == other.keys()
    return [question for question in one if one[question] != other[question]]
