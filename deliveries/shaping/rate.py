"""The pace that a receiver was found to accept: cut when it says "too fast", and tried upwards
again.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

# The recovery is the cubic curve of RFC 9438, section 4.2, in messages a second: quickly back to
# near the pace at which the receiver complained, slowly around it, and ever faster beyond. After a
# usual cut it is back after BACK seconds, and has doubled the pace after 47 where no complaint
# comes.
KEPT = 0.9
BACK = 15.0
STEEPNESS = (1 - KEPT) / BACK**3

SLOWEST = 1 / 60  # messages a second
FORGOTTEN = 20.0  # times the pace at which it complained: it does not limit us any more

# Complaints within this time belong to the one overshoot that was under way.
SETTLE = 1.0
# What a receiver accepted lately is counted over the shortest of these (seconds) that holds enough
# to be a figure: some count by the second, some by the minute.
HORIZONS = (1.0, 10.0, 60.0)
STRETCH = (1, 2, 4)  # who counts over longer is tried upwards more slowly
ENOUGH = 3
# It complains when its count is full, a little after the pace had become too high.
OVERSHOT = 0.98
TICK = 0.1


@dataclass(slots=True)
class Accepted:
    """How much was accepted lately, by tenths of a second."""

    _ticks: deque[list[float]] = field(default_factory=deque)

    def note(self, now: float) -> None:
        if self._ticks and now - self._ticks[-1][0] < TICK:
            self._ticks[-1][1] += 1
            return
        self._ticks.append([now, 1])
        while now - self._ticks[0][0] > HORIZONS[-1]:
            self._ticks.popleft()

    def since(self, moment: float) -> float:
        total = 0.0
        for begun, amount in reversed(self._ticks):
            if begun <= moment:
                break
            total += amount
        return total

    def per_second(self, now: float, *, level: int) -> float:
        """Return the messages a second over the first horizon from `level` on that holds enough; 0
        where none does.

        One or two messages in a minute say how much there was to send, and nothing about what the
        receiver takes.
        """
        for horizon in HORIZONS[level:]:
            if (amount := self.since(now - horizon)) >= ENOUGH:
                return amount / horizon
        return 0.0


@dataclass(slots=True)
class Rate:
    """`ceiling` is the pace at which the receiver complained last, in messages a second; None: it
    never did.

    `age` counts the seconds since then in which we sent as fast as allowed: an idle hour proves
    nothing about the receiver.
    """

    ceiling: float | None = None
    kept: float = KEPT
    age: float = 0.0
    level: int = 0
    accepted: Accepted = field(default_factory=Accepted)
    _next: float = 0.0
    _last: float = 0.0
    _cut_at: float = float("-inf")

    def allowed(self) -> float | None:
        """Return the messages a second that may go; None for as many as the receiver takes."""
        if self.ceiling is None:
            return None
        share = recovered(self.age / STRETCH[self.level], kept=self.kept)
        return self.ceiling * share if share < FORGOTTEN else None

    def wait(self, now: float) -> float:
        return max(0.0, self._next - now) if self.ceiling is not None else 0.0

    def take(self, now: float) -> None:
        if self.ceiling is None:
            return
        allowed = self.allowed()
        if allowed is None:
            self.ceiling = None
            return
        spacing = 1 / allowed
        if now - self._next <= spacing:  # the pace was what held this one back
            self.age += min(now - self._last, spacing + 1.0)
        self._last = now
        self._next = max(self._next, now - spacing) + spacing

    def is_flowing(self, now: float) -> bool:
        """Tell if the receiver took anything lately, so that its complaint is about the pace."""
        return self.accepted.since(now - HORIZONS[-1]) > 0

    def cut(self, now: float, kept: float = KEPT) -> bool:
        """Go slower, since the receiver says "too fast".

        Return False where nothing was accepted since the last cut: slower is not enough.
        """
        if now - self._cut_at < SETTLE:
            self._next = max(self._next, self._cut_at + SETTLE)  # its count is still full
            return True
        helped = self._cut_at == float("-inf") or self.accepted.since(self._cut_at) > 0
        self.ceiling = max(self._ceiling(now), SLOWEST / kept)
        self.kept, self.age, self._cut_at = kept, 0.0, now
        self._last = now
        self._next = now + 1 / (self.ceiling * kept)
        return helped

    def _ceiling(self, now: float) -> float:
        """Return the pace that was too fast, in messages per second.

        Where it grew up to there by itself, it is that; else what was accepted lately tells.
        """
        before = self.allowed()
        if before is not None and self.age >= BACK / 3:
            self.level = max(self.level - 1, 0)
            return before * OVERSHOT
        if before is not None:  # again so soon: it counts over a longer time than we measured
            self.level = min(self.level + 1, len(HORIZONS) - 1)
        pace = self.accepted.per_second(now, level=self.level) or (before or 1.0) / 2
        return pace if before is None else min(pace, before)


def recovered(age: float, *, kept: float) -> float:
    """Return the share of the ceiling that is allowed `age` seconds after a cut to `kept` of it."""
    back = math.cbrt((1 - kept) / STEEPNESS)
    return 1 + STEEPNESS * (age - back) ** 3
