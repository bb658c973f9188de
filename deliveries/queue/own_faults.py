"""Notes faults of our own about one delivery, domain or lane while mail is being sent, so that it
waits alone.
"""

from __future__ import annotations

import logging
from uuid import UUID

from deliveries.backends.database import Database, DatabaseUnavailable
from domains.models import ItemKind
from domains.operations import isolation

logger = logging.getLogger(__name__)

# It keeps its deadline, and the sweeper of deadlines owes its report; a person has it tried again,
# or bounces or cancels it.
HOLD = """
UPDATE deliveries_delivery SET hold = 1, lane_id = 0, claim = 0
WHERE id = %(id)s AND due_at IS NOT NULL AND hold <> 1
"""


class Faults:
    """What a drain writes down of its own faults; the same rows and limits as
    `domains.operations.isolation`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(
        self, kind: ItemKind, key: object, error: BaseException, *, lasting: bool = True
    ) -> bool:
        """Count a fault of an item; return True where the item is put aside now.

        While PostgreSQL is away nothing is counted.
        """
        given = isolation.values(kind, key, isolation.text_of(error), lasting=lasting)
        try:
            [(failures, is_aside)] = await self._database.fetch(isolation.NOTE, given)
        except DatabaseUnavailable:
            logger.error("a fault at %s %s", kind.value, key, exc_info=error)
            return False
        isolation.log(kind, key, error, failures=failures, is_aside=is_aside)
        return bool(is_aside)

    async def put_aside(self, delivery: UUID, error: BaseException) -> None:
        """Count a fault of a delivery, and hold it at the last one. Raises `DatabaseUnavailable`,
        and no other error: who calls it must outlive each of them.
        """
        try:
            if await self.note(ItemKind.DELIVERY, delivery, error):
                await self.hold(delivery)
        except DatabaseUnavailable:
            raise
        except Exception:  # whatever there may be
            logger.exception("the fault of delivery %s could not be noted", delivery)

    async def hold(self, delivery: UUID) -> None:
        """Put the delivery aside until a person lets it go."""
        await self._database.fetch(HOLD, {"id": delivery})
