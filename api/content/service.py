"""Stores releases, activates them, and loads the active one."""

import json

from sqlalchemy import insert, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from api.content.catalogue import Catalogue
from api.content.models import ActiveRelease, ContentBody, ContentRelease, KnownActivity
from api.content.release import Release, RuleSetBodies, build, catalogue_of, document_of
from api.content.rule_set import Signer
from api.core.canonical import canonical
from api.core.clock import Clock
from api.core.db import UNSYNCED, insert_once
from api.http.conditional import ENCODINGS, IDENTITY, Body

ACTIVE_ROW = 1


async def active_hash(db: AsyncSession) -> str | None:
    """Return the hash of the active release, if there is one."""
    statement = select(ActiveRelease.release_hash).where(ActiveRelease.id == ACTIVE_ROW)
    return (await db.exec(statement)).one_or_none()


def _body(row: ContentBody) -> Body:
    encodings = {IDENTITY: row.identity}
    for encoding in ENCODINGS:
        data: bytes | None = getattr(row, encoding)
        if data is not None:
            encodings[encoding] = data
    return Body(row.media_type, row.language or None, row.tag, encodings)


async def load_release(db: AsyncSession, name: str) -> Release:
    """Load a stored release into memory."""
    stored = (await db.exec(select(ContentRelease).where(ContentRelease.hash == name))).one()
    rows = await db.exec(select(ContentBody).where(ContentBody.release_hash == name))
    return Release(
        hash=stored.hash,
        rule_set_hash=stored.rule_set_hash,
        catalogue=catalogue_of(json.loads(stored.document)),
        deleted=stored.deleted,
        bodies={(row.path, row.language): _body(row) for row in rows},
        known_activities=frozenset(await db.exec(select(KnownActivity.activity_id))),
    )


async def find_body(db: AsyncSession, path: str) -> Body | None:
    """Find a body named by its hash, in any release ever stored."""
    row = (await db.exec(select(ContentBody).where(ContentBody.path == path).limit(1))).first()
    return _body(row) if row is not None else None


async def find_active_body(db: AsyncSession, release_hash: str, path: str) -> Body | None:
    """Find a body of a release that is the same in every language."""
    statement = select(ContentBody).where(
        ContentBody.release_hash == release_hash,
        ContentBody.path == path,
        ContentBody.language == "",
    )
    row = (await db.exec(statement)).first()
    return _body(row) if row is not None else None


async def known_activities(db: AsyncSession, ids: set[str]) -> set[str]:
    """Return those of these activities that any stored release has."""
    statement = select(KnownActivity.activity_id).where(col(KnownActivity.activity_id).in_(ids))
    return set(await db.exec(statement))


async def store(db: AsyncSession, release: Release, previous: str | None, clock: Clock) -> None:
    """Store a release with all of its bodies, unless it is stored already."""
    values = {
        "hash": release.hash,
        "stored_at": clock.now(),
        "previous_hash": previous,
        "rule_set_hash": release.rule_set_hash,
        "document": canonical(document_of(release.catalogue)),
        "deleted": list(release.deleted),
    }
    if not await insert_once(db, ContentRelease, values):
        return
    await db.exec(
        insert(ContentBody),
        params=[
            {
                "release_hash": release.hash,
                "path": path,
                "language": language,
                "media_type": body.media_type,
                "tag": body.tag,
                IDENTITY: body.encodings[IDENTITY],
                **{encoding: body.encodings.get(encoding) for encoding in ENCODINGS},
            }
            for (path, language), body in release.bodies.items()
        ],
    )
    for activity in release.catalogue.activities:
        known = {"activity_id": activity.id, "kind": activity.kind.value}
        await insert_once(db, KnownActivity, known)


async def activate(db: AsyncSession, name: str, clock: Clock) -> None:
    """Make a stored release the active one, which all servers serve."""
    values = {"id": ACTIVE_ROW, "release_hash": name, "activated_at": clock.now()}
    if not await insert_once(db, ActiveRelease, values):
        statement = update(ActiveRelease).where(col(ActiveRelease.id) == ACTIVE_ROW)
        await db.exec(statement.values(values), execution_options=UNSYNCED)


async def seed(
    db: AsyncSession,
    catalogue: Catalogue,
    clock: Clock,
    *,
    more: RuleSetBodies | None = None,
    sign: Signer | None = None,
) -> tuple[Release, bool]:
    """Store and activate a catalogue; return the release, and whether it became active now."""
    active = await active_hash(db)
    previous = await load_release(db, active) if active else None
    release = build(catalogue, previous, more=more, sign=sign)
    if release.hash == active:
        return release, False
    await store(db, release, active, clock)
    await activate(db, release.hash, clock)
    return release, True
