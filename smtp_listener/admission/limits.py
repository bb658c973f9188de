"""Counters that all listeners share through Valkey; without it each process counts for itself."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address, ip_network

import redis.asyncio
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

Address = IPv4Address | IPv6Address

WINDOW = 900  # seconds for which a wrong try counts
# wrong tries of one user name from one place within the window; each further one ends its session
PER_PAIR = 10
LONGEST_DELAY = 8.0  # seconds that the answer to a wrong try waits
MOST_PAIRS = 20_000  # (place, name) that are remembered: both come from strangers
MOST_KEYS = 100_000
MOST_LEFT = 10_000
# Seconds after its last command for which a session counts, should its listener have died.
SESSION_KEEP = 330
RETRY_VALKEY = 5.0
TALLY_KEEP = 7_776_000  # 90 days
FORGED_RETURN_PATHS = "ekiden:count:forged-return-paths"


class Counters:
    """Numbers that grow within a window and then are forgotten."""

    def __init__(self, url: str) -> None:
        self._valkey = redis.asyncio.from_url(url, socket_timeout=1, socket_connect_timeout=1)
        self._local: dict[str, tuple[float, int]] = {}
        self._present: dict[str, set[str]] = {}
        # (key, member) of those who left while Valkey was out of reach: they would count there for
        # minutes.
        self._left: deque[tuple[str, str]] = deque(maxlen=MOST_LEFT)
        # Counts that lack there what was added meanwhile; the oldest first.
        self._wrong: dict[str, None] = {}
        self._down_until = 0.0

    async def add(
        self, key: str, seconds: int, amount: int = 1, *, begins_anew: bool = False
    ) -> int:
        """Add to a number, and return it; the window of so many seconds begins with the first.

        A count that `begins_anew` with what PostgreSQL knows is dropped where Valkey has missed
        something of it, as soon as Valkey answers again.
        """
        local = self._add_locally(key, seconds, amount)
        shared = await self._shared(lambda: self._add_shared(key, seconds, amount))
        if shared is None and begins_anew:
            self._drop_later([key])
        return local if shared is None else shared

    async def get(self, *keys: str) -> list[int]:
        local = [self._get_locally(key) for key in keys]
        shared = await self._shared(lambda: self._valkey.mget(keys))
        return local if shared is None else [int(number or 0) for number in shared]

    async def forget(self, key: str) -> None:
        """Drop the count, as if nothing had been counted."""
        self._local.pop(key, None)
        if await self._shared(lambda: self._valkey.delete(key)) is None:
            self._drop_later([key])

    async def enter(self, key: str, member: str) -> int:
        """Count `member` among those present, anew for `SESSION_KEEP` seconds; how many are
        there.
        """
        now = time.time()
        here = self._present.setdefault(key, set())
        here.add(member)

        async def work() -> int:
            async with self._valkey.pipeline() as pipe:
                pipe.zremrangebyscore(key, 0, now - SESSION_KEEP)
                pipe.zadd(key, {member: now})
                pipe.zcard(key)
                pipe.expire(key, SESSION_KEEP)
                return int((await pipe.execute())[2])

        return await self._shared(work) or len(here)

    async def leave(self, key: str, member: str) -> None:
        here = self._present.get(key, set())
        here.discard(member)
        if not here:
            self._present.pop(key, None)
        if await self._shared(lambda: self._valkey.zrem(key, member)) is None:
            self._left.append((key, member))

    async def note(self, key: str, field: str, value: str, seconds: int) -> None:
        """Write one field of a hash that is kept for so many seconds after the last word."""

        async def work() -> None:
            async with self._valkey.pipeline() as pipe:
                pipe.hset(key, field, value)
                pipe.expire(key, seconds)
                await pipe.execute()

        await self._shared(work)

    async def close(self) -> None:
        await self._valkey.aclose()

    async def _add_shared(self, key: str, seconds: int, amount: int) -> int:
        async with self._valkey.pipeline() as pipe:
            pipe.incrby(key, amount)
            pipe.expire(key, seconds, nx=True)
            return int((await pipe.execute())[0])

    # what `work` returns, or None
    async def _shared(self, work: Callable[[], Awaitable[object]]):  # type: ignore[no-untyped-def]
        """Run `work`; return None while Valkey is out of reach.

        Valkey is then asked again only after some seconds, so that no log-in waits for it.
        """
        if time.monotonic() < self._down_until:
            return None
        try:
            if self._left or self._wrong:
                await self._catch_up()
            return await work()
        except (RedisError, OSError) as error:
            self._down_until = time.monotonic() + RETRY_VALKEY
            logger.warning(
                "limits are counted by each process alone while Valkey is out of reach: %s", error
            )
            return None

    async def _catch_up(self) -> None:
        """Tell Valkey what it has missed: who left, and which counts are wrong."""
        left, self._left = self._left, deque(maxlen=MOST_LEFT)
        wrong, self._wrong = self._wrong, {}
        try:
            async with self._valkey.pipeline(transaction=False) as pipe:
                for key, member in left:
                    if member not in self._present.get(key, ()):  # it has come again
                        pipe.zrem(key, member)
                for key in wrong:
                    pipe.delete(key)
                await pipe.execute()
        except BaseException:
            self._left.extend(left)
            self._drop_later(wrong)
            raise

    def _drop_later(self, keys: Iterable[str]) -> None:
        self._wrong |= dict.fromkeys(keys)
        while len(self._wrong) > MOST_LEFT:
            del self._wrong[next(iter(self._wrong))]

    def _add_locally(self, key: str, seconds: int, amount: int) -> int:
        count = self._get_locally(key)
        until = self._local[key][0] if count else time.monotonic() + seconds
        if len(self._local) >= MOST_KEYS and key not in self._local:  # keys come from strangers
            del self._local[next(iter(self._local))]
        self._local[key] = (until, count + amount)
        return count + amount

    def _get_locally(self, key: str) -> int:
        until, count = self._local.get(key, (0.0, 0))
        return count if until > time.monotonic() else 0


class LoginThrottle:
    """Wrong tries at AUTH, of one user name from one place: each answer waits longer, and after
    some the session ends.

    No count refuses a right secret, and none is of a name or of all together: strangers would fill
    it, and apps would pay. It is a process's own, so that what strangers invent reaches neither
    Valkey nor PostgreSQL; secrets hold 190 random bits.
    """

    def __init__(
        self, *, first_delay: float = 0.5, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._first_delay = first_delay
        self._clock = clock
        # Until when, how many; the oldest first.
        self._tries: dict[tuple[str, str], tuple[float, int]] = {}

    def failed(self, address: Address, username: str) -> tuple[float, bool]:
        """Count a wrong try; how many seconds its answer waits, and whether the session ends with
        it.
        """
        pair = place(address), username
        until, count = self._tries.pop(pair, (0.0, 0))
        if until <= self._clock():
            until, count = self._clock() + WINDOW, 0
        if len(self._tries) >= MOST_PAIRS:
            del self._tries[next(iter(self._tries))]
        self._tries[pair] = until, count + 1
        return min(self._first_delay * 2.0 ** min(count, 10), LONGEST_DELAY), count >= PER_PAIR


class Quotas:
    """Messages per minute and day, and sessions, of one credential."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters

    async def taken(self, credential: int) -> list[int]:
        """Return how many messages were counted in this minute and on this day."""
        return await self._counters.get(minute_key(credential), day_key(credential))

    async def take_minute(self, credential: int) -> int:
        return await self._counters.add(minute_key(credential), 120)

    async def take_day(self, credential: int, count_today: Callable[[], Awaitable[int]]) -> int:
        """Count one message and return today's; a fresh counter begins with what PostgreSQL knows,
        since Valkey may be wiped.

        Where PostgreSQL cannot be asked, nothing is counted, and the next message finds the counter
        as fresh as this one did.
        """
        count = await self._add_to_day(credential, 1)
        if count > 1:
            return count
        try:
            known = await count_today()
        except BaseException:
            await self._counters.forget(day_key(credential))
            raise
        return await self._add_to_day(credential, known)

    async def give_back_minute(self, credential: int) -> None:
        """Give back a message that was counted and not taken.

        Where the minute has ended meanwhile, the next one has room for one more.
        """
        await self._counters.add(minute_key(credential), 120, -1)

    async def give_back_day(self, credential: int) -> None:
        await self._add_to_day(credential, -1)

    async def _add_to_day(self, credential: int, amount: int) -> int:
        return await self._counters.add(day_key(credential), 90_000, amount, begins_anew=True)

    async def enter(self, credential: int, session: str) -> int:
        return await self._counters.enter(sessions_key(credential), session)

    async def leave(self, credential: int, session: str) -> None:
        await self._counters.leave(sessions_key(credential), session)


def minute_key(credential: int) -> str:
    return f"ekiden:minute:{credential}:{int(time.time() // 60)}"


def day_key(credential: int) -> str:
    return f"ekiden:day:{credential}:{datetime.now(UTC):%Y%m%d}"


def sessions_key(credential: int) -> str:
    return f"ekiden:sessions:{credential}"


def place(address: Address) -> str:
    """Return a client's place for limits: the address; for IPv6 its /64, all of which one client
    has.
    """
    return str(address) if address.version == 4 else str(ip_network((address, 64), strict=False))


class EventCounter:
    """How often something has happened of late, for the metrics."""

    def __init__(self, counters: Counters, key: str) -> None:
        self._counters = counters
        self._key = key

    async def count(self) -> None:
        await self._counters.add(self._key, TALLY_KEEP)
