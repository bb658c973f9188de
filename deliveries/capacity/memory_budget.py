"""A share of memory for each large message, so that any number of them fits."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass


class ByteBudget:
    """So many bytes at one time; whoever asks for more than there is left waits, in order: a large
    message is not passed by smaller ones that come after it.
    """

    def __init__(self, size: int) -> None:
        self._size = self._left = size
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def share(self, size: int) -> _Share:
        """Return an async context that holds `size` bytes, or all there are if that is less."""
        return _Share(self, min(size, self._size))

    async def take(self, size: int) -> None:
        if not size or (size <= self._left and not self._waiting):
            self._left -= size
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            # Its turn may have come at the same moment.
            self.give_back(0 if turn.cancelled() else size)
            raise

    def give_back(self, size: int) -> None:
        self._left += size
        self._serve()

    def _serve(self) -> None:
        while self._waiting:
            size, turn = self._waiting[0]
            if size > self._left and not turn.cancelled():
                return
            self._waiting.popleft()
            if not turn.cancelled():
                self._left -= size
                turn.set_result(None)


@dataclass(frozen=True, slots=True)
class _Share:
    budget: ByteBudget
    size: int

    async def __aenter__(self) -> None:
        await self.budget.take(self.size)

    async def __aexit__(self, *_: object) -> None:
        self.budget.give_back(self.size)
