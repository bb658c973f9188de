"""Many small questions to PostgreSQL asked as one: those that wait while the last one is answered
go together.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from deliveries.backends.database import DatabaseUnavailable
from deliveries.backends.priority_lock import Ticket

Request = TypeVar("Request")
Answer = TypeVar("Answer")
Place = asyncio.Future[None]


class Grouping(Generic[Request, Answer]):
    """Asks for at most `most` at one time. Who is in a hurry goes before the rest, and at once.

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
        urgent.

        A group holds `most` requests; `every` is the least time between two groups, in seconds.
        """
        self._work = work
        self._most = most
        self._every = every
        self._asked: dict[asyncio.Future[Answer], Request] = {}
        self._calm: deque[asyncio.Future[Answer]] = deque()
        self._hurried: deque[asyncio.Future[Answer]] = deque()
        self._next = 0.0  # on the loop's clock: when the next group of those not in a hurry may go
        self._is_due = asyncio.Event()  # somebody is in a hurry, or the group is full
        self._running: asyncio.Task[None] | None = None

    async def ask(self, request: Request, ticket: Ticket | None = None) -> Answer:
        """Return the answer to `request`, or raise what `work` raised for its group."""
        ticket = ticket or Ticket()
        place: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asked[place] = request
        self._calm.append(place)
        ticket.waits(self, place)
        if ticket.is_hurried:
            self.put_first(place)
        if len(self._asked) >= self._most:
            self._is_due.set()
        if self._running is None or self._running.done():
            self._running = asyncio.get_running_loop().create_task(self._run())
        try:
            return await place
        finally:
            self._asked.pop(place, None)
            ticket.is_served()

    def put_first(self, place: asyncio.Future[Answer]) -> None:
        """Let this place go first; its former place in the line is skipped later."""
        if place in self._asked:
            self._hurried.append(place)
            self._is_due.set()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._asked:
            if (wait := self._next - loop.time()) > 0 and not self._is_due.is_set():
                try:
                    async with asyncio.timeout(wait):
                        await self._is_due.wait()
                except TimeoutError:
                    pass
            else:
                # Who was woken together with the first asks in this turn of the loop.
                await asyncio.sleep(0)
            self._is_due.clear()
            is_urgent = bool(self._hurried)
            group = self._pick(self._hurried if is_urgent else self._calm)
            if not is_urgent:
                self._next = loop.time() + self._every
            if group:
                await self._answer(group, is_urgent)
            if self._hurried or len(self._asked) >= self._most:
                self._is_due.set()

    def _pick(self, line: deque[asyncio.Future[Answer]]) -> dict[asyncio.Future[Answer], Request]:
        group: dict[asyncio.Future[Answer], Request] = {}
        while line and len(group) < self._most:
            place = line.popleft()
            if place in self._asked and not place.done():
                group[place] = self._asked.pop(place)
        return group

    async def _answer(self, group: dict[asyncio.Future[Answer], Request], is_urgent: bool) -> None:
        try:
            answers = await self._work(list(group.values()), is_urgent)
        except DatabaseUnavailable as error:  # each that asked hears of it
            for place in group:
                if not place.done():
                    place.set_exception(error)
        except Exception as error:  # one request's fault is not the others'
            if len(group) > 1:
                for place, request in group.items():
                    await self._answer({place: request}, is_urgent)
            else:
                [place] = group
                if not place.done():
                    place.set_exception(error)
        else:
            for place, answer in zip(group, answers, strict=True):
                if not place.done():
                    place.set_result(answer)
