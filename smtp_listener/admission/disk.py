"""Whether the data folder has room: strangers' mail stops before apps' does, and both before
PostgreSQL is hit.
"""

from __future__ import annotations

import logging
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

logger = logging.getLogger(__name__)

LOOK_EVERY = 1.0  # seconds
APPS_PART = 4  # apps are taken in until this part of the mark is left


@dataclass(frozen=True, slots=True)
class LowDisk:
    """A folder with less room than a listener needs to take mail; in bytes."""

    node: str
    folder: str
    free: int
    mark: int

    @property
    def refuses_apps(self) -> bool:
        return self.free < self.mark // APPS_PART


class Disk:
    """The free bytes under a folder, looked at once a second."""

    def __init__(self, folder: Path, mark: int) -> None:
        self._folder = folder
        self._mark = mark
        self._looked = 0.0
        self._free = 0
        self._is_low = False

    def has_room(self, *, is_for_apps: bool) -> bool:
        return self._look() >= (self._mark // APPS_PART if is_for_apps else self._mark)

    def low(self, node: str) -> LowDisk | None:
        """Return what is wrong; None where there is room."""
        free = self._look()
        return LowDisk(node, str(self._folder), free, self._mark) if free < self._mark else None

    def _look(self) -> int:
        if self._looked + LOOK_EVERY <= time.monotonic():
            self._looked = time.monotonic()
            try:
                self._free = shutil.disk_usage(self._folder).free
            except OSError:
                # A folder that cannot be looked at is told by who writes there.
                self._free = self._mark
            if self._is_low != (self._free < self._mark):
                self._is_low = not self._is_low
                logger.warning(
                    "event=%s free=%d mark=%d",
                    "low-disk" if self._is_low else "disk-has-room",
                    self._free,
                    self._mark,
                )
        return self._free
