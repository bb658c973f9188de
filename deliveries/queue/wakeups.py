"""The wake-up after a commit: tells running drains which lanes have work, and calls for a drain
where none runs.

The wake-up may be lost: PostgreSQL holds the truth, drains look there every second, and the
scheduler calls for drains.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from dataclasses import dataclass

import redis.asyncio
from django.conf import settings
from redis.exceptions import RedisError

from deliveries.backends.job_queues import connect, enqueue_drain

CHANNEL = "ekiden:bell"  # of database 0; the others' have their number behind it
PATIENCE = 5.0  # seconds for an answer of Valkey
ORDERS = "orders"  # the word that calls drains to read what people have said

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WakeUp:
    """Lanes that have new work, those of them with urgent mail, and whether controls have
    changed.
    """

    lanes: frozenset[int] = frozenset()
    urgent: frozenset[int] = frozenset()
    has_orders: bool = False

    def __str__(self) -> str:
        words = [f"{lane}!" if lane in self.urgent else str(lane) for lane in self.lanes]
        return " ".join([*words, ORDERS] if self.has_orders else words)

    def __or__(self, other: WakeUp) -> WakeUp:
        return WakeUp(
            self.lanes | other.lanes,
            self.urgent | other.urgent,
            self.has_orders or other.has_orders,
        )

    def __bool__(self) -> bool:
        return bool(self.lanes) or self.has_orders


class WakeUps:
    """Sends wake-ups; those that gather while one is under way go as one, with all their lanes."""

    def __init__(self, url: str | None = None) -> None:
        self._valkey = redis.asyncio.from_url(
            url or settings.REDIS_URL, socket_timeout=PATIENCE, socket_connect_timeout=2
        )
        self._channel = channel_of(self._valkey)
        self._waiting = WakeUp()
        self._sending: asyncio.Task[None] | None = None

    def notify(self, lanes: Iterable[int], *, urgent: Iterable[int] = ()) -> None:
        """Wake those who wait for these lanes. Return at once; must be called on the event loop.

        `urgent` are those of the lanes that have urgent mail.
        """
        self._waiting |= WakeUp(frozenset(lanes), frozenset(urgent))
        if self._waiting and (self._sending is None or self._sending.done()):
            self._sending = asyncio.get_running_loop().create_task(self._notify())

    async def _notify(self) -> None:
        while self._waiting:
            ring, self._waiting = self._waiting, WakeUp()
            try:
                heard = await self._valkey.publish(self._channel, str(ring))
                if not heard:
                    await asyncio.to_thread(enqueue_drain)
            except (RedisError, OSError) as error:
                logger.warning(
                    "no wake-up could be sent; drains will look by themselves: %s", error
                )

    async def close(self) -> None:
        if self._sending is not None:
            await self._sending
        await self._valkey.aclose()

    async def heard(self) -> AsyncIterator[WakeUp]:
        """Yield each wake-up, for ever; a broken connection is opened again and may miss some."""
        while True:
            with suppress(RedisError, OSError):
                async with self._valkey.pubsub() as channel:
                    await channel.subscribe(self._channel)
                    async for message in channel.listen():
                        if message["type"] == "message":
                            yield wakeup_of(message["data"])
            await asyncio.sleep(1)


def channel_of(valkey: redis.Redis | redis.asyncio.Redis) -> str:
    """Return the channel of the client's database.

    Valkey itself divides keys by database, but not channels: two installations that share one
    server would hear each other.
    """
    database = int(valkey.connection_pool.connection_kwargs.get("db") or 0)
    return f"{CHANNEL}:{database}" if database else CHANNEL


def notify_now(lanes: Iterable[int] = (), *, has_orders: bool = False) -> None:
    """Send a wake-up from code without an event loop.

    Where nobody hears it, drains see the change within a second by themselves.
    """
    called = frozenset(lanes)
    ring = WakeUp(called, called, has_orders)
    try:
        with connect(patience=PATIENCE) as valkey:
            if not valkey.publish(channel_of(valkey), str(ring)):
                enqueue_drain()
    except (RedisError, OSError) as error:
        logger.warning("no wake-up could be sent; drains will look by themselves: %s", error)


def wakeup_of(data: bytes) -> WakeUp:
    """Parse a wake-up; whoever reaches Valkey can write, so what is no lane's number is skipped."""
    words = data.split()
    lanes = {
        word.rstrip(b"!"): word for word in words if word.rstrip(b"!").isdigit() and len(word) < 19
    }
    urgent = frozenset(int(lane) for lane, word in lanes.items() if word.endswith(b"!"))
    return WakeUp(frozenset(map(int, lanes)), urgent, ORDERS.encode() in words)
