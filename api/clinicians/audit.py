"""The audit log: an append-only entry for every query of a clinician."""

import datetime
from collections.abc import AsyncIterator, Mapping
from typing import Any

from sqlalchemy import insert, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from api.clinicians.identity import Clinician
from api.clinicians.models import AuditEntry
from api.core.canonical import content_hash
from api.core.clock import Clock
from api.core.db import Database

PAGE = 1000


def subject_hash(issuer: str, subject: str) -> str:
    """Return the stable pseudonym of an issuer's user in the log."""
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
    """Write one entry in its own transaction."""
    async with database.write() as db:
        await db.exec(
            # Inline, without RETURNING, so that a role needs no more than INSERT.
            insert(AuditEntry)
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
) -> AsyncIterator[AuditEntry]:
    """Read the log, oldest first, in pages.

    `who` is a key's name or id, a pseudonym in the log, or the subject of the issuer's user.
    """
    number = col(AuditEntry.number)
    statement = select(AuditEntry).order_by(number).limit(PAGE)
    if since is not None:
        statement = statement.where(AuditEntry.asked_at >= since)
    if who is not None:
        ids = [who.replace("-", "").lower()]
        if issuer is not None:
            ids.append(subject_hash(issuer, who))
        statement = statement.where(or_(col(AuditEntry.name) == who, col(AuditEntry.who).in_(ids)))
    last = 0
    while True:
        page = (await db.exec(statement.where(number > last))).all()
        for entry in page:
            yield entry
        if len(page) < PAGE:
            return
        last = page[-1].number
