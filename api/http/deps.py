"""Dependencies of handlers: the app's context, settings, clock and a transaction."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request
from sqlmodel.ext.asyncio.session import AsyncSession

from api.core.clock import Clock
from api.core.config import Settings
from api.http.context import AppContext, context_of


async def get_context(request: Request) -> AppContext:
    """Return the context of the app."""
    return context_of(request.scope)


Context = Annotated[AppContext, Depends(get_context)]


async def get_settings(context: Context) -> Settings:
    """Return the settings of the app."""
    return context.settings


async def get_clock(context: Context) -> Clock:
    """Return the clock of the app."""
    return context.clock


async def open_db(context: Context) -> AsyncIterator[AsyncSession]:
    """Open the request's one transaction; it is committed before the response is sent."""
    async with context.database.write() as db:
        yield db


async def open_read_db(context: Context) -> AsyncIterator[AsyncSession]:
    """Open a transaction for a request that only reads."""
    async with context.database.read() as db:
        yield db


CurrentSettings = Annotated[Settings, Depends(get_settings)]
CurrentClock = Annotated[Clock, Depends(get_clock)]
# scope="function": with FastAPI's default scope the response is sent before the commit, and a
# commit that fails would still have been answered with 200.
Db = Annotated[AsyncSession, Depends(open_db, scope="function")]
ReadDb = Annotated[AsyncSession, Depends(open_read_db, scope="function")]
