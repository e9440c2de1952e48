"""Tables of the content: reference data."""

import datetime

from sqlalchemy import LargeBinary
from sqlmodel import Field, SQLModel

from api.core.db import JsonDocument, UtcDateTime


class ContentRelease(SQLModel, table=True):
    """One validated state of the seed folder, identified by its hash; never changed."""

    __tablename__ = "content_release"

    hash: str = Field(primary_key=True, max_length=64)
    stored_at: datetime.datetime = Field(sa_type=UtcDateTime)
    previous_hash: str | None = Field(default=None, max_length=64)
    rule_set_hash: str = Field(max_length=64)
    document: bytes = Field(sa_type=LargeBinary)
    deleted: list[dict[str, str]] = Field(sa_type=JsonDocument)


class ContentBody(SQLModel, table=True):
    """One prepared response of a release, in every content encoding; null if that saves nothing."""

    __tablename__ = "content_body"

    release_hash: str = Field(foreign_key="content_release.hash", primary_key=True)
    path: str = Field(primary_key=True, max_length=200, index=True)
    # Empty if the body is the same in every language.
    language: str = Field(primary_key=True, max_length=2)
    media_type: str = Field(max_length=64)
    tag: str = Field(max_length=100)
    identity: bytes = Field(sa_type=LargeBinary)
    gzip: bytes | None = Field(sa_type=LargeBinary)
    br: bytes | None = Field(sa_type=LargeBinary)
    zstd: bytes | None = Field(sa_type=LargeBinary)


class ActiveRelease(SQLModel, table=True):
    """The release that all servers serve: one row."""

    __tablename__ = "active_release"

    id: int = Field(primary_key=True)
    release_hash: str = Field(foreign_key="content_release.hash")
    activated_at: datetime.datetime = Field(sa_type=UtcDateTime)


class KnownActivity(SQLModel, table=True):
    """An activity of any release ever stored, so that sessions from old apps are accepted."""

    __tablename__ = "known_activity"

    activity_id: str = Field(primary_key=True, max_length=64)
    kind: str = Field(max_length=16)
