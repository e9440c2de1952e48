"""A naive peer: how most teams would write it, FastAPI with a synchronous SQLModel session."""

import contextlib
import hashlib
import json
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException
from sqlalchemy import JSON, Column
from sqlmodel import Field, Session, SQLModel, create_engine, select

DATA = json.loads(Path(os.environ["BENCH_PEER_DATA"]).read_bytes())
engine = create_engine(os.environ["BENCH_PEER_URL"])


@contextlib.asynccontextmanager
async def filled(_: FastAPI) -> AsyncIterator[None]:
    """Create the tables, a user for each token, and a routine."""
    SQLModel.metadata.create_all(engine)
    with Session(engine) as db:
        if not db.get(PeerRoutine, DATA["routine"]["id"]):
            db.add(PeerRoutine.model_validate(DATA["routine"]))
            db.add_all(PeerUser(token_hash=hash_of(token)) for token in DATA["tokens"])
            db.commit()
    yield


app = FastAPI(lifespan=filled)


class PeerUser(SQLModel, table=True):
    """A user with the hash of a token."""

    id: int | None = Field(default=None, primary_key=True)
    token_hash: str = Field(index=True, unique=True)


class PeerRoutine(SQLModel, table=True):
    """A routine, its items as JSON."""

    id: str = Field(primary_key=True)
    title: str
    items: list[dict[str, Any]] = Field(sa_column=Column(JSON))


class PeerSession(SQLModel, table=True):
    """A session of a user."""

    id: str = Field(primary_key=True)
    user_id: int = Field(default=0, foreign_key="peeruser.id", index=True)
    routine_id: str
    started_at: str
    ended_at: str
    local_date: str
    time_zone: str
    status: str
    items: list[dict[str, Any]] = Field(sa_column=Column(JSON))
    pain_before: int | None = None
    pain_after: int | None = None


def hash_of(token: str) -> str:
    """Return the hash of a token at rest."""
    return hashlib.sha256(token.encode()).hexdigest()


def get_db() -> Iterator[Session]:
    """Open the request's database session."""
    with Session(engine) as db:
        yield db


Db = Annotated[Session, Depends(get_db)]


def get_user(db: Db, authorization: Annotated[str, Header()]) -> PeerUser:
    """Look up the user of a token."""
    hashed = hash_of(authorization.removeprefix("Bearer "))
    user = db.exec(select(PeerUser).where(PeerUser.token_hash == hashed)).first()
    if user is None:
        raise HTTPException(401)
    return user


@app.get("/ready")
def ready() -> None:
    """Respond."""


@app.get("/v1/routines/{routine_id}", dependencies=[Depends(get_user)])
def get_routine(db: Db, routine_id: str) -> PeerRoutine:
    """Get one routine."""
    routine = db.get(PeerRoutine, routine_id)
    if routine is None:
        raise HTTPException(404)
    return routine


@app.post("/v1/sessions", status_code=201)
def post_session(
    db: Db, user: Annotated[PeerUser, Depends(get_user)], session: PeerSession
) -> PeerSession:
    """Store a session."""
    stored = PeerSession.model_validate(session, update={"user_id": user.id})
    db.add(stored)
    db.commit()
    db.refresh(stored)
    return stored
