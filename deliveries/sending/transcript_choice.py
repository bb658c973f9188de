"""Which deliveries' dialogues are noted: those of projects that keep transcripts, and those that a
person asked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from uuid import UUID

from deliveries.queue.leased import Claimed

A_MINUTE = 120  # transcripts of failed attempts that one worker keeps: a receiver's are alike


class TranscriptChoice:
    """As the drain last read it."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._projects: frozenset[int] = frozenset()
        self._asked: frozenset[UUID] = frozenset()
        self._minute, self._kept = 0.0, 0

    def take(self, projects: Iterable[int], asked: Iterable[UUID]) -> None:
        self._projects, self._asked = frozenset(projects), frozenset(asked)

    def wants(self, claimed: Claimed) -> bool:
        """Tell whether the dialogue about this delivery is noted, to be kept if it fails."""
        return claimed.project_id in self._projects or claimed.id in self._asked

    def keeps(self, claimed: Claimed, *, is_delivered: bool) -> bool:
        """Tell whether what was noted is kept. What a person asked for is, however it ends."""
        if claimed.id in self._asked:
            return True
        if is_delivered or claimed.project_id not in self._projects:
            return False
        if self._clock() >= self._minute + 60:
            self._minute, self._kept = self._clock(), 0
        self._kept += 1
        return self._kept <= A_MINUTE
