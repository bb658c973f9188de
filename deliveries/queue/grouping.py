"""Many small questions to PostgreSQL asked as one: those that wait while the last one is answered
go together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import islice
from typing import Generic, TypeVar

from deliveries.backends.database import DatabaseUnavailable

Request = TypeVar("Request")
Answer = TypeVar("Answer")


class Grouping(Generic[Request, Answer]):
    """Asks for at most `most` at one time. Who is in a hurry waits for no group but one of those in
    a hurry.

    The rest waits until `every` seconds have passed since the last group, unless so many wait that
    the group is full: one statement for ten lanes costs little more than one for a single lane.
    """

    def __init__(
        self,
        work: Callable[[list[Request], bool], Awaitable[list[Answer]]],
        *,
        most: int,
        every: float = 0.0,
    ) -> None:
        """Set up groups; `work` answers the requests of one in their order, and hears whether it is
        urgent. An urgent group may be under way beside another, never beside an urgent one.

        A group holds `most` requests; `every` is the least time between two groups, in seconds.
        """
        self._work = work
        self._most = most
        self._every = every
        self._calm: dict[asyncio.Future[Answer], Request] = {}
        self._urgent: dict[asyncio.Future[Answer], Request] = {}
        self._next = 0.0  # on the loop's clock: when the next group of those not in a hurry may go
        self._is_full = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._rushing: asyncio.Task[None] | None = None

    async def ask(self, request: Request, *, is_urgent: bool = False) -> Answer:
        """Return the answer to `request`, or raise what `work` raised for its group."""
        place: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        line = self._urgent if is_urgent else self._calm
        line[place] = request
        if is_urgent:
            if self._rushing is None or self._rushing.done():
                self._rushing = asyncio.get_running_loop().create_task(self._rush())
        else:
            if self._running is None or self._running.done():
                self._running = asyncio.get_running_loop().create_task(self._run())
            if len(self._calm) >= self._most:
                self._is_full.set()
        try:
            return await place
        finally:
            line.pop(place, None)

    async def _rush(self) -> None:
        while self._urgent:
            await asyncio.sleep(0)  # who was woken together with the first asks in this turn
            await self._answer(self._pick(self._urgent), is_urgent=True)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._calm:
            if (wait := self._next - loop.time()) > 0 and not self._is_full.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._is_full.wait()
            else:
                await asyncio.sleep(0)  # as in `_rush`
            self._is_full.clear()
            self._next = loop.time() + self._every
            await self._answer(self._pick(self._calm), is_urgent=False)
            if len(self._calm) >= self._most:
                self._is_full.set()

    def _pick(
        self, line: dict[asyncio.Future[Answer], Request]
    ) -> dict[asyncio.Future[Answer], Request]:
        places = list(islice(line, self._most))
        return {place: line.pop(place) for place in places}

    async def _answer(
        self, group: dict[asyncio.Future[Answer], Request], *, is_urgent: bool
    ) -> None:
        if not group:  # all have gone away
            return
        try:
            answers = await self._work(list(group.values()), is_urgent)
        except DatabaseUnavailable as error:  # each that asked hears of it
            for place in group:
                if not place.done():
                    place.set_exception(error)
        except Exception as error:  # one request's fault is not the others'
            if len(group) > 1:
                for place, request in group.items():
                    await self._answer({place: request}, is_urgent=is_urgent)
            else:
                [place] = group
                if not place.done():
                    place.set_exception(error)
        else:
            for place, answer in zip(group, answers, strict=True):
                if not place.done():
                    place.set_result(answer)
