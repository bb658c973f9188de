"""How much of the time a thread runs, or is ready to run and waits for a core."""

import time
from pathlib import Path


class Strain:
    """What this thread asks of a core."""

    def __init__(self) -> None:
        self._at, (self._ran, self._waited) = time.monotonic(), self._seconds()

    def look(self) -> tuple[float, float]:
        """Return the share of the time since the last call in which the thread ran or waited for a
        core, and the share in which it ran.
        """
        at, ran, waited = self._at, self._ran, self._waited
        self._at, (self._ran, self._waited) = time.monotonic(), self._seconds()
        passed = max(self._at - at, 1e-6)
        own = (self._ran - ran) / passed
        return own + (self._waited - waited) / passed, own

    def _seconds(self) -> tuple[float, float]:
        """Return the thread's seconds of running and of waiting for a core (Linux:
        Documentation/scheduler/sched-stats.rst); of running alone, where the kernel does not count
        the rest.
        """
        try:
            ran, waited, _ = Path("/proc/thread-self/schedstat").read_text(encoding="ascii").split()
        except (OSError, ValueError):
            return time.thread_time(), 0.0
        return int(ran) / 1e9, int(waited) / 1e9
