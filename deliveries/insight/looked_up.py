"""Keeps what several deliveries have in common, so that a page looks it up once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

Found = TypeVar("Found")


class LookedUp:
    """What was found of one moment, by what it depends on."""

    def __init__(self) -> None:
        self._found: dict[tuple[Hashable, ...], Any] = {}

    def get(self, look_up: Callable[[], Found], *depends_on: Hashable) -> Found:
        """Return what is known, or look it up."""
        if depends_on not in self._found:
            self._found[depends_on] = look_up()
        known: Found = self._found[depends_on]
        return known
