"""In-flow control: workers say how far delivery is behind, listeners let all but urgent mail wait
by it, people see both.

It goes by way of Valkey. Where that is away, or no worker is there to say anything, mail is
accepted as fast as it comes: PostgreSQL keeps it. What a receiver holds back is no reason to slow
an app down: only what waits for our own machine counts.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from statistics import fmean, median
from typing import Any

import redis.asyncio
from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError

from deliveries.backends import job_queues
from deliveries.capacity.strain import Strain

# the names of those that have spoken; what each said stands in a key of its own
SPEAKERS = "ekiden:inflow"
# what the last worker said that could ask no name server
DNS_OUTAGE = "ekiden:dns-outage"
KEEP_OUTAGE = 10  # seconds
KEEP = 3000  # milliseconds for which a word counts
EVERY = 0.2  # seconds between two words
PATIENCE = 1.0  # seconds for an answer of Valkey
# What is taken up later than this after it was due is late; a page of claims alone makes some
# tenths of a second.
LATE = 0.15
# Urgent mail is taken up before all else. What it waits for is the machine, so much less is late.
URGENT_LATE = 0.015
URGENT_TARGET = 0.03  # seconds behind at which as much other mail is let in as is sent
URGENT_MEMORY = 2.0  # seconds for which an urgent delivery's wait counts
# From this part of the time on in which the process runs, or is ready and waits for a core, the
# machine is what holds mail up.
PRESSED = 0.6
# Where a worker runs for less of the time than this, less mail would make urgent mail no faster:
# other programs have the cores.
LEAST_RUN = 0.1
HELD = 0.8  # of the target is told at most then, so that what is let in hardly grows
SMOOTH = 0.3  # of each new look in the rate


@dataclass(frozen=True, slots=True)
class InflowReport:
    """What one process says, or all together: how far behind delivery is (seconds), what is sent
    (a second), what is let in.

    `limit` is messages a second, None where all are let in; `waiting` are those that wait for their
    turn, `weight` the sessions that hand mail in; `is_full` tells that apps are asked to come
    again; `urgent_seconds_behind` is how far behind urgent mail is, which is let in whatever
    happens.
    """

    seconds_behind: float = 0.0
    per_second: float = 0.0
    limit: float | None = None
    waiting: int = 0
    weight: int = 0
    is_full: bool = False
    urgent_seconds_behind: float = 0.0

    @property
    def state(self) -> str:
        """`free`, `slowed` or `full`."""
        if self.limit is None:
            return "free"
        return "full" if self.is_full else "slowed"

    @property
    def urgent_late(self) -> int:
        """Milliseconds that urgent mail is late, where nothing else is; else 0."""
        return 0 if self.seconds_behind >= LATE else round(self.urgent_seconds_behind * 1000)


NOTHING = InflowReport()


def together(words: list[InflowReport]) -> InflowReport:
    """Put the words of all workers together.

    The worst of the workers tells how far behind; rates, limits and those that wait are sums.
    """
    limits = [word.limit for word in words if word.limit is not None]
    return InflowReport(
        seconds_behind=max((word.seconds_behind for word in words), default=0.0),
        per_second=sum(word.per_second for word in words),
        limit=sum(limits) if limits else None,
        waiting=sum(word.waiting for word in words),
        weight=sum(word.weight for word in words),
        is_full=any(word.is_full for word in words),
        urgent_seconds_behind=max((word.urgent_seconds_behind for word in words), default=0.0),
    )


def find(valkey: Redis | None = None) -> InflowReport:
    """Return what all have said lately, for people; nothing where Valkey is out of reach."""
    try:
        with valkey or job_queues.connect(patience=2) as asked:
            names: Any = asked.smembers(SPEAKERS)
            said: Any = asked.mget([_key(name.decode()) for name in names]) if names else []
    except (RedisError, OSError):
        return NOTHING
    return together(_words(said))


def dns_outage() -> str:
    """Return what workers say whose name servers are all silent, for people.

    Return "" where none says so, or Valkey is out of reach.
    """
    try:
        with job_queues.connect(patience=2) as asked:
            said: Any = asked.get(DNS_OUTAGE)
    except (RedisError, OSError):
        return ""
    return said.decode("utf-8", "replace") if said else ""


class Board:
    """Where a process says its word and reads the others'.

    Without Valkey nobody has said anything.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._valkey = redis.asyncio.from_url(
            settings.REDIS_URL, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE
        )
        self._has_spoken = False

    async def say(self, word: InflowReport) -> None:
        """Say a word that counts for `KEEP`.

        A word that says nothing takes back the last one, and is said once.
        """
        if word == NOTHING and not self._has_spoken:
            return
        with suppress(RedisError, OSError):
            async with self._valkey.pipeline(transaction=False) as pipe:
                if word == NOTHING:
                    pipe.delete(_key(self._name))
                    pipe.srem(SPEAKERS, self._name)
                else:
                    pipe.set(_key(self._name), json.dumps(asdict(word)), px=KEEP)
                    pipe.sadd(SPEAKERS, self._name)
                    pipe.pexpire(SPEAKERS, 2 * KEEP)
                await pipe.execute()
            self._has_spoken = word != NOTHING

    async def read(self) -> InflowReport:
        """Return what all have said; those that say nothing any more are forgotten."""
        valkey: Any = self._valkey  # its methods' types are those of both kinds of client
        try:
            names = [name.decode() for name in await valkey.smembers(SPEAKERS)]
            said = await valkey.mget([_key(name) for name in names]) if names else []
            if silent := [name for name, text in zip(names, said, strict=True) if text is None]:
                await valkey.srem(SPEAKERS, *silent)
        except (RedisError, OSError):
            return NOTHING
        return together(_words(said))

    async def say_dns_outage(self, complaint: str) -> None:
        """Publish a DNS outage for `KEEP_OUTAGE` seconds; call again as long as it lasts."""
        with suppress(RedisError, OSError):
            await self._valkey.set(DNS_OUTAGE, complaint, ex=KEEP_OUTAGE)

    async def close(self) -> None:
        with suppress(RedisError, OSError):
            await self._valkey.delete(_key(self._name))
        await self._valkey.aclose()


def _key(name: str) -> str:
    return f"{SPEAKERS}:{name}"


def _words(texts: list[bytes | None]) -> list[InflowReport]:
    """Parse the workers' reports; anything else is skipped, since whoever reaches Valkey can
    write.
    """
    found = []
    for text in texts:
        with suppress(ValueError, TypeError, KeyError):
            found.append(_word(json.loads(text or b"")))
    return found


def _word(written: dict[str, Any]) -> InflowReport:
    limit = written["limit"]
    return InflowReport(
        seconds_behind=float(written["seconds_behind"]),
        per_second=float(written["per_second"]),
        limit=None if limit is None else float(limit),
        waiting=int(written["waiting"]),
        weight=int(written["weight"]),
        is_full=bool(written["is_full"]),
        urgent_seconds_behind=float(written.get("urgent_seconds_behind", 0.0)),
    )


class DeliveryProgress:
    """How a worker's agents get on with the mail that is due."""

    def __init__(
        self, board: Board, *, has_room: Callable[[], bool], strain: Strain | None = None
    ) -> None:
        """Measure for this board; `has_room` tells whether outcomes reach PostgreSQL as fast as
        they are made.
        """
        self._board = board
        self._has_room = has_room
        self._strain = strain or Strain()
        self._ages: list[float] = []
        self._urgent: deque[tuple[float, float]] = deque()  # when taken up, how long it was due
        self._rate = self._behind = self._ran = 0.0

    def taken(self, seconds_due: float, *, is_urgent: bool = False) -> None:
        """Note that a sender takes up a delivery that has been due for so many seconds."""
        if is_urgent:
            self._urgent.append((time.monotonic(), seconds_due))
        else:
            self._ages.append(seconds_due)

    async def run(self) -> None:
        """Publish a report every `EVERY` seconds until cancelled.

        A cancellation may end in an error of Valkey's client that the board suppresses, so the loop
        asks its task.
        """
        task = asyncio.current_task()
        while task is None or not task.cancelling():
            looked = time.monotonic()
            await asyncio.sleep(EVERY)
            await self._board.say(self.word(time.monotonic() - looked))

    def word(self, seconds: float) -> InflowReport:
        """Make the report of the last `seconds`.

        The median age counts: a slow receiver delays its own mail, not most of it. Of urgent mail
        the mean of the last seconds counts: there is little of it.
        """
        ages, self._ages = self._ages, []
        self._rate += SMOOTH * (len(ages) / seconds - self._rate)
        strain, ran = self._strain.look()
        self._ran += SMOOTH * (ran - self._ran)
        urgent = self._urgent_behind()
        is_pressed = strain >= PRESSED or not self._has_room()
        if ages:
            self._behind = median(ages)
        elif not is_pressed:
            self._behind = 0.0
        if not is_pressed or (self._behind < LATE and urgent < URGENT_LATE):
            # Where another worker is behind, what this one sends counts as well.
            return InflowReport(per_second=round(self._rate, 1)) if self._rate >= 1.0 else NOTHING
        return InflowReport(
            seconds_behind=round(self._behind, 3),
            per_second=round(self._rate, 1),
            urgent_seconds_behind=round(urgent, 3),
        )

    def _urgent_behind(self) -> float:
        while self._urgent and self._urgent[0][0] < time.monotonic() - URGENT_MEMORY:
            self._urgent.popleft()
        behind = fmean(age for _, age in self._urgent) if self._urgent else 0.0
        return behind if self._ran >= LEAST_RUN else min(behind, HELD * URGENT_TARGET)
