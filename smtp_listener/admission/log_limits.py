"""Keeps one client from filling the log: the first lines of a minute are written, of the others
their number.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from deliveries.backends import maillog
from smtp_listener.admission.limits import Address, place

MINUTE = 60.0
MOST_PLACES = 10_000  # that are remembered; who is forgotten has his lines again


class Sparing:
    """Lines of each place, by the minute."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._places: dict[str, tuple[float, int]] = {}  # until when, how many lines

    def allows(self, client: Address) -> bool:
        """Count one line; whether it is written."""
        where, now = place(client), self._clock()
        until, count = self._places.pop(where, (0.0, 0))
        if until <= now:
            self._tell(where, count)
            until, count = now + MINUTE, 0
        if len(self._places) >= MOST_PLACES:
            self._forget(next(iter(self._places)))
        self._places[where] = until, count + 1
        return count < self._most

    def sweep(self) -> None:
        """Tell what was left out of minutes that are over."""
        for where in [
            where for where, (until, _) in self._places.items() if until <= self._clock()
        ]:
            self._forget(where)

    def _forget(self, where: str) -> None:
        self._tell(where, self._places.pop(where)[1])

    def _tell(self, where: str, count: int) -> None:
        if count > self._most:
            maillog.left_out(client=where, lines=count - self._most)
