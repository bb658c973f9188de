"""The names at which mail comes back: those of sending domains that are in use, or were lately."""

from __future__ import annotations

import asyncio
import time

from deliveries.backends.database import Database, DatabaseUnavailable
from domains.models.return_paths import TAKEN

KEEP = 1.0  # seconds: less than pass between a name's first good check and its first mail

NAMES = """
SELECT DISTINCT name FROM domains_returnpath
WHERE state IN ('found', 'used') OR stopped_at > now() - %(taken)s::interval
"""


class ReturnPathNames:
    """All of them in memory, read again where they are asked for and a second old."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._names: frozenset[str] = frozenset()
        self._until = 0.0
        self._asking = asyncio.Lock()

    async def has(self, name: str) -> bool:
        """Tell if failures may come back there; raises `DatabaseUnavailable` for a name that was
        not known before PostgreSQL went away.
        """
        async with self._asking:
            if self._until < time.monotonic():
                try:
                    rows = await self._database.fetch(NAMES, {"taken": TAKEN})
                except DatabaseUnavailable:
                    if name in self._names:
                        return True
                    raise
                self._names = frozenset(row[0] for row in rows)
                self._until = time.monotonic() + KEEP
        return name in self._names
