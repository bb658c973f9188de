"""What happened to mail from each source: kept small, and put into the days of warm-ups."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from domains.foundation import sql

MERGED_BACK = timedelta(hours=3)
DAYS_BACK = timedelta(days=1)  # that a day's figures are still looked at after it
BATCH = 100_000

CROWDED = """
SELECT EXISTS (SELECT FROM deliveries_sourcecount WHERE hour >= %(since)s
    GROUP BY hour, source, receiver, project_id, event HAVING count(*) > 1)
"""
# At every moment the sums are what they were. Rows that others add meanwhile are left for the next
# time.
MERGE = """
WITH gone AS (
    DELETE FROM deliveries_sourcecount
    WHERE id = ANY(ARRAY(SELECT id FROM deliveries_sourcecount WHERE hour >= %(since)s
        LIMIT %(most)s))
    RETURNING hour, source, receiver, project_id, event, amount
)
INSERT INTO deliveries_sourcecount (hour, source, receiver, project_id, event, amount)
SELECT hour, source, receiver, project_id, event, sum(amount)
FROM gone GROUP BY hour, source, receiver, project_id, event
"""
INTO_DAYS = """
UPDATE deliveries_warmupday day SET accepted = sums.accepted, throttled = sums.throttled,
    complaints = sums.complaints
FROM (
    SELECT source.id AS source_id, counted.receiver,
        (counted.hour AT TIME ZONE 'UTC')::date AS date,
        coalesce(sum(amount) FILTER (WHERE event = 'accepted'), 0) AS accepted,
        coalesce(sum(amount) FILTER (WHERE event = 'throttled'), 0) AS throttled,
        coalesce(sum(amount) FILTER (WHERE event = 'complaint'), 0) AS complaints
    FROM deliveries_sourcecount counted
    JOIN deliveries_source source ON source.name = counted.source
    WHERE counted.hour >= %(since)s GROUP BY 1, 2, 3
) sums
WHERE day.source_id = sums.source_id AND day.receiver = sums.receiver AND day.date = sums.date
    AND (day.accepted, day.throttled, day.complaints)
        IS DISTINCT FROM (sums.accepted, sums.throttled, sums.complaints)
"""


def merge(*, now: datetime) -> None:
    """Make one row of those that groups of the ledger have added for one key."""
    if sql.value(CROWDED, {"since": now - MERGED_BACK}):
        sql.run(MERGE, {"since": now - MERGED_BACK, "most": BATCH})


def into_days(*, now: datetime) -> None:
    """Write the counts of today and yesterday into the days of the warm-ups."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    sql.run(INTO_DAYS, {"since": midnight - DAYS_BACK})
