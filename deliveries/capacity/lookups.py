"""Places for look-ups of recipient domains: the hopeful never wait behind the hopeless."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable

from deliveries.capacity.open_files import LEAST

# A domain that was found the last time, or never asked for, has one of the first places. A name
# server answers within a fraction of a second or takes its time: whoever waits for longer steps
# aside. A domain whose last look-up failed has one of the last places.
FIRST, SLOW, AGAIN = 400, 1000, 150
AT_ONCE = FIRST + SLOW + AGAIN
PROMPT = 0.5  # seconds
MEMORY, MEMORY_SECONDS = 20_000, 3600.0  # domains whose failure is remembered, and for how long


class LookupFailures:
    """The domains whose last look-up failed, the latest last. Of one process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: OrderedDict[str, float] = OrderedDict()

    def note(self, domain: str, *, has_failed: bool) -> None:
        """Remember how the look-up ended."""
        self._failed.pop(domain, None)
        if has_failed:
            self._failed[domain] = self._clock()
        while self._failed and (
            len(self._failed) > MEMORY
            or self._clock() - next(iter(self._failed.values())) > MEMORY_SECONDS
        ):
            self._failed.popitem(last=False)

    def __contains__(self, domain: str) -> bool:
        return domain in self._failed

    def domains(self) -> list[str]:
        """Return the domains whose look-up failed, the oldest failure first."""
        return list(self._failed)


class Places:
    """Which look-ups are under way, by kind of place.

    `share` is the part of all places that there is: each look-up holds a socket.
    """

    def __init__(self, failures: LookupFailures, share: float = 1.0) -> None:
        self.first, self._most_slow, self.again = (
            max(LEAST, int(most * share)) for most in (FIRST, SLOW, AGAIN)
        )
        self._failures = failures
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._first: set[str] = set()
        self._slow: set[str] = set()
        self._again: set[str] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def domains(self) -> list[str]:
        return list(self._tasks)

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        return list(self._tasks.values())

    @property
    def room(self) -> int:
        """First places that are free."""
        return self.first - len(self._first)

    @property
    def room_again(self) -> int:
        return self.again - len(self._again)

    def take(self, domain: str, task: asyncio.Task[None]) -> None:
        self._tasks[domain] = task
        (self._again if domain in self._failures else self._first).add(domain)

    def step_aside(self, domain: str) -> bool:
        """Leave the first places, if there is room among the slow; return whether nothing more is
        to be done about it.
        """
        if domain in self._first and len(self._slow) < self._most_slow:
            self._first.remove(domain)
            self._slow.add(domain)
        return domain not in self._first

    def leave(self, domain: str) -> None:
        self._tasks.pop(domain, None)
        for kind in (self._first, self._slow, self._again):
            kind.discard(domain)
