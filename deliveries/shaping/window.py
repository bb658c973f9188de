"""How many connections a site is found to take at once: one more after enough good deliveries,
fewer at the first trouble.
"""

from __future__ import annotations

from dataclasses import dataclass

START = 5  # as Postfix starts, and 10,000 receivers are used to
MOST_CAUTION = 64


@dataclass(slots=True)
class Window:
    """`caution` says how many windows full of good deliveries it takes to try one more: it doubles
    at each trouble.
    """

    size: int
    most: int
    caution: int = 1
    _good: int = 0
    _waited: int = 0

    def good(self, *, is_full: bool) -> None:
        """Count a delivery that was taken, and allow one connection more after enough of them.

        With connections to spare (not `is_full`) it says nothing about more of them.
        """
        if self.size >= self.most or not is_full:
            return
        self._good += 1
        if self._good >= self.size * self.caution:
            self.size += 1
            self.caution = max(1, self.caution // 2)
            self._good = 0

    def waited(self) -> None:
        """Count a stretch in which all connections were in use and mail waited; after enough of
        them allow one more, since a slow host may take more connections at once.
        """
        self._waited += 1
        if self.size < self.most and self._waited >= self.caution:
            self.size += 1
            self._waited = 0

    def trouble(self, *, busy: int) -> None:
        """Allow fewer connections: a session was refused or lost.

        So many were in use then, this one included.
        """
        self.size = max(1, min(self.size, busy) - 1)
        self.caution = min(self.caution * 2, MOST_CAUTION)
        self._good = self._waited = 0

    def limit(self, most: int) -> None:
        """Keep to a new bound: the rule has changed."""
        self.most = max(1, most)
        self.size = min(self.size, self.most)
