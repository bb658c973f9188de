"""Rows that were written while the clock was ahead: after it was set back they would wait for as
long as it was wrong.
"""

from __future__ import annotations

import logging
from typing import Any

from deliveries.backends.database import Connection, Database, Row
from deliveries.message.ids import first_id_of
from deliveries.queue.lanes import LEASE_SECONDS

logger = logging.getLogger(__name__)

AHEAD = 60.0  # seconds by which the clocks of two machines may differ
# Seconds for which trouble of a receiver pauses its lane (deliveries.sending.feedback).
LONGEST_PAUSE = 900.0

NOW = "SELECT now() + make_interval(secs => %(ahead)s)"
NEWEST = """
SELECT EXISTS (SELECT FROM deliveries_delivery
        WHERE id > %(first_id)s AND ended_at IS NULL AND due_at > now())
    OR coalesce((
        SELECT max(at) FROM (SELECT at FROM deliveries_attempt ORDER BY id DESC LIMIT 1000) newest
    ) > %(ahead)s, false)
"""

# Two workers that mend at once would each read the attempts before the other's correction.
TURN = "SELECT pg_advisory_xact_lock(%(lock)s)"
LOCK = 0x656B_6674
# A delivery's id, and each attempt, tell when they were made. What is due keeps its distance from
# the later of the two. The attempts come into the present with it, by as much: else the next who
# looks would take the same shift off what is due once more.
DELIVERIES = """
WITH waiting AS MATERIALIZED (
    SELECT id, due_at,
           (SELECT max(at) FROM deliveries_attempt WHERE delivery_id = delivery.id) AS tried_at
    FROM deliveries_delivery delivery WHERE ended_at IS NULL AND due_at > now()
    ORDER BY id FOR NO KEY UPDATE
), ahead AS MATERIALIZED (
    SELECT id, due_at, tried_at FROM waiting
    WHERE tried_at > now() + make_interval(secs => %(ahead)s)
        OR tried_at IS NULL AND id > %(first_id)s
), told AS (
    UPDATE deliveries_attempt attempt SET at = attempt.at - (ahead.tried_at - now())
    FROM ahead WHERE attempt.delivery_id = ahead.id
        AND attempt.at > now() + make_interval(secs => %(ahead)s)
), mended AS (
    UPDATE deliveries_delivery delivery
    SET due_at = now() + coalesce(greatest(ahead.due_at - ahead.tried_at, interval '0'),
        interval '0')
    FROM ahead WHERE delivery.id = ahead.id
    RETURNING delivery.id
)
SELECT count(*) FROM mended
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
    """Return whether rows lie in the future: the clock was set back while nobody looked.
    Raises `DatabaseUnavailable`.
    """
    [(ahead,)] = await database.fetch(NOW, {"ahead": AHEAD})
    [(is_ahead,)] = await database.fetch(NEWEST, {"ahead": ahead, "first_id": first_id_of(ahead)})
    return bool(is_ahead)


async def mend(database: Database) -> None:
    """Bring back into the present what lies in a future that was none. Raises
    `DatabaseUnavailable`; a second time changes nothing.
    """
    given = {"ahead": AHEAD, "lease": LEASE_SECONDS, "pause": LONGEST_PAUSE, "lock": LOCK}

    async def work(connection: Connection) -> tuple[int, int]:
        async with connection.transaction():
            await connection.execute(TURN, given)
            [ahead] = await _only(connection, NOW, given)
            [mended] = await _only(connection, DELIVERIES, given | {"first_id": first_id_of(ahead)})
            lanes = await connection.execute(LANES, given)
            return mended, lanes.rowcount

    deliveries, lanes = await database.run(work)
    if deliveries or lanes:
        logger.warning(
            "event=clock-mended deliveries=%d lanes=%d "
            "text=What was due by the clock before is due by the clock of now",
            deliveries, lanes,
        )  # fmt: skip


async def _only(connection: Connection, sql: str, given: dict[str, Any]) -> Row:
    """Return the one row of a statement."""
    row = await (await connection.execute(sql, given)).fetchone()
    assert row is not None
    return row
