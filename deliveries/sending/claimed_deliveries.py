"""What an agent has claimed and not sent yet, in the order in which it should leave."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from deliveries.queue.leased import Claimed
from deliveries.sending.disposition import URGENT
from domains.models import Credential


@dataclass(slots=True, eq=False)
class ClaimedDelivery:
    """A claimed delivery with its content, where that is small enough to wait in memory."""

    claimed: Claimed
    data: bytes | None
    until: float  # its deadline, on the monotonic clock
    due: float = 0.0  # since when it has been due, on the same clock
    tries: int = 0
    return_path: str = ""  # the domain of the one that it was offered with last
    # No host takes its 8-bit content: it goes in ASCII, as far as it may be touched.
    is_reencoded: bool = False

    @property
    def is_late(self) -> bool:
        return time.monotonic() >= self.until

    @property
    def is_urgent(self) -> bool:
        return self.claimed.priority >= URGENT


class ClaimedDeliveries:
    """A line for each priority; within one, turns between recipient domains; within a domain first
    in, first out.
    """

    def __init__(self) -> None:
        levels = sorted(map(int, Credential.PriorityLevel.values), reverse=True)
        self._lines: dict[int, dict[str, deque[ClaimedDelivery]]] = {level: {} for level in levels}
        self._amounts = dict.fromkeys(levels, 0)

    def __len__(self) -> int:
        return sum(self._amounts.values())

    def __iter__(self) -> Iterator[ClaimedDelivery]:
        for line in self._lines.values():
            for queue in line.values():
                yield from queue

    @property
    def urgent(self) -> int:
        return self._amounts[URGENT]

    def of(self, domains: Collection[str]) -> int:
        """Count those of these domains."""
        if not domains:
            return 0
        return sum(
            len(queue)
            for line in self._lines.values()
            for domain, queue in line.items()
            if domain in domains
        )

    def add(self, delivery: ClaimedDelivery) -> None:
        level = delivery.claimed.priority
        self._lines[level].setdefault(delivery.claimed.domain, deque()).append(delivery)
        self._amounts[level] += 1

    def put_back(self, delivery: ClaimedDelivery) -> None:
        """Put a delivery first among its like: it was taken and not tried."""
        level, domain = delivery.claimed.priority, delivery.claimed.domain
        line = self._lines[level]
        queue = line.pop(domain, deque())
        queue.appendleft(delivery)
        self._lines[level] = {domain: queue, **line}
        self._amounts[level] += 1

    def first(self, besides: Collection[str] = ()) -> ClaimedDelivery | None:
        """Return the next delivery of all domains but these, or None."""
        for line in self._lines.values():
            for domain, queue in line.items():
                if domain not in besides:
                    return queue[0]
        return None

    def pop(self, besides: Collection[str] = ()) -> ClaimedDelivery:
        """Take out the first, whose domain's turn is over then; raise `IndexError` without one."""
        delivery = self.first(besides)
        if delivery is None:
            raise IndexError
        level, domain = delivery.claimed.priority, delivery.claimed.domain
        queue = self._lines[level].pop(domain)
        queue.popleft()
        if queue:
            self._lines[level][domain] = queue
        self._amounts[level] -= 1
        return delivery

    def remove(self, is_wanted: Callable[[ClaimedDelivery], bool]) -> list[ClaimedDelivery]:
        """Remove and return all for which `is_wanted` holds."""
        found = [delivery for delivery in self if is_wanted(delivery)]
        if found:
            gone = set(map(id, found))
            kept = [delivery for delivery in self if id(delivery) not in gone]
            for level, line in self._lines.items():
                line.clear()
                self._amounts[level] = 0
            for delivery in kept:
                self.add(delivery)
        return found
