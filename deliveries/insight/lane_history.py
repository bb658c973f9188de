"""The pace of a lane over time, and what made it slower. It only reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from deliveries.models import BackOff, Lane
from domains.foundation import sql

SHOWN_MOST = 50  # back-offs
# What a person may look back on: how far, and how much time a point stands for.
RANGES: dict[str, tuple[timedelta, timedelta]] = {
    "1h": (timedelta(hours=1), timedelta(minutes=1)),
    "24h": (timedelta(hours=24), timedelta(minutes=5)),
    "7d": (timedelta(days=7), timedelta(minutes=30)),
}
USUAL = "1h"

POINTS = """
SELECT date_bin(%(step)s, at, 'epoch'), max(allowed), min(learned), sum(sent), max(connections)
FROM deliveries_lanepace WHERE lane_id = %(lane)s AND at >= %(since)s AND at < %(until)s
GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class PacePoint:
    """Messages a second: allowed by the rule, learned, and in use; None where nothing limits."""

    at: datetime
    allowed: float | None = None
    learned: float | None = None
    in_use: float = 0.0
    connections: int = 0


def points(lane: Lane, name: str, *, now: datetime) -> list[PacePoint]:
    """Return one point for each step of the range, the oldest first."""
    length, step = RANGES[name]
    until = floor(now, step) + step
    since = until - length
    given: dict[str, Any] = {"lane": lane.pk, "since": since, "until": until, "step": step}
    found = {
        at: PacePoint(at, allowed, learned, sent / step.total_seconds(), connections)
        for at, allowed, learned, sent, connections in sql.rows(POINTS, given)
    }
    moments = (since + step * number for number in range(int(length / step)))
    return [found.get(at) or PacePoint(at) for at in moments]


def back_offs(lane: Lane) -> list[BackOff]:
    return list(BackOff.objects.filter(lane=lane).order_by("-at", "-pk")[:SHOWN_MOST])


def floor(moment: datetime, step: timedelta) -> datetime:
    """Return the beginning of the step in which the moment lies, as PostgreSQL's date_bin does."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + (moment - epoch) // step * step
