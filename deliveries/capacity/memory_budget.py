"""A share of memory for each large message, so that any number of them fits."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass


class ByteBudget:
    """So many bytes at one time; whoever asks for more than there is left waits, in order."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._used = 0
        self._freed = asyncio.Condition()

    def share(self, size: int) -> _Share:
        """Return an async context that holds `size` bytes, or all there are if that is less."""
        return _Share(self, min(size, self._size))

    async def take(self, size: int) -> None:
        async with self._freed:
            await self._freed.wait_for(lambda: self._used + size <= self._size)
            self._used += size

    async def give_back(self, size: int) -> None:
        async with self._freed:
            self._used -= size
            self._freed.notify_all()


@dataclass(frozen=True, slots=True)
class _Share:
    budget: ByteBudget
    size: int

    async def __aenter__(self) -> None:
        await self.budget.take(self.size)

    async def __aexit__(self, *_: object) -> None:
        await self.budget.give_back(self.size)
