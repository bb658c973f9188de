"""How many deliveries may be led to a source that is warming up: its number of the day, taken in
PostgreSQL, whichever node asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from django.utils.translation import gettext as _

from deliveries.backends.database import Database
from deliveries.models import Source, WarmUp, WarmUpDay
from deliveries.queue.warm_up_plans import DEFAULT, number_of, numbers_of

_TODAY = "(coalesce(%(now)s::timestamptz, now()) AT TIME ZONE 'UTC')::date"

_WARMS = "(source.state = 'warming' OR source.state = 'warm' AND source.warms_each)"

# The row is locked first, so that who waits for it reads what the one before has left.
TAKE = f"""
WITH today AS (
    SELECT day.id, day.led, least(%(wanted)s::int,
        greatest(0, coalesce(day.number::bigint - day.led, %(wanted)s::int)))::int AS granted
    FROM deliveries_warmupday day JOIN deliveries_source source ON source.id = day.source_id
    WHERE source.name = %(source)s AND {_WARMS}
        AND day.receiver = %(receiver)s AND day.date = {_TODAY}
    FOR UPDATE OF day
), taken AS (
    UPDATE deliveries_warmupday day SET led = today.led + today.granted
    FROM today WHERE day.id = today.id AND today.granted > 0
)
SELECT granted FROM today
"""  # noqa: S608  (put together from constants)

# What waits in the source's lanes, and what has been accepted since midnight: both move in one
# statement of the ledger, so no message is in neither. A lane whose receiver is not noted yet may
# be this one's.
_CARRIED = f"""
(SELECT count(*) FROM deliveries_delivery delivery
 JOIN deliveries_lane lane ON lane.id = delivery.lane_id
 WHERE lane.home_id IS NOT NULL AND lane.source = %(source)s
     AND lane.provider IN ('', %(receiver)s) AND delivery.ended_at IS NULL)
+ (SELECT coalesce(sum(amount), 0) FROM deliveries_sourcecount
   WHERE source = %(source)s AND receiver = %(receiver)s AND event = 'accepted'
       AND hour >= {_TODAY}::timestamp AT TIME ZONE 'UTC')
"""  # noqa: S608  (as above)

OPEN = f"""
WITH source AS (
    SELECT id, first_day FROM deliveries_source source
    WHERE name = %(source)s AND {_WARMS}
), begun AS (
    INSERT INTO deliveries_warmup (source_id, receiver, day, judged_on)
    SELECT id, %(receiver)s, first_day, {_TODAY} - 1 FROM source
    ON CONFLICT DO NOTHING RETURNING day, is_warm
), progress AS (
    SELECT day, is_warm FROM begun
    UNION ALL SELECT day, is_warm FROM deliveries_warmup JOIN source ON source.id = source_id
        WHERE receiver = %(receiver)s
), chosen AS (
    SELECT coalesce(
        (SELECT numbers FROM deliveries_warmupplan WHERE receiver = %(receiver)s),
        (SELECT numbers FROM deliveries_warmupplan WHERE receiver = 'default'),
        %(default)s::int[]) AS numbers
)
INSERT INTO deliveries_warmupday (source_id, receiver, date, day, number, led)
SELECT source.id, %(receiver)s, {_TODAY}, progress.day,
    CASE WHEN NOT progress.is_warm
        THEN chosen.numbers[least(progress.day, cardinality(chosen.numbers))] END,
    {_CARRIED}
FROM source, progress, chosen LIMIT 1
ON CONFLICT DO NOTHING
"""  # noqa: S608  (as above)

IS_WARM = """
SELECT 1 FROM deliveries_source WHERE name = %(source)s AND state = 'warm' AND NOT warms_each
"""


async def reserve(
    database: Database, source: str, receiver: str, wanted: int, *, now: datetime | None = None
) -> int:
    """Take as many of the source's number of today as are left, at most `wanted`; return them.

    A source that is warm for all takes all, one that sends nothing takes none. The day is one of
    UTC; `now` is the server's clock where nothing is given. Raises `DatabaseUnavailable`.
    """
    given = {
        "source": source, "receiver": receiver, "wanted": wanted, "now": now,
        "default": list(DEFAULT),
    }  # fmt: skip
    if wanted <= 0:
        return 0
    rows = await database.fetch(TAKE, given)
    if not rows:
        await database.fetch(OPEN, given)
        rows = await database.fetch(TAKE, given)
    if not rows:
        return wanted if await database.fetch(IS_WARM, given) else 0
    return int(rows[0][0])


@dataclass(frozen=True, slots=True)
class WarmUpStanding:
    """Where a source stands with a receiver today; `number` None is no limit."""

    source: str
    receiver: str
    day: int
    days: int
    number: int | None
    led: int

    @property
    def sentence(self) -> str:
        """Say how many go today, and when more do."""
        if self.number is None:
            return _("%(source)s is warm for %(receiver)s.") % {
                "source": self.source,
                "receiver": self.receiver,
            }
        return _(
            "%(source)s warms up for %(receiver)s, day %(day)d of %(days)d: %(led)d of "
            "%(number)d messages of today are taken. More go by it from 00:00 UTC."
        ) % {
            "source": self.source, "receiver": self.receiver, "day": self.day, "days": self.days,
            "led": self.led, "number": self.number,
        }  # fmt: skip


def standing(source: str, receiver: str, *, now: datetime | None = None) -> WarmUpStanding | None:
    """Return where the source stands; None where it is not warming up."""
    row = Source.objects.filter(name=source).first()
    if row is None or not row.is_warming_up:
        return None
    return of_source(row, receiver, now=now)


def of_source(source: Source, receiver: str, *, now: datetime | None = None) -> WarmUpStanding:
    """Return where a source that warms up stands with the receiver."""
    today = (now or datetime.now(UTC)).astimezone(UTC).date()
    numbers = numbers_of(receiver)
    row = WarmUpDay.objects.filter(source=source, receiver=receiver, date=today).first()
    if row is not None:
        return WarmUpStanding(source.name, receiver, row.day, len(numbers), row.number, row.led)
    progress = WarmUp.objects.filter(source=source, receiver=receiver).first()
    day = progress.day if progress else source.first_day
    number = None if progress and progress.is_warm else number_of(numbers, day)
    return WarmUpStanding(source.name, receiver, day, len(numbers), number, 0)


def sentence(source: str, receiver: str) -> str:
    """Say why mail to the receiver does not go by this source now; "" where that is not why."""
    found = standing(source, receiver)
    return found.sentence if found is not None and found.number is not None else ""
