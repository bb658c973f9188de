"""What a warm-up would have done with the mail of the last days. It only reads."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from deliveries.models import Pool, PoolMember, Source, SourceState
from deliveries.queue.warm_up_plans import number_of, numbers_of
from domains.foundation import sql

DAYS = 7

TRAFFIC = """
SELECT (hour AT TIME ZONE 'UTC')::date AS date, coalesce(nullif(provider, ''), 'default'),
    sum(amount)
FROM deliveries_tally
WHERE hour >= %(since)s AND hour < %(until)s AND category NOT IN ('suppressed', 'complaint')
GROUP BY 1, 2 HAVING sum(amount) > 0 ORDER BY 1, 2
"""
USED = (SourceState.WARM, SourceState.WARMING)


@dataclass(frozen=True, slots=True)
class ForecastDay:
    """One receiver on one day: of `wanted` messages that were this source's share, so many go."""

    date: date
    receiver: str
    day: int
    number: int
    mail: int
    wanted: int

    @property
    def led(self) -> int:
        return min(self.number, self.wanted)

    @property
    def overflow(self) -> int:
        return self.wanted - self.led


def forecast(source: Source, *, first_day: int, now: datetime) -> list[ForecastDay]:
    """Play the last seven whole days of UTC, as if the warm-up had begun with the first of them.

    Each day that has mail for a receiver counts as a good one.
    """
    until = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    share, passed = share_of(source), Counter[str]()
    days = []
    rows = sql.rows(TRAFFIC, {"since": until - timedelta(days=DAYS), "until": until})
    plans = {receiver: numbers_of(receiver) for receiver in {row[1] for row in rows}}
    for at, receiver, amount in rows:
        day = first_day + passed[receiver]
        passed[receiver] += 1
        number = number_of(plans[receiver], day)
        days.append(ForecastDay(at, receiver, day, number, int(amount), round(amount * share)))
    return days


def share_of(source: Source) -> float:
    """Return the part of the mail that its weight in the default pool gives it: of the sources that
    are warm or warming, and this one.
    """
    others = set(Source.objects.filter(state__in=USED).values_list("pk", flat=True)) | {source.pk}
    weights = dict(
        PoolMember.objects.filter(pool__name=Pool.DEFAULT, source__in=others).values_list(
            "source_id", "weight"
        )
    )
    if not weights and not Pool.objects.filter(name=Pool.DEFAULT).exists():
        weights = dict.fromkeys(others, 1)
    weights.setdefault(source.pk, 100)
    return float(weights[source.pk] / sum(weights.values()))
