"""How many connections one worker has at once: some for urgent mail only, and more beside them
that only wait for a silent host.
"""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType

SHARE_OF_URGENT = 10  # every tenth is kept for urgent mail
SHARE_OF_SILENT = 2  # so many times as many may wait for a greeting


class Sockets:
    """`most` connections carry mail.

    One whose host keeps us waiting steps aside, so that tar-pits cost sockets and no speed.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.used = 0
        self.silent = 0
        self._reserve = most // SHARE_OF_URGENT
        self._waiting: tuple[deque[asyncio.Future[None]], deque[asyncio.Future[None]]] = (
            deque(),
            deque(),
        )

    def slot(self, *, is_urgent: bool) -> Slot:
        """Return an async context for one connection."""
        return Slot(self, is_urgent=is_urgent)

    def has_room(self, *, is_urgent: bool) -> bool:
        return self.used < self.most - (0 if is_urgent else self._reserve)

    @property
    def is_crowded(self) -> bool:
        """Tell if so many hosts keep us waiting that none may do so for as long as is polite."""
        return self.silent >= self.most * SHARE_OF_SILENT // 2

    async def take(self, *, is_urgent: bool) -> None:
        if self.has_room(is_urgent=is_urgent) and not self._waiting[is_urgent]:
            self.used += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting[is_urgent].append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back()
            raise

    def give_back(self) -> None:
        self.used -= 1
        self._call_next()

    def _call_next(self) -> None:
        for is_urgent in (True, False):
            line = self._waiting[is_urgent]
            while line and self.has_room(is_urgent=is_urgent):
                turn = line.popleft()
                if not turn.done():
                    self.used += 1
                    turn.set_result(None)


class Slot:
    """One connection's place."""

    def __init__(self, sockets: Sockets, *, is_urgent: bool) -> None:
        self._sockets = sockets
        self._is_urgent = is_urgent
        self._is_aside = False

    async def __aenter__(self) -> Slot:
        await self._sockets.take(is_urgent=self._is_urgent)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._is_aside:
            self._sockets.silent -= 1
        else:
            self._sockets.give_back()

    def step_aside(self) -> None:
        """Let others go on while the host keeps silent, as long as there are sockets for it."""
        if not self._is_aside and self._sockets.silent < self._sockets.most * SHARE_OF_SILENT:
            self._is_aside = True
            self._sockets.silent += 1
            self._sockets.give_back()

    async def step_in(self) -> None:
        """Wait for a socket again, since the host has spoken."""
        if self._is_aside:
            await self._sockets.take(is_urgent=self._is_urgent)
            self._is_aside = False
            self._sockets.silent -= 1
