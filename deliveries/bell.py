"""The wake-up after a commit: tells running drains which lanes have work, and calls for a drain where none runs.

The bell may be lost: PostgreSQL holds the truth, drains look there every second, and the scheduler calls for drains.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress

import redis.asyncio
from django.conf import settings
from redis.exceptions import RedisError

from deliveries.queues import enqueue_drain

CHANNEL = "ekiden:bell"
PATIENCE = 5.0  # seconds for an answer of Valkey

logger = logging.getLogger(__name__)


class Bell:
    """Rings for lanes; of many rings while one is under way, one more carries all their lanes."""

    def __init__(self, url: str | None = None) -> None:
        self._valkey = redis.asyncio.from_url(url or settings.REDIS_URL, socket_timeout=PATIENCE, socket_connect_timeout=2)
        self._lanes: set[int] = set()
        self._ringing: asyncio.Task[None] | None = None

    def ring(self, lanes: Iterable[int]) -> None:
        """Returns at once; must be called on the event loop."""
        self._lanes.update(lanes)
        if self._lanes and (self._ringing is None or self._ringing.done()):
            self._ringing = asyncio.get_running_loop().create_task(self._ring())

    async def _ring(self) -> None:
        while self._lanes:
            lanes, self._lanes = self._lanes, set()
            try:
                heard = await self._valkey.publish(CHANNEL, " ".join(map(str, lanes)))
                if not heard:
                    await asyncio.to_thread(enqueue_drain)
            except (RedisError, OSError) as error:
                logger.warning("the bell could not be rung; drains will look by themselves: %s", error)

    async def close(self) -> None:
        if self._ringing is not None:
            await self._ringing
        await self._valkey.aclose()

    async def heard(self) -> AsyncIterator[set[int]]:
        """The lanes of each ring, for ever; a broken connection is made again and may miss rings."""
        while True:
            with suppress(RedisError, OSError):
                async with self._valkey.pubsub() as channel:
                    await channel.subscribe(CHANNEL)
                    async for message in channel.listen():
                        if message["type"] == "message":
                            yield lanes_of(message["data"])
            await asyncio.sleep(1)


def lanes_of(ring: bytes) -> set[int]:
    """Whoever reaches Valkey can ring: what is no lane's number is passed over."""
    return {int(word) for word in ring.split() if word.isdigit() and len(word) < 19}
