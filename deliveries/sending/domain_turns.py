"""Which recipient domains of a lane leave the next connection to others: the trouble of one is not
its neighbours'.
"""

from __future__ import annotations

import time
from collections import Counter
from uuid import UUID

from deliveries.routing.host_experience import Experience

SLOW = 1.0  # seconds in one transaction, from which on a domain leaves some connections to others
SHARE_OF_OTHERS = 4  # every fourth, one at least
NOBODY: frozenset[str] = frozenset()


class DomainTurns:
    """Of one lane.

    It costs nothing as long as one domain has the lane for itself (not `is_shared`).
    """

    def __init__(self, experience: Experience, *, is_shared: bool) -> None:
        self._experience = experience
        self._under_way: dict[UUID, tuple[str, float]] = {}
        self.is_shared = is_shared

    def begin(self, delivery: UUID, domain: str, *, now: float) -> None:
        """Note that the delivery's transaction begins at `now`, on the monotonic clock."""
        self._under_way[delivery] = domain, now

    def end(self, delivery: UUID) -> None:
        self._under_way.pop(delivery, None)

    def troubled(self) -> frozenset[str]:
        """Return the domains at which the host broke off lately: nothing goes there for a while."""
        return self._experience.troubled(now=time.time()) if self.is_shared else NOBODY

    def held(self, *, now: float, room: int) -> frozenset[str]:
        """Return the domains that get no further connection now, of the `room` that there are."""
        if not self.is_shared:
            return NOBODY
        busy = Counter(domain for domain, _ in self._under_way.values())
        most = max(1, room - max(1, room // SHARE_OF_OTHERS))
        return self.troubled() | {domain for domain in self.slow(now=now) if busy[domain] >= most}

    def slow(self, *, now: float) -> frozenset[str]:
        """Return the domains that wait for the host right now: they go after the others, whose
        turn is over sooner.
        """
        return frozenset(domain for domain, since in self._under_way.values() if now - since > SLOW)
