"""Notices, second by second, what a process cannot feel: that it did not run for a while, and that
the clock was set.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path

logger = logging.getLogger(__name__)

EVERY = 1.0  # seconds
ASLEEP = 5.0  # seconds without a beat that are told: a loop under load comes round sooner
SET = 5.0  # seconds by which the clock was set that are told: time servers correct by less


def machine_seconds() -> float:
    """Return the seconds since the machine started, those in which it was suspended among them; no
    clock that is set changes them.
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    """Return what names this start of the machine; empty where the process may not read it (a unit
    with ProcSubset=pid).
    """
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


class Pulse:
    """Compare the clocks at each beat. `wall` and `machine` give seconds, as `time.time` and
    `machine_seconds`.
    """

    def __init__(
        self,
        *,
        asleep: float = ASLEEP,
        wall: Callable[[], float] = time.time,
        machine: Callable[[], float] = machine_seconds,
    ) -> None:
        """Begin to measure; `asleep` is how many seconds without a beat are reported."""
        self._asleep = asleep
        self._wall, self._machine = wall, machine
        self._at, self._read = machine(), wall()

    def beat(self) -> float:
        """Log what has happened since the last beat; return by how many seconds the clock was set,
        0 where it was not.
        """
        at, read = self._machine(), self._wall()
        passed = at - self._at
        was_set = read - self._read - passed
        self._at, self._read = at, read
        if passed > self._asleep:
            logger.warning(
                "event=asleep text=This process did not run for %.0f s: stopped by a signal, or the"
                " machine was held up",
                passed,
            )
        if abs(was_set) <= SET:
            return 0.0
        logger.warning(
            "event=clock-set seconds=%+.0f text=The clock was set forward, or back where that is"
            " negative",
            was_set,
        )
        return was_set

    async def run(self, clock_was_set: Callable[[float], object] = lambda _: None) -> None:
        """Beat until cancelled; tell of a clock that was set."""
        while True:
            await asyncio.sleep(EVERY)
            if seconds := self.beat():
                clock_was_set(seconds)


def described(seconds: float) -> str:
    """Write a shift for people: `forward by 3,600 s`, `back by 12 s`."""
    return f"{'forward' if seconds > 0 else 'back'} by {abs(seconds):,.0f} s"
