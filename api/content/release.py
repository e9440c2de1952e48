"""A release: one validated state of the seed folder, as prepared responses."""

import json
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, TypeAdapter

from api.content import rule_set, schemas
from api.content.catalogue import ENTRY_FILES, Catalogue
from api.content.rendering import SVG, Renderer
from api.content.seed import RuleSetHead
from api.core.canonical import canonical, content_hash, sha256
from api.core.errors import Unavailable
from api.http.conditional import JSON, Body, make_body

# The served lists, with the renderer of their items and their field in the bundle.
LISTS: Mapping[str, Callable[[Renderer], Callable[[Any], BaseModel]]] = {
    "exercises": lambda renderer: renderer.exercise,
    "massages": lambda renderer: renderer.massage,
    "warnings": lambda renderer: renderer.warning,
    "routines": lambda renderer: renderer.routine,
    "tips": lambda renderer: renderer.tip,
    "benefits": lambda renderer: renderer.benefit,
    "sources": lambda renderer: renderer.source,
    "consents": lambda renderer: renderer.consent,
}
# Content that a device deletes when a later release no longer contains it.
FORGETTABLE = ("exercises", "massages", "warnings", "routines", "tips", "benefits", "sources")

BodyName = tuple[str, str]
# Prepares further responses from the rule set, by path; passed in by triage, a layer above.
RuleSetBodies = Callable[[Mapping[str, Any]], Mapping[str, bytes]]


@dataclass(frozen=True)
class Release:
    """A loaded release; the language of a `BodyName` is empty if the body is the same in all."""

    hash: str
    rule_set_hash: str
    catalogue: Catalogue
    deleted: Sequence[Mapping[str, str]]
    bodies: Mapping[BodyName, Body]
    # The activities of this release and of all stored ones before it.
    known_activities: AbstractSet[str] = frozenset()
    # Filtered and paged lists, created on first use: filters are enums and ids.
    assembled: dict[Hashable, Body] = field(default_factory=dict)

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages of this release."""
        return self.catalogue.language_codes


@dataclass(slots=True)
class ServedRelease:
    """The served release; another one replaces it when it becomes active."""

    release: Release | None = None

    @property
    def now(self) -> Release:
        """The release; raises Unavailable until one is loaded."""
        if self.release is None:
            raise Unavailable("No release is loaded yet.")
        return self.release


def dump(model: BaseModel) -> bytes:
    """Serialise a response."""
    return model.model_dump_json().encode()


def entry_key(entry: Any) -> str:
    """Return the id of an entry in its list; consents are listed in every version."""
    version = getattr(entry, "version", None)
    return f"{entry.id}-{version}" if version else str(entry.id)


def list_bytes(items: Iterable[bytes], next_cursor: str | None = None) -> bytes:
    """Join serialised items to a page."""
    cursor = json.dumps(next_cursor).encode()
    return b'{"items":[' + b",".join(items) + b'],"next_cursor":' + cursor + b"}"


def document_of(catalogue: Catalogue) -> dict[str, Any]:
    """Return the validated state as JSON."""
    document: dict[str, Any] = {
        name: [entry.model_dump(mode="json") for entry in getattr(catalogue, name)]
        for name, _ in ENTRY_FILES.values()
    }
    document["head"] = catalogue.head.model_dump(mode="json")
    document["drawings"] = catalogue.drawings
    return document


def catalogue_of(document: Mapping[str, Any]) -> Catalogue:
    """Parse a stored state."""
    fields: dict[str, Any] = {
        name: TypeAdapter(tuple[shape, ...]).validate_python(document[name])  # type: ignore[valid-type]
        for name, shape in ENTRY_FILES.values()
    }
    return Catalogue(
        **fields,
        head=RuleSetHead.model_validate(document["head"]),
        drawings=document["drawings"],
    )


def _prepare(
    catalogue: Catalogue, more: RuleSetBodies | None, sign: rule_set.Signer | None
) -> dict[BodyName, tuple[bytes, str, str | None]]:
    """Render all responses except the bundle: bytes, media type, and the ETag's stem if set."""
    responses: dict[BodyName, tuple[bytes, str, str | None]] = {}
    for language in catalogue.language_codes:
        renderer = Renderer(catalogue, language)
        for name, render_of in LISTS.items():
            render = render_of(renderer)
            items = [dump(render(entry)) for entry in getattr(catalogue, name)]
            responses[name, language] = (list_bytes(items), JSON, None)
            for entry, data in zip(getattr(catalogue, name), items, strict=True):
                responses[f"{name}/{entry_key(entry)}", language] = (data, JSON, None)
        for media_id, drawing in renderer.drawings.items():
            responses[f"media/{renderer.drawing_name(media_id)}", ""] = (drawing, SVG, None)
    document = rule_set.reviewed_document(catalogue, sign)
    data = canonical(document)
    # The hash covers only what decides, but a changed review must also change the ETag.
    tag = f"{document['hash']}-{sha256(data)[:8]}"
    responses["triage/rule-set", ""] = (data, JSON, tag)
    responses[f"triage/rule-sets/{document['hash']}", ""] = (
        canonical({"hash": document["hash"], **rule_set.rule_set_document(catalogue)}),
        JSON,
        document["hash"],
    )
    for path, prepared in (more(document) if more else {}).items():
        responses[path, ""] = (prepared, JSON, None)
    return responses


def _deleted(catalogue: Catalogue, previous: Release | None) -> list[dict[str, str]]:
    if previous is None:
        return []
    gone = list(previous.deleted)
    for name in FORGETTABLE:
        kept = {entry.id for entry in getattr(catalogue, name)}
        gone = [dict(entry) for entry in gone if entry["kind"] != name or entry["id"] not in kept]
        gone.extend(
            {"kind": name, "id": entry.id}
            for entry in getattr(previous.catalogue, name)
            if entry.id not in kept
        )
    return [dict(entry) for entry in gone]


def _bundle(
    catalogue: Catalogue,
    language: str,
    version: str,
    rule_set_hash: str,
    deleted: list[dict[str, str]],
) -> schemas.ContentBundle:
    content = Renderer(catalogue, language).bundle()
    return schemas.ContentBundle(
        version=version,
        hash=content_hash(content.model_dump(mode="json")),
        language=language,
        languages=list(catalogue.language_codes),
        rule_set_hash=rule_set_hash,
        deleted=[schemas.DeletedContent(**entry) for entry in deleted],
        content=content,
    )


def build(
    catalogue: Catalogue,
    previous: Release | None = None,
    *,
    more: RuleSetBodies | None = None,
    sign: rule_set.Signer | None = None,
) -> Release:
    """Make a release, identified by a hash of the seed's state, its responses and deletion log.

    The deletion log extends that of the previous release, so that a device that skipped releases
    still learns what to delete.
    """
    responses = _prepare(catalogue, more, sign)
    deleted = _deleted(catalogue, previous)
    name = content_hash(
        {
            "document": content_hash(document_of(catalogue)),
            "deleted": deleted,
            "answers": {
                f"{path} {lang}": sha256(responses[path, lang][0]) for path, lang in responses
            },
        }
    )
    if previous is not None and previous.hash == name:
        return previous  # compressing it again would take seconds
    document_hash = rule_set.rule_set_hash(rule_set.rule_set_document(catalogue))
    for language in catalogue.language_codes:
        bundle = _bundle(catalogue, language, name, document_hash, deleted)
        responses["content", language] = (dump(bundle), JSON, None)
    before = {} if previous is None else previous.bodies
    bodies = {
        (path, language): make_body(
            data,
            media_type=media_type,
            language=language or None,
            tag=tag,
            before=before.get((path, language)),
        )
        for (path, language), (data, media_type, tag) in responses.items()
    }
    return Release(name, document_hash, catalogue, deleted, bodies)
