"""In-flow control at the listener: while delivery is behind, all but urgent mail waits for its
turn before it is taken.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque

from deliveries.capacity.inflow import EVERY, NOTHING, URGENT_TARGET, Board, InflowReport
from deliveries.message.priorities import Priority

TARGET = 0.3  # seconds behind at which as much is let in as is sent
MOST, LEAST = 1.25, 0.5  # how much of what is sent is let in, at most and at least
FLOOR = 20.0  # messages a second that are let in, however far behind delivery is
# Seconds that an app waits for its answer; who would wait longer is asked to come again.
LONGEST = 20.0
TICK = 0.005  # seconds between two looks at whose turn it is
BULK_EVERY = 4  # of so many turns one is for bulk mail first
IDLE = 2.0  # seconds without a message after which nobody looks at the board


class ListenerTurns:
    """Of one listener process.

    Credentials take turns; of one credential's messages the first come first.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._lines: dict[Priority, dict[int, deque[asyncio.Future[None]]]] = {
            Priority.NORMAL: {},
            Priority.BULK: {},
        }
        self._limit: float | None = None
        self._next = 0.0  # when the next turn may be
        self._turn = 0
        self._waiting = 0
        self._weight = 0
        self._sessions: set[str] = set()  # that have handed in mail since the last look
        self._asked = 0.0
        self._is_open = False
        self._tasks: list[asyncio.Task[None]] = []
        self._has_waiting = asyncio.Event()

    @property
    def is_full(self) -> bool:
        """Tell whether one more would wait for too long."""
        return self._limit is not None and self._waiting >= self._limit * LONGEST

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._follow()), loop.create_task(self._serve())]

    async def wait(self, priority: Priority, credential: int, session: str) -> None:
        """Wait until the message may be taken."""
        if priority >= Priority.URGENT or self._is_open:
            return
        self._asked = time.monotonic()
        self._sessions.add(session)
        if self._limit is None and not self._waiting:
            return
        turn = asyncio.get_running_loop().create_future()
        self._lines[priority].setdefault(credential, deque()).append(turn)
        self._waiting += 1
        self._has_waiting.set()
        try:
            await turn
        finally:
            self._waiting -= 1

    def open(self) -> None:
        """Let everybody in: the process is ending."""
        self._is_open = True
        self._limit = None
        self._let_in(time.monotonic())

    async def close(self) -> None:
        self.open()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._board.close()

    # --- what is let in ---
    async def _follow(self) -> None:
        # A cancellation may end in an error of Valkey's client, which the board passes over.
        while not self._is_open:
            await asyncio.sleep(EVERY)
            if time.monotonic() - self._asked > IDLE and not self._waiting:
                self._limit = None
                await self._board.say(NOTHING)
                continue
            self._heed(await self._board.read())
            await self._board.say(self._word())

    def _heed(self, said: InflowReport) -> None:
        """Set this listener's part of what may be let in, by its share of the sessions that hand in
        mail.
        """
        own, self._weight = len(self._sessions), len(self._sessions)
        self._sessions.clear()
        behind = max(said.seconds_behind / TARGET, said.urgent_seconds_behind / URGENT_TARGET)
        if not behind or self._is_open:
            self._limit = None
            return
        share = min(own / said.weight, 1.0) if said.weight else 1.0
        allowed = max(said.per_second * let_in(behind), FLOOR)
        self._limit = max(allowed * share, 1.0)

    def _word(self) -> InflowReport:
        limit = None if self._limit is None else round(self._limit, 1)
        return InflowReport(
            limit=limit, waiting=self._waiting, weight=self._weight, is_full=self.is_full
        )

    async def _serve(self) -> None:
        while True:
            await self._has_waiting.wait()
            self._let_in(time.monotonic())
            if not self._waiting:
                self._has_waiting.clear()
            await asyncio.sleep(TICK)

    def _let_in(self, now: float) -> None:
        self._next = max(self._next, now - 2 * TICK)
        while (self._limit is None or self._next <= now) and (turn := self._first()):
            turn.set_result(None)
            if self._limit is not None:
                self._next += 1 / self._limit

    def _first(self) -> asyncio.Future[None] | None:
        """Take the next waiter out of the lines; None where nobody waits."""
        self._turn += 1
        first, then = Priority.NORMAL, Priority.BULK
        if not self._turn % BULK_EVERY:
            first, then = then, first
        while lines := self._lines[first] or self._lines[then]:
            credential, line = next(iter(lines.items()))
            turn = line.popleft()
            del lines[credential]
            if line:
                lines[credential] = line  # behind the others
            if not turn.done():
                return turn
        return None


def let_in(behind: float) -> float:
    """Return which part of what is sent may be taken, for how far delivery is behind in parts of
    the target: more than 1 while that is little, less where it falls back.
    """
    return min(max(MOST - (MOST - 1) * behind, LEAST), MOST)
