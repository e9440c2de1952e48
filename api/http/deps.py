"""What handlers ask for: settings, clock and a transaction."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request
from sqlmodel.ext.asyncio.session import AsyncSession

from api.core.clock import Clock
from api.core.config import Settings
from api.core.db import Database


async def get_settings(request: Request) -> Settings:
    """Return the settings the app was made with."""
    settings: Settings = request.app.state.settings
    return settings


async def get_clock(request: Request) -> Clock:
    """Return the clock the app was made with."""
    clock: Clock = request.app.state.clock
    return clock


async def open_db(request: Request) -> AsyncIterator[AsyncSession]:
    """Open the request's one transaction; it is committed before the reply leaves."""
    database: Database = request.app.state.database
    async with database.write() as db:
        yield db


async def open_read_db(request: Request) -> AsyncIterator[AsyncSession]:
    """Open a transaction for a request that only reads."""
    database: Database = request.app.state.database
    async with database.read() as db:
        yield db


CurrentSettings = Annotated[Settings, Depends(get_settings)]
CurrentClock = Annotated[Clock, Depends(get_clock)]
# scope="function": with FastAPI's default scope the reply leaves before the commit, and a commit
# that fails would still have been answered with 200.
Db = Annotated[AsyncSession, Depends(open_db, scope="function")]
ReadDb = Annotated[AsyncSession, Depends(open_read_db, scope="function")]
