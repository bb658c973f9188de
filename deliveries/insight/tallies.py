"""Keeps the tallies small: the differences of an hour become one row for each key.

`retained` forgets old hours.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from domains.foundation import sql

HOUR = timedelta(hours=1)
# Late bounces are counted in the hour in which they come, so older hours stay as they are.
MERGED_BACK = timedelta(days=2)
TURN = 10.0  # seconds: other chores wait for the same worker
BATCH = 100_000  # rows that one statement merges

CROWDED = """
SELECT EXISTS (SELECT FROM deliveries_tally WHERE hour = %(hour)s
               GROUP BY project_id, credential_id, provider, category, is_hard HAVING count(*) > 1)
"""
NEWEST = "SELECT max(id) FROM deliveries_tally WHERE hour = %(hour)s"

# One statement: at every moment the sums are what they were. Rows that others add meanwhile are
# left for the next time.
MERGE = """
WITH gone AS (
    DELETE FROM deliveries_tally
    WHERE id = ANY(ARRAY(SELECT id FROM deliveries_tally WHERE hour = %(hour)s AND id <= %(newest)s
        LIMIT %(most)s))
    RETURNING project_id, credential_id, provider, category, is_hard, amount
), merged AS (
    INSERT INTO deliveries_tally (hour, project_id, credential_id, provider, category, is_hard,
        amount)
    SELECT %(hour)s, project_id, credential_id, provider, category, is_hard, sum(amount)
    FROM gone GROUP BY project_id, credential_id, provider, category, is_hard
        HAVING sum(amount) <> 0
)
SELECT count(*) FROM gone
"""


def merge(*, now: datetime, seconds: float = TURN) -> bool:
    """Merge the hours that have several rows of one key; false where the time was not enough, and
    there is more to do.

    Hour by hour, the newest first, since alerts look at that: after a day in which nobody merged, a
    look at all would take a turn.
    """
    until = time.monotonic() + seconds
    newest = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return all(
        _merge_hour(newest - HOUR * back, until=until) for back in range(MERGED_BACK // HOUR + 1)
    )


def _merge_hour(hour: datetime, *, until: float) -> bool:
    """Merge the rows of an hour; return whether it was done in time.

    What the batches of a first pass leave, a second merges.
    """
    if not sql.value(CROWDED, {"hour": hour}):
        return True
    batches = _pass(hour, until=until)
    return batches is not None and (batches < 2 or _pass(hour, until=until) is not None)


def _pass(hour: datetime, *, until: float) -> int | None:
    """Merge each row that is there now with those of its batch; return how many batches that took,
    None where time ran out.
    """
    batches, is_full = 0, True
    given = {"hour": hour, "newest": sql.value(NEWEST, {"hour": hour}), "most": BATCH}
    while is_full:
        if batches and time.monotonic() >= until:
            return None
        is_full = sql.value(MERGE, given) == BATCH
        batches += 1
    return batches
