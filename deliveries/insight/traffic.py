"""What happened to mail over time, from the traffic counts. It only reads, and counts no mail."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from deliveries.message.priorities import Priority
from deliveries.models import TrafficEvent
from deliveries.models.traffic import NO_BUCKET, STEPS
from domains.foundation import sql

# The index `traffic_by_time` serves both: the steps are few, and each is a range of it.
_WHERE = "WHERE step = ANY(%(steps)s) AND at >= %(since)s AND at < %(until)s"
# The rows are read once for all that is shown of them, and the time zone is asked of each moment,
# not of each row.
FIGURES = f"""
SELECT date_trunc(%(unit)s, at, %(zone)s), event, priority, bucket, sum(amount) FROM (
    SELECT at, event, priority, bucket, sum(amount) AS amount FROM deliveries_trafficcount {_WHERE}
    GROUP BY GROUPING SETS ((at, event), (priority, bucket))) summed
GROUP BY 1, 2, 3, 4
"""  # noqa: S608  (put together from constants)
TOTALS = f"SELECT event, sum(amount) FROM deliveries_trafficcount {_WHERE} GROUP BY 1"  # noqa: S608
WAITS = f"""
SELECT priority, bucket, sum(amount) FROM deliveries_trafficcount {_WHERE}
    AND bucket <> {NO_BUCKET}
GROUP BY 1, 2
"""  # noqa: S608  (as above)

UNITS = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}
FAILED = (TrafficEvent.BOUNCED, TrafficEvent.EXPIRED)


@dataclass(frozen=True, slots=True)
class Span:
    """A range of time, and the unit by which it is shown."""

    since: datetime
    until: datetime
    unit: str

    @property
    def parameters(self) -> dict[str, Any]:
        return {
            "since": self.since, "until": self.until, "unit": self.unit, "steps": list(STEPS),
            "zone": timezone.get_current_timezone_name(),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Traffic:
    """Deliveries by what happened to them within a time; deferred are tries, not deliveries."""

    accepted: int = 0
    delivered: int = 0
    deferred: int = 0
    bounced: int = 0
    expired: int = 0
    suppressed: int = 0
    cancelled: int = 0

    @property
    def success_rate(self) -> float | None:
        """Per cent delivered of those that were tried to the end; None where there were none."""
        ended = self.delivered + self.bounced + self.expired
        return 100 * self.delivered / ended if ended > 0 else None


@dataclass(frozen=True, slots=True)
class TimeToDelivery:
    """From acceptance to the receiver's yes, in seconds, right within a fifth."""

    amount: int
    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What happened in a span: in each unit, also in those without mail, the oldest first; in all;
    and the times to delivery by priority.
    """

    series: list[tuple[datetime, Traffic]]
    total: Traffic
    times: dict[Priority, TimeToDelivery]


def figures(span: Span) -> Figures:
    found: dict[datetime, dict[str, int]] = defaultdict(dict)
    total: dict[str, int] = defaultdict(int)
    waits = []
    for at, event, priority, bucket, amount in sql.rows(FIGURES, span.parameters):
        if at is None:
            waits.append((priority, bucket, amount))
            continue
        found[at.astimezone(UTC)][event] = int(amount)
        total[event] += int(amount)
    # In UTC: of the two hours of a night in which clocks go back, a local time is only one.
    series = [(at, Traffic(**found.get(at.astimezone(UTC), {}))) for at in _steps(span)]
    return Figures(series, Traffic(**total), _times(waits))


def _steps(span: Span) -> list[datetime]:
    at, steps = floor(span.since, span.unit), []
    until = span.until.astimezone(UTC)
    while at.astimezone(UTC) < until:
        steps.append(at)
        at = later(at, UNITS[span.unit], by=span.unit)
    return steps


def later(at: datetime, length: timedelta, *, by: str) -> datetime:
    """Return the local time so much later, or earlier. By days it goes by the clock of the zone, in
    which one may have 23 hours; else by the time that passes.
    """
    return at + length if by == "day" else timezone.localtime(at.astimezone(UTC) + length)


def floor(moment: datetime, unit: str) -> datetime:
    """Return the beginning of the unit in which the moment lies, in the current time zone."""
    local = timezone.localtime(moment).replace(second=0, microsecond=0)
    if unit == "minute":
        return local
    return local.replace(minute=0, hour=0 if unit == "day" else local.hour)


def totals(since: datetime, until: datetime) -> Traffic:
    found = sql.rows(TOTALS, {"since": since, "until": until, "steps": list(STEPS)})
    return Traffic(**{event: int(amount) for event, amount in found})


def times_to_delivery(since: datetime, until: datetime) -> dict[Priority, TimeToDelivery]:
    """Return the times to delivery of each priority that had mail, the most urgent first."""
    return _times(sql.rows(WAITS, {"since": since, "until": until, "steps": list(STEPS)}))


def _times(rows: Iterable[tuple[int, int, Any]]) -> dict[Priority, TimeToDelivery]:
    found: dict[int, dict[int, int]] = defaultdict(dict)
    for priority, bucket, amount in rows:
        if bucket != NO_BUCKET:
            found[priority][bucket] = int(amount)
    return {
        Priority(priority): TimeToDelivery(
            sum(buckets.values()), *(quantile(buckets, part) for part in (0.5, 0.95, 0.99))
        )
        for priority, buckets in sorted(found.items(), reverse=True)
    }


def quantile(buckets: Mapping[int, int], part: float) -> float:
    """Return the seconds within which this part of the deliveries arrived.

    Within its bucket, from one power of the square root of 2 milliseconds to the next, they are
    taken as evenly spread over the logarithm. Raises `ValueError` where there are none.
    """
    wanted = part * sum(buckets.values())
    before = 0
    for bucket, amount in sorted(buckets.items()):
        if before + amount >= wanted and amount:
            within = (wanted - before) / amount
            return float(2 ** ((bucket - 1 + within) / 2)) / 1000
        before += amount
    raise ValueError("nothing was delivered")
