"""How many questions a second checks may ask: one limit for all processes of the installation."""

from __future__ import annotations

import asyncio
import logging
import time

from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

KEY = "ekiden:questions"
# The generic cell rate algorithm by Valkey's own clock, in microseconds: the key holds when the
# next place is free. Who may wait less long than until then gets none. A time far ahead is of a
# clock that was set back.
PLACE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local free = tonumber(redis.call('GET', KEYS[1]) or '0')
if free < now or free > now + 60000000 then free = now end
if free - now > tonumber(ARGV[2]) then return {0, free - now} end
redis.call('SET', KEYS[1], string.format('%.0f', free + ARGV[1]), 'PX', 120000)
return {1, free - now}
"""
AHEAD = 0.1  # seconds: how far ahead checks of many domains take their places
URGENT = 30.0  # the same for what a person or a key waits for, which goes before them
PATIENCE = 1.0  # seconds for Valkey
LEFT_ALONE = 30.0  # seconds without Valkey after it did not answer


class QuestionRate:
    """Lets `EKIDEN_QUESTIONS` go out in a second, of this process its `share` at most; without
    Valkey as many of each process.

    Several runs of event loops, one after the other, may share it.
    """

    def __init__(self, share: float = 1.0, *, is_urgent: bool = False) -> None:
        self._gap = 1 / settings.EKIDEN_QUESTIONS
        self._own_gap = self._gap / share
        self._ahead = URGENT if is_urgent else AHEAD
        self._next = self._alone_until = 0.0
        self._valkey: Redis | None = None
        self._line: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None

    async def turn(self) -> None:
        """Wait for the next free place."""
        async with self._in_line():  # else all that wait would ask for a place again and again
            now = time.monotonic()
            mine = max(self._next, now)
            self._next = mine + self._own_gap
            await asyncio.sleep(mine - now)
            while (wait := self._place()) is not None:
                has_place, seconds = wait
                if has_place:
                    break
                await asyncio.sleep(seconds - self._ahead / 2)
        if wait is not None:
            await asyncio.sleep(seconds)

    def _in_line(self) -> asyncio.Lock:
        loop = asyncio.get_running_loop()
        if self._line is None or self._line[0] is not loop:
            self._line = (loop, asyncio.Lock())
        return self._line[1]

    def _place(self) -> tuple[bool, float] | None:
        """Return whether there is a place and in how many seconds it is free; None without Valkey,
        where the own pace has to do.
        """
        if time.monotonic() < self._alone_until:
            return None
        try:
            found = self._connection().eval(
                PLACE, 1, KEY, str(round(self._gap * 1e6)), str(round(self._ahead * 1e6))
            )
        except (RedisError, OSError) as error:
            self._alone_until = time.monotonic() + LEFT_ALONE
            logger.warning("event=questions-paced-alone text=%r", str(error))
            return None
        has_place, microseconds = found
        return bool(has_place), int(microseconds) / 1e6

    def _connection(self) -> Redis:
        if self._valkey is None:
            self._valkey = Redis.from_url(
                settings.REDIS_URL, socket_connect_timeout=PATIENCE, socket_timeout=PATIENCE
            )
        return self._valkey
