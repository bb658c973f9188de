"""A lock whose waiters may be hurried: urgent mail goes before the rest also where work waits for
one connection.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Protocol


class Line(Protocol):
    """Where somebody waits, and may be put first."""

    def put_first(self, place: asyncio.Future[Any]) -> None: ...


class Ticket:
    """Of somebody who waits at a turnstile now and then.

    Hurried, it is served before those that are not; served, it is calm again.
    """

    def __init__(self, *, is_hurried: bool = False) -> None:
        self.is_hurried = is_hurried
        self._turnstile: Line | None = None
        self._place: asyncio.Future[Any] | None = None

    def hurry(self) -> None:
        """Put this ticket first in its line: now, or the next time that it waits."""
        if not self.is_hurried and self._turnstile is not None and self._place is not None:
            self._turnstile.put_first(self._place)
        self.is_hurried = True

    def waits(self, turnstile: Line, place: asyncio.Future[Any]) -> None:
        self._turnstile, self._place = turnstile, place

    def is_served(self) -> None:
        self.is_hurried, self._turnstile, self._place = False, None, None


class PriorityLock:
    """Lets one through at a time: those in a hurry, then who came first."""

    def __init__(self) -> None:
        self._is_taken = False
        self._calm: deque[asyncio.Future[None]] = deque()
        self._hurried: deque[asyncio.Future[None]] = deque()

    async def take(self, ticket: Ticket | None = None) -> None:
        ticket = ticket or Ticket()
        if self._is_taken:
            await self._wait(ticket)
        self._is_taken = True
        ticket.is_served()

    async def _wait(self, ticket: Ticket) -> None:
        place = asyncio.get_running_loop().create_future()
        ticket.waits(self, place)
        (self._hurried if ticket.is_hurried else self._calm).append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.give_back()
            raise

    def put_first(self, place: asyncio.Future[Any]) -> None:
        """Let this place go first; its former place in the line is skipped later."""
        self._hurried.append(place)

    def give_back(self) -> None:
        """Let the next one through."""
        for line in (self._hurried, self._calm):
            while line:
                place = line.popleft()
                if not place.done():
                    place.set_result(None)
                    return
        self._is_taken = False
