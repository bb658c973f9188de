"""What one lane may do now: its receiver's rule and what was learned about it, as one answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deliveries.shaping.meter import Meter
from deliveries.shaping.providers import ReceiverRule
from deliveries.shaping.rate import KEPT, Rate
from deliveries.shaping.sharing import ProviderShare
from deliveries.shaping.window import START, Window

PERIODS = {"per_second": 1.0, "per_minute": 60.0, "per_hour": 3600.0, "per_day": 86_400.0}
SHARE_OF_URGENT = 8  # every eighth connection is kept for urgent mail
PAGE_SECONDS = 2.0
PAGE_LEAST, PAGE_MOST = 20, 100


class Pace:
    """Times are seconds on the monotonic clock; `learned` is what `snapshot` gave the lane's
    former holder.

    `wall` is the time of day, by which two holders understand each other.
    """

    def __init__(
        self, rule: ReceiverRule, learned: dict[str, Any], *, now: float, wall: float
    ) -> None:
        self.rate = Rate()
        self._meters: dict[str, Meter] = {}
        self._connects: Meter | None = None
        self.window = Window(START, START)
        self.share: ProviderShare | None = None  # where all lanes to the provider share a limit
        self.follow(rule)
        self._restore(learned, now=now, passed=max(0.0, wall - _number(learned, "at", wall)))

    def follow(self, rule: ReceiverRule) -> None:
        """Follow this rule from now on. It has every limit filled in where there is one."""
        self.rule = rule
        given = {name: getattr(rule, name) for name in PERIODS}
        self._meters = {name: self._meter(name, limit) for name, limit in given.items() if limit}
        per_minute = rule.connections_per_minute
        kept = self._connects.paid_at if self._connects else 0.0
        self._connects = Meter(per_minute, 60.0, kept) if per_minute else None
        self.window.limit(rule.connections or START)

    def _meter(self, name: str, limit: int) -> Meter:
        known = self._meters.get(name)
        return Meter(limit, PERIODS[name], known.paid_at if known else 0.0)

    # --- messages ---
    def wait(self, now: float, *, is_urgent: bool) -> float:
        """Return the seconds until the next message may go."""
        if self.share is not None and (wait := self.share.wait(now)):
            return wait
        if not self._meters and self.rate.ceiling is None:
            return 0.0
        waits = [meter.wait(now, keep_for_urgent=not is_urgent) for meter in self._meters.values()]
        return max(self.rate.wait(now), *waits) if waits else self.rate.wait(now)

    def take(self, now: float) -> None:
        """Count a message that goes."""
        for meter in self._meters.values():
            meter.take(now)
        self.rate.take(now)
        if self.share is not None:
            self.share.take()

    def accepted(self, now: float, *, busy: int) -> None:
        """Count a message that was taken while so many connections were in use."""
        self.rate.accepted.note(now)
        self.window.good(is_full=busy >= self.room(is_urgent=False))

    def too_fast(self, now: float, kept: float = KEPT) -> bool:
        """Go slower, since the receiver said so; return False where going slower has not helped."""
        return self.rate.cut(now, kept)

    def per_second(self) -> tuple[float, str] | None:
        """Return the pace that is allowed, and by what: a limit's name, or `learned`.

        None stands for no limit.
        """
        limits = [(meter.limit / meter.period, name) for name, meter in self._meters.items()]
        if self.share is not None and self.share.per_second is not None:
            limits.append((self.share.per_second, self.share.allowed.name))
        if (learned := self.rate.allowed()) is not None:
            limits.append((learned, "learned"))
        return min(limits, default=None)

    def allowed(self) -> float | None:
        """Return the messages a second that the receiver's rule allows; None where it sets no
        limit.
        """
        return min((meter.limit / meter.period for meter in self._meters.values()), default=None)

    def page(self, now: float) -> int:
        """Return how many deliveries to claim at a time: so few that those that come first later
        need not wait behind them.
        """
        lately = self.rate.accepted.since(now - 1.0)
        page = min(max(PAGE_LEAST, int(lately * PAGE_SECONDS)), PAGE_MOST)
        allowed = self.per_second()
        return page if allowed is None else max(1, min(page, int(allowed[0] * PAGE_SECONDS) + 1))

    # --- connections ---
    def connect_wait(self, now: float) -> float:
        return self._connects.wait(now) if self._connects else 0.0

    def connect(self, now: float) -> None:
        if self._connects:
            self._connects.take(now)

    def room(self, *, is_urgent: bool) -> int:
        """Return how many connections may be in use at once for mail of this kind.

        Urgent mail has every eighth one for itself, or where there are only a few, one more than
        was found to be taken.
        """
        size = self.window.size
        if self.share is not None and (most := self.share.connections) is not None:
            return min(size, most)
        if size >= SHARE_OF_URGENT // 2:
            return size if is_urgent else size - max(1, size // SHARE_OF_URGENT)
        return min(size + 1, self.window.most) if is_urgent else size

    # --- what the next holder shall know ---
    def snapshot(self, *, now: float, wall: float) -> dict[str, Any]:
        debts = {name: round(debt, 3) for name, debt in self._debts(now) if debt > 0}
        learned: dict[str, Any] = {
            "at": round(wall, 3),
            "caution": self.window.caution,
            "debts": debts,
        }
        if (allowed := self.per_second()) is not None:
            learned["limit"] = allowed[1]
        if self.rate.ceiling is not None:
            rate = self.rate
            learned["rate"] = [
                round(rate.ceiling or 0.0, 4),
                rate.kept,
                round(rate.age, 2),
                rate.level,
            ]
        return learned | {"window": self.window.size}

    def _debts(self, now: float) -> Iterator[tuple[str, float]]:
        for name, meter in self._meters.items():
            yield name, meter.debt(now)
        if self._connects:
            yield "connects", self._connects.debt(now)

    def _restore(self, learned: dict[str, Any], *, now: float, passed: float) -> None:
        self.window.size = min(max(1, int(_number(learned, "window", START))), self.window.most)
        self.window.caution = max(1, int(_number(learned, "caution", 1)))
        debts = learned.get("debts")
        for name, debt in debts.items() if isinstance(debts, dict) else ():
            meter = self._connects if name == "connects" else self._meters.get(name)
            if meter is not None:
                meter.owe(float(debt) - passed, now)
        match learned.get("rate"):
            case [ceiling, kept, age, level]:
                self.rate.ceiling, self.rate.kept, self.rate.age, self.rate.level = (
                    float(ceiling),
                    float(kept),
                    float(age),
                    int(level),
                )


def _number(learned: dict[str, Any], name: str, default: float) -> float:
    value = learned.get(name, default)
    return float(value) if isinstance(value, int | float) else default
