"""CPU time and memory of the service's processes by kind, read from /proc."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Event, Thread

TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids: dict[str, list[int]]) -> dict[str, float]:
    """Return CPU seconds by kind: of its processes, their children, and the children that have
    ended.
    """
    return {
        kind: sum(own_cpu_seconds(pid) for root in roots for pid in family(root))
        for kind, roots in pids.items()
    }


def memory_mib(pids: dict[str, list[int]]) -> dict[str, float]:
    """Return MiB by kind, as proportional set size: what is shared is counted once, in parts."""
    return {
        kind: sum(_pss(pid) for root in roots for pid in family(root)) / 1024
        for kind, roots in pids.items()
    }


class MemoryWatch:
    """Notes once a minute what each kind of process holds of its own, while a run goes on."""

    def __init__(self, pids: dict[str, list[int]], every: float = 60.0) -> None:
        self.each_minute: list[dict[str, float]] = []
        self._pids, self._every = pids, every
        self._is_over = Event()
        self._thread = Thread(target=self._look, daemon=True)

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._is_over.wait(self._every):
            self.each_minute.append(
                {
                    kind: sum(_pss(pid, "Pss_Anon") for root in roots for pid in family(root))
                    / 1024
                    for kind, roots in self._pids.items()
                }
            )


def peaks_mib(pids: dict[str, list[int]]) -> dict[str, float]:
    """Return by kind the most MiB of memory of its own that any one process has had.

    PostgreSQL's shared buffers are nobody's own.
    """
    return {
        kind: max((_peak(pid) for root in roots for pid in family(root)), default=0) / 1024
        for kind, roots in pids.items()
    }


def family(root: int) -> list[int]:
    """Return the process and all below it."""
    found, new = [], [root]
    while new:
        pid = new.pop()
        found.append(pid)
        new += _children(pid)
    return found


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def own_cpu_seconds(pid: int) -> float:
    """Add up utime, stime, cutime and cstime (proc(5), fields 14 to 17), in seconds.

    A child that still lives is not in its parent's.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / TICK


def _pss(pid: int, field: str = "Pss") -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{field}:")), 0)


def _peak(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    sizes = {
        name: int(rest.split()[0])
        for name, _, rest in (line.partition(":") for line in lines)
        if name in ("VmHWM", "RssShmem")
    }
    return max(sizes.get("VmHWM", 0) - sizes.get("RssShmem", 0), 0)
