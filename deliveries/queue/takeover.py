"""Takes over from the drains of this machine that have ended: the outcomes they left, their lanes,
and what they had not offered.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from deliveries.backends.database import Database, DatabaseUnavailable
from deliveries.queue import drain_files, unwritten_outcomes
from deliveries.queue.drain_files import Dead
from deliveries.queue.ledger import Ledger
from deliveries.queue.own_faults import Faults

logger = logging.getLogger(__name__)

# seconds for one holder: the statement reads all that waits in his lanes, and leases are renewed
# only afterwards
PATIENCE = 10.0
# Seconds until the next try where that was not enough; by then his leases are over anyway.
AGAIN = 30.0

# What was claimed and never offered is as if it had not been claimed. The rest may have been sent,
# which the next claim sees by its older epoch.
TAKE_OVER = """
WITH theirs AS (
    SELECT id, epoch FROM deliveries_lane WHERE holder = %(dead)s
    ORDER BY site, source FOR NO KEY UPDATE
), locked AS MATERIALIZED (
    SELECT FROM deliveries_delivery delivery
    JOIN theirs ON theirs.id = delivery.lane_id AND theirs.epoch = delivery.claim
    WHERE delivery.ended_at IS NULL AND delivery.id <> ALL(%(may_be_sent)s)
    ORDER BY delivery.id FOR NO KEY UPDATE OF delivery
), freed AS (
    UPDATE deliveries_delivery delivery SET claim = 0 FROM theirs
    WHERE delivery.lane_id = theirs.id AND delivery.claim = theirs.epoch
        AND delivery.ended_at IS NULL
      AND delivery.id <> ALL(%(may_be_sent)s) AND (SELECT count(*) FROM locked) > 0
    RETURNING delivery.id
), released AS (
    UPDATE deliveries_lane lane SET holder = NULL, leased_until = NULL FROM theirs
        WHERE lane.id = theirs.id RETURNING lane.id
)
SELECT (SELECT count(*) FROM released), (SELECT count(*) FROM freed)
"""


class Succession:
    """Looks for the dead among the holders' files, and for the outcomes that they left."""

    def __init__(self, learned: Callable[[], None]) -> None:
        """Prepare to take over; `learned` is that of `Ledger`."""
        self._database = Database("ekiden drain succession", patience=PATIENCE)
        self._ledger = Ledger(self._database, learned=learned, faults=Faults(self._database))
        self._not_before: dict[str, float] = {}

    async def look(self) -> None:
        """Take over from drains that are proven dead.

        Raise `DatabaseUnavailable`; what was found is then looked at again.
        """
        try:
            await self._apply()
            for path in drain_files.files(drain_files.folder()):
                if time.monotonic() >= self._not_before.get(path.name, 0.0):
                    with drain_files.proof(path) as dead:
                        await self._succeed(dead)
        except unwritten_outcomes.Busy:
            # Another drain is about it, and the lanes have to wait for its end.
            logger.info("another drain applies outcomes that were left behind")

    async def _succeed(self, dead: Dead | None) -> None:
        if dead is not None:
            # now it is certain that all it left is there, and after the next claim most of it would
            # be refused
            await self._apply()
            await self._take_over(dead)

    async def _apply(self) -> None:
        waiting, _ = unwritten_outcomes.files(unwritten_outcomes.folder())
        for path in waiting:
            with unwritten_outcomes.taken(path) as entries:
                await self._ledger.apply(entries)
                logger.warning(
                    "%d outcomes that a worker had left behind are written: %s", len(entries), path
                )

    async def _take_over(self, dead: Dead) -> None:
        started = time.monotonic()
        try:
            [(lanes, claims)] = await self._database.fetch(
                TAKE_OVER, {"dead": dead.holder, "may_be_sent": dead.may_be_sent}
            )
        except DatabaseUnavailable:
            if time.monotonic() - started >= PATIENCE:
                self._not_before[str(dead.holder)] = time.monotonic() + AGAIN
            raise
        if lanes:
            logger.warning(
                "holder=%s has ended without giving back: %d lanes taken over, %d claims freed",
                dead.holder,
                lanes,
                claims,
            )

    async def close(self) -> None:
        await self._database.close()
