"""A long job works in turns: after each, other jobs get theirs, and it goes on behind them.

What such a job returns are the arguments of its next turn; with None it has ended
(`deliveries.jobs.worker`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

from domains.foundation import sql

SECONDS = 15.0  # of a turn, within which new items are begun
NextTurn = tuple[int, ...] | None

_Item = TypeVar("_Item")


class Turn(Generic[_Item]):
    """Yields items, one at least, until it is over; then `has_more` says if some are left."""

    def __init__(self, items: Sequence[_Item]) -> None:
        self._items = items
        self._ends = time.monotonic() + SECONDS
        self.taken = 0

    def __iter__(self) -> Iterator[_Item]:
        while self.has_more and (not self.taken or time.monotonic() < self._ends):
            self.taken += 1
            yield self._items[self.taken - 1]

    @property
    def has_more(self) -> bool:
        return self.taken < len(self._items)


@contextmanager
def alone(number: int) -> Iterator[bool]:
    """Yield whether no other process is at what has this number.

    It is a lock of this connection to PostgreSQL, which ends with it.
    """
    is_alone = sql.value("SELECT pg_try_advisory_lock(%s)", [number])
    try:
        yield is_alone
    finally:
        if is_alone:
            sql.run("SELECT pg_advisory_unlock(%s)", [number])
