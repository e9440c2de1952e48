"""Tables of publications: noisy figures about no individual. Rows are added, never changed."""

import datetime
import uuid

from sqlalchemy import BigInteger, UniqueConstraint
from sqlmodel import Field, SQLModel

from api.core.db import UtcDateTime


class Installation(SQLModel, table=True):
    """This database since its first migration: one row. Periods are counted from there."""

    __tablename__ = "installation"

    id: uuid.UUID = Field(primary_key=True)
    installed_on: datetime.date


class Publication(SQLModel, table=True):
    """One closed period, with its policy and privacy cost."""

    __tablename__ = "publication"
    __table_args__ = (UniqueConstraint("kind", "starts_on"),)

    id: str = Field(primary_key=True, max_length=48)
    kind: str = Field(max_length=32)
    starts_on: datetime.date
    ends_on: datetime.date
    closed_at: datetime.datetime = Field(sa_type=UtcDateTime)
    profile: str = Field(max_length=32)
    plan_hash: str = Field(max_length=64)
    rho: float
    epsilon: float
    delta: float
    # False if the cells were drawn before and are lost: see `log`.
    released: bool


class PublicationCell(SQLModel, table=True):
    """One noisy number of a publication, with the scale of its noise."""

    __tablename__ = "publication_cell"

    publication_id: str = Field(foreign_key="publication.id", primary_key=True)
    table_name: str = Field(primary_key=True, max_length=32)
    key: str = Field(primary_key=True, max_length=64)
    statistic: str = Field(primary_key=True, max_length=32)
    noisy: int = Field(sa_type=BigInteger)
    scale: int = Field(sa_type=BigInteger)
