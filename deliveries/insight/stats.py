"""The numbers of the whole, each cheap on the indexes. It only reads."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TypedDict
from uuid import UUID

from deliveries.insight.tracing import why_waiting
from deliveries.models import Delivery, Lane
from deliveries.models.states import ENDED, IS_REPORT
from domains.foundation import sql

NEWEST = 20
COUNTED_MOST = 10_000  # of one lane
QUEUE_MOST = 1_000_000

# One statement, and so one moment: a message and its deliveries are written, and removed, in one
# transaction.
CONSERVATION = """
SELECT (SELECT coalesce(sum(recipient_count), 0) FROM deliveries_message),
       (SELECT coalesce(jsonb_object_agg(state, amount), '{}') FROM (
            SELECT CASE WHEN ended_at IS NULL THEN 'live'
                ELSE state END AS state, count(*) AS amount
            FROM deliveries_delivery GROUP BY 1) counted)::text
"""

# Failures are rare: without the inner limit a healthy day would be read from end to end to find
# none.
FAILURES = f"""
SELECT attempt.at, delivery.id, delivery.message_id, delivery.recipient, delivery.state,
    attempt.host, attempt.code,
       attempt.enhanced, attempt.text
FROM (SELECT * FROM deliveries_attempt ORDER BY id DESC LIMIT 10000) attempt
JOIN deliveries_delivery delivery ON delivery.id = attempt.delivery_id
WHERE attempt.outcome IN ('bounced', 'expired') AND delivery.state IN ('bounced', 'expired')
    AND NOT {IS_REPORT}
ORDER BY attempt.id DESC LIMIT %(most)s
"""  # noqa: S608  (put together from constants)

# Paused by an answer, or closed. Each line is counted up to a bound, by the index that begins with
# the lane.
TROUBLED = f"""
SELECT lane.id, (SELECT count(*) FROM (SELECT FROM deliveries_delivery WHERE lane_id = lane.id
    AND ended_at IS NULL LIMIT {COUNTED_MOST}) AS few)
FROM deliveries_lane lane WHERE lane.paused_until > %(now)s OR lane.closed_at IS NOT NULL
ORDER BY 2 DESC, lane.id LIMIT %(most)s
"""  # noqa: S608  (put together from constants)

# By the index of live deliveries alone, up to a bound.
QUEUE_SIZE = f"""
SELECT count(*) FROM (SELECT FROM deliveries_delivery WHERE ended_at IS NULL
    LIMIT {QUEUE_MOST}) AS live
"""  # noqa: S608  (as above)

# One pass over what is live. The first 13 characters of an id are its milliseconds in hexadecimal,
# with one hyphen.
WAITING = """
SELECT lane.id, lane.site, lane.hosts::text, waiting.amount, waiting.oldest, lane."window",
    lane.rate, lane.provider,
       coalesce(lane.paused_until > %(now)s, false), lane.closed_at IS NOT NULL
FROM (SELECT lane_id, count(*) AS amount, min(left(id::text, 13)) AS oldest
      FROM deliveries_delivery WHERE ended_at IS NULL GROUP BY lane_id) waiting
JOIN deliveries_lane lane ON lane.id = waiting.lane_id
ORDER BY waiting.oldest LIMIT %(most)s
"""


class WaitingLane(TypedDict):
    """A lane with live deliveries: how many, since when the oldest waits, and what it is allowed
    now.

    `window` is in connections and None where nothing was learned yet; `per_second` in messages,
    None for no limit; `rule` is the shaping rule that it followed last; `why` says in one sentence
    what the first in line waits for, where that was asked.
    """

    id: int
    site: str
    waiting: int
    oldest: datetime
    window: int | None
    per_second: float | None
    rule: str
    is_paused: bool
    is_closed: bool
    why: str


class RecentFailure(TypedDict):
    """A delivery that ended badly, and the answer that ended it."""

    at: datetime
    delivery_id: UUID
    message_id: UUID
    recipient: str
    state: str
    host: str
    code: int | None
    enhanced: str
    text: str


def conservation() -> dict[str, int]:
    """Count the accepted recipients by what became of them.

    `missing` is what the sum lacks: 0 as long as nothing is lost.
    """
    [(accepted, counted)] = sql.rows(CONSERVATION)
    amounts: dict[str, int] = json.loads(counted)
    ended = {state.value: amounts.get(state.value, 0) for state in ENDED}
    live = amounts.get("live", 0)
    return {
        "accepted": int(accepted),
        **ended,
        "live": live,
        "missing": int(accepted) - sum(ended.values()) - live,
    }


def oldest_waiting() -> Delivery | None:
    """Return the live delivery whose deadline is next, or None.

    Where all projects give the same time, it is the oldest.
    """
    return Delivery.objects.live().order_by("expires_at").first()


def queue_size() -> int:
    """Count the live deliveries; `QUEUE_MOST` stands for that many and more."""
    return int(sql.value(QUEUE_SIZE))


def troubled_lanes(most: int, *, now: datetime) -> list[tuple[Lane, int]]:
    """List the lanes that are closed or that an answer paused, each with its waiting deliveries,
    the most first.

    `COUNTED_MOST` stands for that many and more.
    """
    rows = sql.rows(TROUBLED, {"now": now, "most": most})
    lanes = Lane.objects.in_bulk([lane for lane, _ in rows])
    return [(lanes[lane], amount) for lane, amount in rows if lane in lanes]


def waiting_lanes(
    most: int = 500, *, now: datetime, with_reasons: bool = False
) -> list[WaitingLane]:
    """Return the lanes in which something waits, the longest wait first.

    With reasons it is a few statements more for each.
    """
    rows = sql.rows(WAITING, {"now": now, "most": most})
    return [
        WaitingLane(
            id=lane, site=_site(site, hosts), waiting=amount, oldest=_made_at(oldest),
            window=window, per_second=rate, rule=rule,
            is_paused=is_paused, is_closed=is_closed,
            why=_why_first_waits(lane, now=now) if with_reasons else "",
        )
        for lane, site, hosts, amount, oldest, window, rate, rule, is_paused, is_closed in rows
    ]  # fmt: skip


def _why_first_waits(lane: int, *, now: datetime) -> str:
    first = (
        Delivery.objects.live()
        .filter(lane=lane)
        .select_related("lane")
        .order_by("-priority", "due_at")
        .first()
    )
    return (why_waiting(first, now=now) if first else None) or ""


def _site(site: str, hosts: str) -> str:
    """Return the first of its hosts, as people know the site."""
    known = json.loads(hosts)
    return str(known[0][1]) if known else site


def _made_at(start: str) -> datetime:
    return datetime.fromtimestamp(int(start.replace("-", ""), 16) / 1000, UTC)


def recent_failures(most: int = NEWEST) -> list[RecentFailure]:
    """Return the last failures, as far as the last 10,000 attempts reach."""
    return [
        RecentFailure(**dict(zip(RecentFailure.__annotations__, row, strict=True)))  # type: ignore[typeddict-item]
        for row in sql.rows(FAILURES, {"most": most})
    ]
