"""Stores releases, activates them, and loads the active one."""

import json
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from api.content.catalogue import Catalogue
from api.content.models import ACTIVE, BODIES, KNOWN_ACTIVITIES, RELEASES
from api.content.release import Release, RuleSetAnswers, build, catalogue_of, document_of
from api.content.rule_set import Signer
from api.core.canonical import canonical
from api.core.clock import Clock
from api.core.db import insert_once
from api.http.conditional import CODINGS, IDENTITY, Body

ACTIVE_ROW = 1


async def active_hash(db: AsyncSession) -> str | None:
    """Name the active release, if there is one."""
    statement = select(ACTIVE.c.release_hash).where(ACTIVE.c.id == ACTIVE_ROW)
    return (await db.execute(statement)).scalar_one_or_none()


def _body(row: Row[Any]) -> Body:
    values = row._mapping  # noqa: SLF001  # public, in spite of its name
    codings = {IDENTITY: values["identity"]}
    codings |= {coding: values[coding] for coding in CODINGS if values[coding] is not None}
    return Body(values["media_type"], values["language"] or None, values["tag"], codings)


async def load_release(db: AsyncSession, name: str) -> Release:
    """Read a stored release into memory."""
    stored = (await db.execute(select(RELEASES).where(RELEASES.c.hash == name))).one()
    rows = await db.execute(select(BODIES).where(BODIES.c.release_hash == name))
    return Release(
        hash=stored.hash,
        rule_set_hash=stored.rule_set_hash,
        catalogue=catalogue_of(json.loads(stored.document)),
        deleted=stored.deleted,
        bodies={(row.path, row.language): _body(row) for row in rows},
    )


async def find_body(db: AsyncSession, path: str) -> Body | None:
    """Find a body that is named by its hash, in any release ever stored."""
    rows = await db.execute(select(BODIES).where(BODIES.c.path == path).limit(1))
    row = rows.first()
    return _body(row) if row is not None else None


async def find_active_body(db: AsyncSession, release_hash: str, path: str) -> Body | None:
    """Find one body of one release that is the same in every language."""
    statement = select(BODIES).where(
        BODIES.c.release_hash == release_hash, BODIES.c.path == path, BODIES.c.language == ""
    )
    row = (await db.execute(statement)).first()
    return _body(row) if row is not None else None


async def known_activities(db: AsyncSession, ids: set[str]) -> set[str]:
    """Tell which of these activities any release ever held."""
    rows = await db.execute(
        select(KNOWN_ACTIVITIES.c.activity_id).where(KNOWN_ACTIVITIES.c.activity_id.in_(ids))
    )
    return set(rows.scalars())


async def store(db: AsyncSession, release: Release, previous: str | None, clock: Clock) -> None:
    """Store a release with all its answers, unless it is there already."""
    values = {
        "hash": release.hash,
        "stored_at": clock.now(),
        "previous_hash": previous,
        "rule_set_hash": release.rule_set_hash,
        "document": canonical(document_of(release.catalogue)),
        "deleted": list(release.deleted),
    }
    if not await insert_once(db, RELEASES, values):
        return
    await db.execute(
        insert(BODIES),
        [
            {
                "release_hash": release.hash,
                "path": path,
                "language": language,
                "media_type": body.media_type,
                "tag": body.tag,
                IDENTITY: body.codings[IDENTITY],
                **{coding: body.codings.get(coding) for coding in CODINGS},
            }
            for (path, language), body in release.bodies.items()
        ],
    )
    for activity in release.catalogue.activities:
        known = {"activity_id": activity.id, "kind": activity.kind.value}
        await insert_once(db, KNOWN_ACTIVITIES, known)


async def activate(db: AsyncSession, name: str, clock: Clock) -> None:
    """Make a stored release the one that every node serves."""
    values = {"id": ACTIVE_ROW, "release_hash": name, "activated_at": clock.now()}
    if not await insert_once(db, ACTIVE, values):
        await db.execute(update(ACTIVE).where(ACTIVE.c.id == ACTIVE_ROW).values(values))


async def seed(
    db: AsyncSession,
    catalogue: Catalogue,
    clock: Clock,
    *,
    more: RuleSetAnswers | None = None,
    sign: Signer | None = None,
) -> tuple[Release, bool]:
    """Store and activate a validated state; tell whether that changed what is served."""
    active = await active_hash(db)
    previous = await load_release(db, active) if active else None
    release = build(catalogue, previous, more=more, sign=sign)
    if release.hash == active:
        return release, False
    await store(db, release, active, clock)
    await activate(db, release.hash, clock)
    return release, True
