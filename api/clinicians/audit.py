"""The audit log: one entry for every query of a clinician, never changed and never deleted."""

import datetime
from collections.abc import AsyncIterator, Mapping
from typing import Any

from sqlalchemy import insert, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from api.clinicians.identity import Clinician
from api.clinicians.models import AUDIT
from api.core.canonical import content_hash
from api.core.clock import Clock
from api.core.db import Database

PAGE = 1000


def subject_hash(issuer: str, subject: str) -> str:
    """Return what the log keeps of an issuer's user: the same every time, and no name."""
    return content_hash([issuer, subject])


async def record_query(
    database: Database,
    clock: Clock,
    clinician: Clinician,
    *,
    operation: str,
    parameters: Mapping[str, Any],
    status: int,
    request_id: str,
) -> None:
    """Write one entry, in a transaction of its own."""
    async with database.write() as db:
        await db.execute(
            # Inline: nothing comes back, so that a role that may insert and nothing else will do.
            insert(AUDIT)
            .inline()
            .values(
                asked_at=clock.now(),
                kind=clinician.kind,
                who=clinician.who,
                name=clinician.name if clinician.kind == "key" else None,
                operation=operation,
                parameters=dict(parameters),
                status=status,
                request_id=request_id,
            )
        )


async def read_entries(
    db: AsyncSession,
    *,
    since: datetime.datetime | None = None,
    who: str | None = None,
    issuer: str | None = None,
) -> AsyncIterator[dict[str, Any]]:
    """Read the log, oldest first, page by page.

    `who` is a key's name or id, the hash that the log shows, or the subject of the issuer's user.
    """
    statement = select(AUDIT).order_by(AUDIT.c.number).limit(PAGE)
    if since is not None:
        statement = statement.where(AUDIT.c.asked_at >= since)
    if who is not None:
        ids = [who.replace("-", "").lower()]
        if issuer is not None:
            ids.append(subject_hash(issuer, who))
        statement = statement.where(or_(AUDIT.c.name == who, AUDIT.c.who.in_(ids)))
    last = 0
    while True:
        page = (await db.execute(statement.where(AUDIT.c.number > last))).mappings().all()
        for row in page:
            yield dict(row)
        if len(page) < PAGE:
            return
        last = page[-1]["number"]
