"""Ends deliveries that shall not be tried any more."""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection

BATCH = 1000

# Also what a courier has in hand: its outcome will find the row ended and only be written down. No report is owed: nothing failed.
CANCEL = """
WITH waiting AS (
    SELECT id FROM deliveries_delivery WHERE ended_at IS NULL AND lane_id = ANY(%(lanes)s)
    ORDER BY lane_id, priority, flow, due_at LIMIT %(most)s FOR UPDATE
), ended AS (
    UPDATE deliveries_delivery delivery SET state = 'cancelled', ended_at = now(), due_at = NULL, claim = 0, owes_report = false
    FROM waiting WHERE delivery.id = waiting.id
    RETURNING delivery.id
)
INSERT INTO deliveries_attempt (delivery_id, at, outcome, stage, host, address, source, tls, enhanced, text, seconds)
SELECT id, now(), 'cancelled', 'operator', '', '', '', '', '', %(why)s, 0 FROM ended
"""


def cancel_lanes(lanes: Collection[int], *, why: str) -> int:
    """End all that waits in these lanes, or is in hand there; returns how many deliveries that were."""
    total = 0
    while ended := _cancel_batch(lanes, why):
        total += ended
    return total


def _cancel_batch(lanes: Collection[int], why: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(CANCEL, {"lanes": list(lanes), "why": why, "most": BATCH})
        return int(cursor.rowcount)
