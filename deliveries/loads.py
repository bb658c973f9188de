"""What a courier has claimed and not sent yet, in the order in which it should leave."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from deliveries.lanes import Claimed
from deliveries.verdict import URGENT
from domains.models import Credential


@dataclass(slots=True, eq=False)
class Load:
    """A claimed delivery with its content, where that is small enough to wait in memory."""

    claimed: Claimed
    data: bytes | None
    until: float  # its deadline, on the monotonic clock
    due: float = 0.0  # since when it has been due, on the same clock
    tries: int = 0
    is_reencoded: bool = False  # no host takes its 8-bit content: it goes in ASCII, as far as it may be touched

    @property
    def is_late(self) -> bool:
        return time.monotonic() >= self.until

    @property
    def is_urgent(self) -> bool:
        return self.claimed.priority >= URGENT


class Loads:
    """A line for each priority; within one, first in, first out."""

    def __init__(self) -> None:
        self._lines: dict[int, deque[Load]] = {int(level): deque() for level in sorted(Credential.Priority.values, reverse=True)}

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def __iter__(self) -> Iterator[Load]:
        for line in self._lines.values():
            yield from line

    @property
    def urgent(self) -> int:
        return len(self._lines[URGENT])

    def add(self, load: Load) -> None:
        self._lines[load.claimed.priority].append(load)

    def put_back(self, load: Load) -> None:
        """It was taken and not tried: it goes first among its like."""
        self._lines[load.claimed.priority].appendleft(load)

    def first(self) -> Load | None:
        return next(iter(self), None)

    def pop(self) -> Load:
        """The first; raises `IndexError` where there is none."""
        for line in self._lines.values():
            if line:
                return line.popleft()
        raise IndexError

    def remove(self, is_wanted: Callable[[Load], bool]) -> list[Load]:
        """All for which `is_wanted` holds, taken out."""
        found = [load for load in self if is_wanted(load)]
        if found:
            gone = set(map(id, found))
            for level, line in self._lines.items():
                self._lines[level] = deque(load for load in line if id(load) not in gone)
        return found
