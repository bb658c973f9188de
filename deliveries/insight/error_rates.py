"""Error rates from the tallies: for a project, credential, recipient provider or class, and over
time. It only reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from domains.foundation import sql

# What is counted beside the deliveries that ended by being tried: not tried at all, and complained
# of after having arrived.
BESIDE = "('suppressed', 'complaint')"
DIMENSIONS = {
    "project": "project_id",
    "credential": "credential_id",
    "provider": "provider",
    "class": "category",
}
HOURLY = timedelta(hours=48)  # a longer time is shown by days

_COUNTS = f"""
    coalesce(sum(amount) FILTER (WHERE category NOT IN {BESIDE}), 0),
    coalesce(sum(amount) FILTER (WHERE is_hard AND (%(class)s = '' OR category = %(class)s)), 0),
    coalesce(sum(amount) FILTER (WHERE NOT is_hard AND category <> 'delivered'
        AND category NOT IN {BESIDE}
                                   AND (%(class)s = '' OR category = %(class)s)), 0),
    coalesce(sum(amount) FILTER (WHERE category = 'suppressed'), 0),
    coalesce(sum(amount) FILTER (WHERE category = 'complaint'), 0)
"""
_WHERE = """
WHERE hour >= %(since)s AND hour < %(until)s AND
    (%(projects)s::bigint[] IS NULL OR project_id = ANY(%(projects)s))
  AND (%(credential)s::bigint IS NULL OR credential_id = %(credential)s)
      AND (%(provider)s::text IS NULL OR provider = %(provider)s)
"""


@dataclass(frozen=True, slots=True)
class RateScope:
    """What is looked at; None or empty stands for all.

    `class_` narrows what counts as an error, not what it is compared with.
    """

    since: datetime
    until: datetime
    projects: Sequence[int] | None = None
    credential: int | None = None
    provider: str | None = None
    class_: str = ""

    @property
    def parameters(self) -> dict[str, Any]:
        return {
            "since": self.since, "until": self.until,
            "projects": None if self.projects is None else list(self.projects),
            "credential": self.credential, "provider": self.provider, "class": self.class_,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class ErrorFigures:
    """Of deliveries.

    `ended` are those that were tried: delivered, hard or soft; suppressed and complained of are
    beside them.
    """

    ended: int = 0
    hard: int = 0
    soft: int = 0
    suppressed: int = 0
    complaints: int = 0

    @property
    def hard_rate(self) -> float:
        """Per cent."""
        return 100 * self.hard / self.ended if self.ended > 0 else 0.0

    @property
    def soft_rate(self) -> float:
        return 100 * self.soft / self.ended if self.ended > 0 else 0.0


def total(scope: RateScope) -> ErrorFigures:
    return next(iter(_grouped(scope, "1").values()), ErrorFigures())


def by(dimension: str, scope: RateScope) -> dict[Any, ErrorFigures]:
    """Return the figures by `project` or `credential` (ids), `provider` or `class`, the most errors
    first.
    """
    found = _grouped(scope, DIMENSIONS[dimension])
    if dimension == "class":  # each class beside all that ended
        ended = total(scope).ended
        found = {
            name: replace(each, ended=ended)
            for name, each in found.items()
            if each.hard or each.soft
        }
    return dict(
        sorted(found.items(), key=lambda item: (-item[1].hard - item[1].soft, -item[1].ended))
    )


def series(scope: RateScope) -> list[tuple[datetime, ErrorFigures]]:
    """Return the figures by the hour; by the day in the portal's time zone, where the span is over
    `HOURLY`.

    Hours and days without mail are there too.
    """
    is_hourly = scope.until - scope.since <= HOURLY
    zone = timezone.get_current_timezone_name()
    expression = "hour" if is_hourly else "date_trunc('day', hour, %(zone)s)"
    found = _grouped(scope, expression, zone=zone)
    return [(at, found.get(at, ErrorFigures())) for at in _steps(scope, is_hourly=is_hourly)]


def _steps(scope: RateScope, *, is_hourly: bool) -> list[datetime]:
    # Hours are those of UTC; days are on the clock of the zone, in which some have 23 hours.
    zone = timezone.get_current_timezone() if not is_hourly else UTC
    start = scope.since.astimezone(zone).replace(minute=0, second=0, microsecond=0)
    step = timedelta(hours=1)
    if not is_hourly:
        start, step = start.replace(hour=0), timedelta(days=1)
    steps = []
    while start < scope.until:
        steps.append(start.astimezone(UTC))
        start += step
    return steps


def _grouped(scope: RateScope, expression: str, **more: Any) -> dict[Any, ErrorFigures]:
    statement = f"SELECT {expression}, {_COUNTS} FROM deliveries_tally {_WHERE} GROUP BY 1"  # noqa: S608
    found = sql.rows(statement, scope.parameters | more)
    return {key: ErrorFigures(*map(int, amounts)) for key, *amounts in found}


def categories(*, since: datetime) -> dict[str, int]:
    """Count what has ended under each category since then."""
    found = sql.rows(
        "SELECT category, sum(amount) FROM deliveries_tally WHERE hour > %(since)s GROUP BY "
        "category",
        {"since": since},
    )
    return {category: int(amount) for category, amount in found}
