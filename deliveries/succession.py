"""Takes over from the drains of this machine that have died: their lanes at once, and what they had not offered to anybody."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from deliveries import holders
from deliveries.db import Database, DatabaseUnavailable
from deliveries.holders import Dead

logger = logging.getLogger(__name__)

PATIENCE = 10.0  # seconds for one holder: the statement reads all that waits in his lanes, and leases are renewed only afterwards
AGAIN = 30.0  # seconds until the next try where that was not enough; by then his leases are over anyway

# What was claimed and never offered is as if it had not been claimed. The rest may have been sent, which the next claim sees by its
# older epoch.
TAKE_OVER = """
WITH theirs AS (
    SELECT id, epoch FROM deliveries_lane WHERE holder = %(dead)s FOR UPDATE
), freed AS (
    UPDATE deliveries_delivery delivery SET claim = 0 FROM theirs
    WHERE delivery.lane_id = theirs.id AND delivery.claim = theirs.epoch AND delivery.ended_at IS NULL
      AND delivery.id <> ALL(%(may_be_sent)s)
    RETURNING delivery.id
), released AS (
    UPDATE deliveries_lane lane SET holder = NULL, leased_until = NULL FROM theirs WHERE lane.id = theirs.id RETURNING lane.id
)
SELECT (SELECT count(*) FROM released), (SELECT count(*) FROM freed)
"""


class Succession:
    """Looks for the dead among the holders' files of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._database = Database("ekiden drain succession", patience=PATIENCE)
        self._not_before: dict[str, float] = {}

    async def look(self) -> None:
        """Raises `DatabaseUnavailable`; what was found dead is then looked at again."""
        for path in holders.files(self._folder):
            if time.monotonic() < self._not_before.get(path.name, 0.0):
                continue
            with holders.proof(path) as dead:
                if dead is not None:
                    await self._take_over(dead)

    async def _take_over(self, dead: Dead) -> None:
        started = time.monotonic()
        try:
            [(lanes, claims)] = await self._database.fetch(TAKE_OVER, {"dead": dead.holder, "may_be_sent": dead.may_be_sent})
        except DatabaseUnavailable:
            if time.monotonic() - started >= PATIENCE:
                self._not_before[str(dead.holder)] = time.monotonic() + AGAIN
            raise
        if lanes:
            logger.warning("holder=%s has ended without giving back: %d lanes taken over, %d claims freed", dead.holder, lanes, claims)

    async def close(self) -> None:
        await self._database.close()
