"""Fingerprints of all suppressed addresses in memory: what is not among them is suppressed by
nobody.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import sys
import time
from array import array
from bisect import bisect_left
from contextlib import suppress
from functools import lru_cache
from typing import Any, Protocol

logger = logging.getLogger(__name__)

EVERY = 0.7  # seconds between two looks
# A copy older than this is not believed, and PostgreSQL is asked instead: so the list is right
# within 2 seconds, whatever is late.
TRUSTED = 1.8
# As many new ones are merged by reading all anew: a set takes ten times the memory.
MOST_FRESH = 50_000

# Both are one statement, and so of one snapshot, which is kept: what it does not see was made by a
# transaction that had not begun (at or above its xmax) or was under way (one of its xip). Its xmin
# alone would be no mark to read on from: one transaction that stays open holds it back, and all
# rows made meanwhile would be read at each look.
LOAD = """
SELECT pg_current_snapshot()::text, (
    SELECT coalesce(string_agg(print, ''::bytea ORDER BY print), ''::bytea)
    FROM (SELECT substr(sha256(convert_to(address_key, 'UTF8')), 1, 8) AS print
        FROM suppressions_suppression) prints)
"""
NEWER = """
SELECT pg_current_snapshot()::text, (
    SELECT coalesce(string_agg(substr(sha256(convert_to(address_key, 'UTF8')), 1, 8), ''::bytea),
        ''::bytea)
    FROM (
        SELECT address_key FROM suppressions_suppression
            WHERE made_in >= pg_snapshot_xmax(%(seen)s::pg_snapshot)
        UNION ALL
        SELECT address_key FROM suppressions_suppression
        WHERE made_in = ANY(ARRAY(SELECT pg_snapshot_xip(%(seen)s::pg_snapshot)))
    ) newer)
"""


class Fetches(Protocol):
    """A database connection, as the asker has it; `is_binary` for answers of many bytes."""

    async def fetch(
        self, sql: str, parameters: dict[str, Any] | None = None, *, is_binary: bool = False
    ) -> list[tuple[Any, ...]]: ...


class Index:
    """8 bytes for each address, 40 MB for five million.

    A lifted one stays until the next load: that costs a question, no mail.
    """

    def __init__(self, database: Fetches) -> None:
        self._database = database
        self._sorted: array[int] = array("Q")
        self._fresh: set[int] = set()
        self._seen = ""
        self._as_of = -TRUSTED
        self._stopping = asyncio.Event()

    def excludes(self, key: str, domain: str) -> bool:
        """Tell whether neither the address nor its whole domain is suppressed, for certain."""
        if time.monotonic() - self._as_of > TRUSTED:
            return False
        return not self._holds(fingerprint(key)) and not self._holds(_domain_fingerprint(domain))

    def _holds(self, mark: int) -> bool:
        at = bisect_left(self._sorted, mark)
        return (at < len(self._sorted) and self._sorted[at] == mark) or mark in self._fresh

    async def run(self) -> None:
        """Keep up until `stop`."""
        while not self._stopping.is_set():
            await self.turn()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), EVERY)

    def stop(self) -> None:
        """Let the look under way come to its end: a connection that is cut off while it opens
        would stay open.
        """
        self._stopping.set()

    async def turn(self) -> None:
        """Look once; after a failure read all anew, since another database may answer next."""
        try:
            await (self._look() if self._seen else self._load())
        except Exception as error:
            # An index that is not kept up is not used, and nothing depends on it but speed.
            logger.warning(
                "the index of suppressions is not kept up; PostgreSQL is asked for each "
                "recipient: %s",
                error,
            )
            self._seen = ""

    async def _look(self) -> None:
        started = time.monotonic()
        [(seen, new)] = await self._database.fetch(NEWER, {"seen": self._seen}, is_binary=True)
        if len(self._fresh) + len(new) // 8 > MOST_FRESH:
            await self._load()
        else:
            self._fresh.update(_numbers(new))
            self._seen, self._as_of = seen, started

    async def _load(self) -> None:
        started = time.monotonic()
        [(seen, prints)] = await self._database.fetch(LOAD, is_binary=True)
        self._sorted, self._fresh = _numbers(prints), set()
        self._seen, self._as_of = seen, started


def fingerprint(key: str) -> int:
    """Compute the fingerprint as the statements above do."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")


@lru_cache(maxsize=10_000)
def _domain_fingerprint(domain: str) -> int:
    return fingerprint(f"@{domain}")


def _numbers(prints: bytes) -> array[int]:
    numbers = array("Q", prints)
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers
