"""Rows that were written while the clock was ahead: after it was set back they would wait for as
long as it was wrong.
"""

from __future__ import annotations

import logging

from deliveries.backends.database import Database
from deliveries.message.ids import first_id_of
from deliveries.queue.lanes import LEASE_SECONDS

logger = logging.getLogger(__name__)

AHEAD = 60.0  # seconds by which the clocks of two machines may differ
# Seconds for which trouble of a receiver pauses its lane (deliveries.sending.feedback).
LONGEST_PAUSE = 900.0

NOW = "SELECT now() + make_interval(secs => %(ahead)s)"
NEWEST = """
SELECT coalesce((SELECT id FROM deliveries_delivery ORDER BY id DESC LIMIT 1) > %(first_id)s, false)
    OR coalesce((
        SELECT max(at) FROM (SELECT at FROM deliveries_attempt ORDER BY id DESC LIMIT 1000) newest
    ) > %(ahead)s, false)
"""

# A delivery's id, and each attempt, tell when they were made. What is due keeps its distance from
# the later of the two.
DELIVERIES = """
WITH waiting AS (
    SELECT id, due_at,
           (SELECT max(at) FROM deliveries_attempt WHERE delivery_id = delivery.id) AS tried_at
    FROM deliveries_delivery delivery WHERE ended_at IS NULL AND due_at > now()
    ORDER BY id FOR NO KEY UPDATE
)
UPDATE deliveries_delivery delivery
SET due_at = now() + CASE WHEN tried_at > now()
    THEN greatest(waiting.due_at - tried_at, interval '0') ELSE interval '0' END
FROM waiting WHERE delivery.id = waiting.id AND delivery.due_at = waiting.due_at
  AND (tried_at > now() + make_interval(secs => %(ahead)s)
       OR tried_at IS NULL AND waiting.id > %(first_id)s)
"""
# `least` passes over a NULL: what has no end would be given one.
LANES = """
WITH far AS MATERIALIZED (
    SELECT id FROM deliveries_lane
    WHERE leased_until > now() + make_interval(secs => %(lease)s + %(ahead)s)
       OR paused_until > now() + make_interval(secs => %(pause)s + %(ahead)s)
    ORDER BY site, source FOR NO KEY UPDATE
)
UPDATE deliveries_lane
SET leased_until = CASE WHEN leased_until IS NOT NULL
        THEN least(leased_until, now() + make_interval(secs => %(lease)s)) END,
    paused_until = CASE WHEN paused_until IS NOT NULL
        THEN least(paused_until, now() + make_interval(secs => %(pause)s)) END
WHERE id = ANY(ARRAY(SELECT id FROM far))
"""


async def are_there(database: Database) -> bool:
    """Return whether the newest rows lie in the future: the clock was set back while nobody looked.
    Raises `DatabaseUnavailable`.
    """
    [(ahead,)] = await database.fetch(NOW, {"ahead": AHEAD})
    [(is_ahead,)] = await database.fetch(NEWEST, {"ahead": ahead, "first_id": first_id_of(ahead)})
    return bool(is_ahead)


async def mend(database: Database) -> None:
    """Bring back into the present what lies in a future that was none. Raises
    `DatabaseUnavailable`; a second time changes nothing.
    """
    given = {"ahead": AHEAD, "lease": LEASE_SECONDS, "pause": LONGEST_PAUSE}
    [(ahead,)] = await database.fetch(NOW, given)
    await database.fetch(DELIVERIES, given | {"first_id": first_id_of(ahead)})
    await database.fetch(LANES, given)
    logger.warning(
        "event=clock-mended text=What was due by the clock before is due by the clock of now"
    )
