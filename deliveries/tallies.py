"""Keeps the tallies small: the differences of an hour become one row for each key. `retained` forgets old hours."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection

MERGED_BACK = timedelta(days=2)  # late bounces are counted in the hour in which they come, so older hours stay as they are

CROWDED = """
SELECT hour FROM deliveries_tally WHERE hour >= %(since)s
GROUP BY hour HAVING count(*) > count(DISTINCT (project_id, credential_id, provider, category, is_hard))
"""

# One statement: at every moment the sums are what they were. Rows that others add meanwhile are left for the next time.
MERGE = """
WITH gone AS (
    DELETE FROM deliveries_tally WHERE hour = %(hour)s RETURNING project_id, credential_id, provider, category, is_hard, amount
)
INSERT INTO deliveries_tally (hour, project_id, credential_id, provider, category, is_hard, amount)
SELECT %(hour)s, project_id, credential_id, provider, category, is_hard, sum(amount)
FROM gone GROUP BY project_id, credential_id, provider, category, is_hard HAVING sum(amount) <> 0
"""


def merge(*, now: datetime) -> int:
    """Returns how many hours had something to merge."""
    with connection.cursor() as cursor:
        cursor.execute(CROWDED, {"since": now - MERGED_BACK})
        hours = [hour for (hour,) in cursor.fetchall()]
        for hour in hours:
            cursor.execute(MERGE, {"hour": hour})
    return len(hours)
