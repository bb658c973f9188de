"""How many messages that are not urgent a worker has on the way at one time: as many as let its
event loop turn quickly.

Where receivers are what takes time, thousands are; where our own core is, more on the way make none
of them faster, and each step of an urgent mail waits for a step of all of them.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque

LEAST = 16
TURN = 0.008  # seconds of CPU that one turn of the loop may take
LOOK_EVERY = 0.05  # seconds
GROW, SHRINK = 1.3, 0.8
HOLD = 0.05  # seconds for which urgent mail that begins keeps other mail from beginning


class Concurrency:
    """Of one event loop.

    The limit follows what a turn of the loop costs in CPU time, which other programs do not change.
    """

    def __init__(self) -> None:
        self.busy = 0
        self.most = float(LEAST)
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_held = False
        self._next_hold = 0.0  # the loop's time from which on there may be another

    def place(self) -> Place:
        return Place(self)

    @property
    def has_room(self) -> bool:
        return self.busy < self.most and not self._is_held

    def hasten(self) -> None:
        """Leave the core to urgent mail that begins now: other mail begins after `HOLD`.

        Where little is under way there is no need. As much time lies between two such holds, so
        that other mail goes on however much is urgent.
        """
        loop = asyncio.get_running_loop()
        if self.busy < LEAST // 2 or loop.time() < self._next_hold:
            return
        self._is_held, self._next_hold = True, loop.time() + 2 * HOLD
        loop.call_later(HOLD, self._let_go)

    def _let_go(self) -> None:
        self._is_held = False
        self.call()

    async def room(self) -> None:
        """Wait for it, behind those that wait already; somebody else may take it first."""
        called = asyncio.get_running_loop().create_future()
        self._waiting.append(called)
        await called

    def call(self) -> None:
        """Let those that have waited longest look again, as many as there is room for."""
        room = int(self.most) - self.busy if self.has_room else 0
        while room > 0 and self._waiting:
            called = self._waiting.popleft()
            if not called.done():
                called.set_result(None)
                room -= 1

    async def run(self) -> None:
        """Follow what a turn costs."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            begin = time.thread_time()
            await asyncio.sleep(0)
            self.heed(time.thread_time() - begin)

    def heed(self, seconds: float) -> None:
        """Carry fewer at once after a turn of the loop that took much CPU time, or more where all
        are busy.
        """
        if seconds > TURN:
            self.most = max(min(self.most, float(self.busy)) * SHRINK, float(LEAST))
        elif self.busy >= int(self.most):
            self.most *= GROW
        self.call()


class Place:
    """One sender's: held while it carries a message that is not urgent."""

    def __init__(self, carrying: Concurrency) -> None:
        self._carrying = carrying
        self._is_held = False

    def take(self) -> bool:
        """Tell whether there was room."""
        if not self._is_held and self._carrying.has_room:
            self._carrying.busy += 1
            self._is_held = True
        return self._is_held

    async def wait(self) -> None:
        """Hold it, as soon as there is room."""
        while not self.take():
            await self._carrying.room()

    def leave(self) -> None:
        """Give the place back; a second time does nothing."""
        if self._is_held:
            self._is_held = False
            self._carrying.busy -= 1
            self._carrying.call()
