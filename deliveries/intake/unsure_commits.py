"""Messages of whose commit the answer was lost: PostgreSQL is asked when it is back, and what was
taken is logged, and its lanes are woken.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from deliveries.backends import loglines
from deliveries.backends.database import Database, DatabaseUnavailable
from deliveries.queue.wakeups import WakeUps

AGAIN = 1.0  # seconds between two questions
KEEP = 60.0  # seconds after which a commit that was under way has come through, or never will
# That are remembered; the mail log lacks a line for what is more, and nothing else does.
MOST = 10_000

TAKEN = """
SELECT message.id, coalesce(array_agg(DISTINCT lane_id) FILTER (WHERE ended_at IS NULL), '{}'),
    coalesce(array_agg(DISTINCT lane_id) FILTER (WHERE ended_at IS NULL AND priority = 2), '{}')
FROM deliveries_message message LEFT JOIN deliveries_delivery delivery
    ON delivery.message_id = message.id
WHERE message.id = ANY(%(ids)s) GROUP BY message.id
"""


@dataclass(frozen=True, slots=True)
class _Waiting:
    log: Callable[[], object]
    until: float  # on the monotonic clock


class Unsure:
    """Its owner has told the clients to try again; those that do are found to repeat what was
    taken.
    """

    def __init__(self, database: Database, wakeups: WakeUps) -> None:
        self._database = database
        self._wakeups = wakeups
        self._waiting: dict[UUID, _Waiting] = {}
        self._asking: asyncio.Task[None] | None = None

    def add(self, message: UUID, log: Callable[[], object]) -> None:
        """Ask later whether the message was taken, and call `log` if so. Must be called on the
        event loop.
        """
        if len(self._waiting) < MOST:
            self._waiting[message] = _Waiting(log, time.monotonic() + KEEP)
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._ask())

    async def _ask(self) -> None:
        while self._waiting:
            await asyncio.sleep(AGAIN)
            try:
                taken = await self._database.fetch(TAKEN, {"ids": list(self._waiting)})
            except DatabaseUnavailable:
                continue
            with loglines.together():
                for message, _, _ in taken:
                    self._waiting.pop(message).log()
            for _, lanes, urgent in taken:
                self._wakeups.notify(lanes, urgent=urgent)
            now = time.monotonic()
            self._waiting = {
                message: each for message, each in self._waiting.items() if now < each.until
            }

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
