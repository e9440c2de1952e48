"""A clinician: has a key or an access token, and asks."""

import asyncio

import httpx

from api.clinicians.identity import READ_AGGREGATES
from api.clinicians.service import add_key
from api.core.clock import Clock
from api.core.config import Settings
from api.core.db import Database


def give_key(database_url: str, clock: Clock, name: str = "Ward 3", days: int = 90) -> str:
    """Give a key out, as `footing clinician add` does, by a clock of the test's own."""

    async def give() -> str:
        database = Database(Settings(database_url=database_url))
        async with database.write() as db:
            key, _ = await add_key(db, name, days, [READ_AGGREGATES], clock)
        await database.close()
        return str(key)

    return asyncio.run(give())


class Clinician:
    """Talks to the API as the page does: over HTTP alone."""

    def __init__(self, client: httpx.Client, token: str) -> None:
        self.client = client
        self.token = token

    def get(self, path: str = "/v1/clinician", **params: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.client.get(path, params=params or None, headers=headers)
