"""Keeps the traffic counts few: a finished minute has one row for each key, later its hour, then
its day.

`retained` forgets old days.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import NamedTuple

from deliveries.models.traffic import DAY, HOUR, MINUTE, UNMERGED
from domains.foundation import sql

TURN = 10.0  # seconds: other chores wait for the same worker
BATCH = 100_000  # rows that one statement merges


class RollUp(NamedTuple):
    """Rows of one width, from a certain age on, become rows of a wider one."""

    step: int
    into: int
    unit: str
    age: timedelta


# A group may commit some seconds after its minute is over, never minutes.
ROLL_UPS = (
    RollUp(UNMERGED, MINUTE, "minute", timedelta(minutes=1)),
    RollUp(MINUTE, HOUR, "hour", timedelta(days=2)),
    RollUp(HOUR, DAY, "day", timedelta(days=90)),
)

# One statement: at every moment the sums are what they were. Rows that another has locked are left
# to it. The index `traffic_by_time` serves it.
MERGE = """
WITH gone AS (
    DELETE FROM deliveries_trafficcount WHERE id = ANY(ARRAY(
        SELECT id FROM deliveries_trafficcount WHERE step = %(step)s AND at < %(before)s
        ORDER BY at LIMIT %(most)s FOR UPDATE SKIP LOCKED))
    RETURNING at, priority, event, bucket, amount
), merged AS (
    INSERT INTO deliveries_trafficcount (at, step, priority, event, bucket, amount)
    SELECT date_trunc(%(unit)s, at, 'UTC'), %(into)s, priority, event, bucket, sum(amount)
    FROM gone GROUP BY 1, priority, event, bucket
)
SELECT count(*) FROM gone
"""


def merge(*, now: datetime, seconds: float = TURN) -> bool:
    """Merge what is old enough; false where the time was not enough, and there is more to do.

    Only whole periods move: a row of an hour never stands beside minutes of that hour that are
    still to come, except where a batch ends within it.
    """
    until = time.monotonic() + seconds
    return all(_merge(each, now=now, until=until) for each in ROLL_UPS)


def _merge(each: RollUp, *, now: datetime, until: float) -> bool:
    before = _start(now - each.age, each.unit)
    given = {**each._asdict(), "before": before, "most": BATCH}
    del given["age"]
    while sql.value(MERGE, given) >= BATCH:
        if time.monotonic() >= until:
            return False
    return True


def _start(moment: datetime, unit: str) -> datetime:
    """Return the beginning of the period in which the moment lies, in UTC as the rows have it."""
    minute = moment.replace(second=0, microsecond=0)
    if unit == "minute":
        return minute
    return minute.replace(minute=0, hour=0 if unit == "day" else moment.hour)
