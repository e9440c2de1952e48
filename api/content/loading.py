"""Reads the seed folder, and reports every fault by file and JSON Pointer."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from api.content.catalogue import ENTRY_FILES, HEAD_FILE, Catalogue
from api.content.seed import RuleSetHead, SeedModel
from api.http.problems import pointer


@dataclass(frozen=True, order=True)
class SeedFault:
    """A fault in the seed folder, and its place.

    `overdue` faults fail `footing check` but not `footing seed`: a review that fell due must not
    keep an operator from restarting what already runs.
    """

    file: str
    pointer: str
    message: str
    severity: Literal["error", "overdue"] = "error"

    def __str__(self) -> str:
        return f"{self.file}#{self.pointer}: {self.message}"


class SeedInvalid(Exception):
    """The seed folder has faults and cannot become a release."""

    def __init__(self, faults: Iterable[SeedFault]) -> None:
        self.faults = sorted(set(faults))
        super().__init__("\n".join(map(str, self.faults)))


CatalogueCheck = Callable[[Catalogue], Iterable[SeedFault]]


def _no_constants(name: str) -> None:
    message = f"{name} is not JSON"
    raise ValueError(message)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            message = f'the key "{key}" occurs twice in one object'
            raise ValueError(message)
    return dict(pairs)


def _read(folder: Path, name: str) -> Any:
    try:
        text = (folder / name).read_text("utf-8")
    except FileNotFoundError:
        raise SeedInvalid([SeedFault(name, "", "the file is missing")]) from None
    except UnicodeDecodeError:
        raise SeedInvalid([SeedFault(name, "", "the file is not UTF-8")]) from None
    try:
        return json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constants)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise SeedInvalid([SeedFault(name, "", f"not JSON: {error.msg} ({place})")]) from None
    except ValueError as error:
        raise SeedInvalid([SeedFault(name, "", str(error))]) from None


def _shape_faults(name: str, error: ValidationError) -> Iterator[SeedFault]:
    for found in error.errors(include_url=False, include_input=False):
        message = {"missing": "is missing", "extra_forbidden": "is not a known key"}.get(
            found["type"], found["msg"].removeprefix("Value error, ")
        )
        yield SeedFault(name, pointer(found["loc"]), message)


def _load(folder: Path, name: str, shape: type[SeedModel]) -> list[SeedModel]:
    raw = _read(folder, name)
    try:
        # Validated as JSON, where strict mode still accepts strings for dates and enums.
        adapter = TypeAdapter(list[shape])  # type: ignore[valid-type]
        return adapter.validate_json(json.dumps(raw), strict=True)
    except ValidationError as error:
        raise SeedInvalid(_shape_faults(name, error)) from None


def load_catalogue(folder: Path) -> Catalogue:
    """Read all files of the seed folder; raise `SeedInvalid` with all that are malformed."""
    faults: list[SeedFault] = []
    fields: dict[str, Any] = {}
    for name, (field, shape) in ENTRY_FILES.items():
        try:
            fields[field] = tuple(_load(folder, name, shape))
        except SeedInvalid as invalid:
            faults.extend(invalid.faults)
    try:
        head = json.dumps(_read(folder, HEAD_FILE))
        fields["head"] = RuleSetHead.model_validate_json(head, strict=True)
    except ValidationError as error:
        faults.extend(_shape_faults(HEAD_FILE, error))
    except SeedInvalid as invalid:
        faults.extend(invalid.faults)
    fields["drawings"] = {}
    for index, media in enumerate(fields.get("media", ())):
        try:
            fields["drawings"][media.id] = (folder / media.file).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            message = f"the file {media.file} is missing or not UTF-8"
            faults.append(SeedFault("media.json", f"/{index}/file", message))
    if faults:
        raise SeedInvalid(faults)
    return Catalogue(**fields)


def load_valid(folder: Path, checks: Iterable[CatalogueCheck]) -> tuple[Catalogue, list[SeedFault]]:
    """Read the seed folder and run every check; return the catalogue and what is overdue."""
    catalogue = load_catalogue(folder)
    faults = [fault for check in checks for fault in check(catalogue)]
    if any(fault.severity == "error" for fault in faults):
        raise SeedInvalid(faults)
    return catalogue, sorted(faults)
