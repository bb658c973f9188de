"""Claims that are given back: those of many lanes in one statement.

A thousand silent hosts time out in the same second, and the statements of a thousand lanes would
keep those waiting that have somewhere to send to.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from deliveries.backends.database import Database
from deliveries.queue.grouping import Grouping
from deliveries.queue.row_locks import change_deliveries

AT_ONCE = 100  # lanes in one statement

UNCLAIM = change_deliveries(
    "id = ANY(%(ids)s) AND due_at IS NOT NULL AND claim = (SELECT epoch FROM"
    " unnest(%(ids)s::uuid[], %(epochs)s::bigint[]) AS given(id, epoch)"
    " WHERE given.id = deliveries_delivery.id)",
    to="claim = 0",
)

GiveBack = tuple[int, Sequence[UUID]]  # the lane's epoch, and deliveries that were claimed in it


class GiveBacks:
    """Gives claims back, together with those of other lanes that wait meanwhile."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._groups: Grouping[GiveBack, None] = Grouping(self._write, most=AT_ONCE)

    async def give_back(self, epoch: int, ids: Sequence[UUID]) -> None:
        """Give back what is still claimed in this epoch. Raise `DatabaseUnavailable`."""
        if ids:
            await self._groups.ask((epoch, ids))

    async def _write(self, group: list[GiveBack], is_urgent: bool) -> list[None]:
        given = {id_: epoch for epoch, ids in group for id_ in ids}
        await self._database.fetch(UNCLAIM, {"ids": list(given), "epochs": list(given.values())})
        return [None] * len(group)
