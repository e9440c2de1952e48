"""Table of triage: withdrawn rule sets. Reference data."""

import datetime

from sqlmodel import Field, SQLModel

from api.core.db import UtcDateTime


class WithdrawnRuleSet(SQLModel, table=True):
    """A rule set found to be wrong: never used again, kept to replay its decisions."""

    __tablename__ = "withdrawn_rule_set"

    hash: str = Field(primary_key=True, max_length=64)
    withdrawn_at: datetime.datetime = Field(sa_type=UtcDateTime)
    reason: str = Field(max_length=500)
