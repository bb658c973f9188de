"""The steps of a warm-up: a good day leads to the next number, a bad one to the number before."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from django.db import transaction
from django.db.models import Max, QuerySet

from deliveries.insight import source_counts
from deliveries.models import Source, SourceCount, SourceEvent, SourceState, WarmUp, WarmUpDay
from deliveries.queue.wakeups import notify_now
from deliveries.queue.warm_up_plans import number_of, numbers_of
from domains.foundation import sql
from domains.models import ItemKind
from domains.operations import audit
from domains.operations.isolation import isolated

logger = logging.getLogger("ekiden.mail")

ACTOR = "warm-up"
# What makes a day a bad one. Before it is over, the share that is deferred is judged from so many
# tries on.
PACE_SHARE = 0.10
PACE_LEAST = 20
COMPLAINT_SHARE = 0.003
SILENT = timedelta(days=30)  # after which a receiver has forgotten a source

USED = (SourceState.WARM, SourceState.WARMING)

# What waits in the source's lanes beyond today's number, and nobody has in hand: the last due goes.
EXCESS = """
WITH moved AS (
    UPDATE deliveries_delivery delivery SET lane_id = picked.home_id
    FROM (
        SELECT delivery.id, lane.home_id FROM deliveries_delivery delivery
        JOIN deliveries_lane lane ON lane.id = delivery.lane_id
        WHERE lane.home_id IS NOT NULL AND lane.source = %(source)s
            AND lane.provider IN ('', %(receiver)s)
            AND delivery.ended_at IS NULL AND delivery.claim = 0
        ORDER BY delivery.due_at DESC LIMIT %(most)s FOR UPDATE OF delivery SKIP LOCKED
    ) picked
    WHERE delivery.id = picked.id RETURNING picked.home_id
), given_back AS (
    UPDATE deliveries_warmupday SET led = greatest(0, led - (SELECT count(*) FROM moved))
    WHERE id = %(day)s
)
SELECT DISTINCT home_id FROM moved
"""

# What was led to it while it had no numbers, and nobody has in hand.
LED_BEFORE = """
WITH led AS MATERIALIZED (
    SELECT delivery.id, lane.home_id FROM deliveries_delivery delivery
    JOIN deliveries_lane lane ON lane.id = delivery.lane_id
    WHERE lane.home_id IS NOT NULL AND lane.source = %(source)s
        AND delivery.ended_at IS NULL AND delivery.claim = 0
    ORDER BY delivery.id FOR NO KEY UPDATE OF delivery
), moved AS (
    UPDATE deliveries_delivery delivery SET lane_id = led.home_id FROM led
    WHERE delivery.id = led.id RETURNING led.home_id
)
SELECT DISTINCT home_id FROM moved
"""


def take_turn(*, now: datetime) -> None:
    """Judge what there is to judge, and end what is over."""
    source_counts.into_days(now=now)
    warming = WarmUp.objects.filter(source__in=Source.objects.warming_up(), is_warm=False)
    for progress in warming.select_related("source").order_by("id"):
        with isolated(ItemKind.STEP, f"warm-up {progress}", lasting=False):
            judge(progress, now=now)
    forget_silent(now=now)
    for source in Source.objects.filter(state=SourceState.WARMING):
        with isolated(ItemKind.STEP, f"warm-up {source.name}", lasting=False):
            _end_where_warm(source)


def _end_where_warm(read: Source) -> None:
    """Call a source warm that is warm for all receivers, unless it has been moved meanwhile."""
    source = _still(read, SourceState.WARMING)
    if source is None or set(source.warm_ups.values_list("is_warm", flat=True)) != {True}:
        return
    move(source, SourceState.WARM, "It is warm for all receivers that it writes to.")


def _still(read: Source, *states: SourceState) -> Source | None:
    """Return the source as it is now, locked; None where it is in none of these states any more:
    a person's word stands.
    """
    return Source.objects.select_for_update().filter(pk=read.pk, state__in=states).first()


def trouble(day: WarmUpDay, *, is_over: bool) -> str:
    """Say what made this a bad day; "" where nothing did."""
    tries = day.accepted + day.throttled
    if day.blocked:
        return f"{day.blocked} answers that block it"
    if day.throttled > tries * PACE_SHARE and (is_over or tries >= PACE_LEAST):
        return f"{day.throttled} of {tries} tries were deferred for pace"
    if day.complaints > day.accepted * COMPLAINT_SHARE:
        return f"{day.complaints} complaints, and {day.accepted} messages accepted"
    return ""


def judge(progress: WarmUp, *, now: datetime) -> None:
    """Move on by the days that are over; go back at once where today is a bad one."""
    # Another maintenance worker may have judged it since it was read, or a person called it warm:
    # with what was known before, a step would be taken back.
    rows = WarmUp.objects.select_for_update(of=("self",)).select_related("source")
    found = rows.filter(pk=progress.pk, is_warm=False).first()
    if found is not None:
        _judge_days(found, today=now.astimezone(UTC).date())


def _judge_days(progress: WarmUp, *, today: date) -> None:
    numbers = numbers_of(progress.receiver)
    days = WarmUpDay.objects.select_for_update().filter(
        source=progress.source, receiver=progress.receiver, date__gt=progress.judged_on
    )
    for day in days.order_by("date"):
        if day.date == today:
            day.day, day.number = progress.day, _number(progress, numbers)
        if day.verdict == WarmUpDay.Verdict.OPEN:
            _judge_day(progress, day, numbers, is_over=day.date < today)
        day.save(update_fields=["day", "number", "verdict"])
        if day.date == today and day.number is not None and day.led > day.number:
            _lead_home(progress, day, day.led - day.number)
    progress.judged_on = today - timedelta(days=1)
    progress.save(update_fields=["day", "is_warm", "judged_on"])


def _judge_day(progress: WarmUp, day: WarmUpDay, numbers: Sequence[int], *, is_over: bool) -> None:
    if why := trouble(day, is_over=is_over):
        day.verdict = WarmUpDay.Verdict.BACK
        progress.day = max(1, progress.day - 1)
        if not is_over:
            day.day, day.number = progress.day, number_of(list(numbers), progress.day)
        _say(progress, f"One day back, to day {progress.day}: {why} on {day.date}.")
    elif is_over and not day.accepted:
        day.verdict = WarmUpDay.Verdict.IDLE
    elif is_over:
        day.verdict = WarmUpDay.Verdict.GOOD
        progress.day += 1
        if progress.day > len(numbers):
            progress.day, progress.is_warm = len(numbers), True
            _say(progress, f"Warm: the last of {len(numbers)} days is passed.")


def _number(progress: WarmUp, numbers: list[int]) -> int | None:
    return None if progress.is_warm else number_of(numbers, progress.day)


def _say(progress: WarmUp, said: str) -> None:
    logger.warning(
        "event=warm-up source=%s receiver=%s day=%d said=%r",
        progress.source.name, progress.receiver, progress.day, said,
    )  # fmt: skip
    audit.note(ACTOR, "warm_up", progress.source, reason=f"{progress.receiver}: {said}")


def _lead_home(progress: WarmUp, day: WarmUpDay, most: int) -> None:
    """Lead what waits beyond the number back, to be led to other sources."""
    given: dict[str, str | int] = {
        "source": progress.source.name, "receiver": progress.receiver, "most": most, "day": day.pk,
    }  # fmt: skip
    _move_home(EXCESS, given)


def _move_home(statement: str, given: dict[str, str | int]) -> None:
    homes = sql.column(statement, given)
    if homes:
        transaction.on_commit(lambda: notify_now(homes))


def forget_silent(*, now: datetime) -> None:
    """Begin anew with receivers that have heard nothing for so long: they have forgotten us."""
    border = now - SILENT
    for progress in _silent_pairs(border):
        with isolated(ItemKind.STEP, f"warm-up {progress}", lasting=False):
            _say(progress, "Cold: no mail for 30 days. It begins anew with the next.")
            progress.delete()
            _begin_today(WarmUpDay.objects.filter(receiver=progress.receiver), progress.source)
    heard = dict(
        SourceCount.objects.filter(event=SourceEvent.ACCEPTED, hour__gt=border)
        .values_list("source")
        .annotate(Max("hour"))
    )
    for source in Source.objects.filter(state__in=USED, state_since__lt=border):
        others = Source.objects.filter(state=SourceState.WARM).exclude(pk=source.pk)
        # The last one stays: with none there would be nobody to send.
        if source.name not in heard and others.exists():
            with isolated(ItemKind.STEP, f"warm-up {source.name}", lasting=False):
                if (now_is := _still(source, *USED)) is not None:
                    move(now_is, SourceState.COLD, "It has sent nothing for 30 days.")


def _silent_pairs(border: datetime) -> list[WarmUp]:
    """Return those without accepted mail since then: where it is warm it may have no days."""
    counts = SourceCount.objects.filter(event=SourceEvent.ACCEPTED, hour__gte=border)
    days = WarmUpDay.objects.filter(accepted__gt=0, date__gte=border.astimezone(UTC).date())
    heard = set(counts.values_list("source", "receiver").distinct())
    heard |= set(days.values_list("source__name", "receiver").distinct())
    rows = WarmUp.objects.filter(begun_at__lt=border).select_related("source")
    return [row for row in rows if (row.source.name, row.receiver) not in heard]


def move(source: Source, state: SourceState, reason: str, *, by: str | None = ACTOR) -> None:
    """Bring a source into another state; all drains hear of it."""
    source.state, source.reason, source.state_since = state, reason[:200], datetime.now(UTC)
    source.save(update_fields=["state", "reason", "state_since"])
    if state == SourceState.COLD:
        source.warm_ups.all().delete()
    if by is not None:
        audit.note(by, "warm_up", source, reason=f"{state.label}. {reason}")
    transaction.on_commit(lambda: notify_now(has_orders=True))


def _begin_today(rows: QuerySet[WarmUpDay], source: Source) -> None:
    """Give today, where it was opened already, the number of the source's first day."""
    for row in rows.filter(source=source, date=datetime.now(UTC).date()):
        row.day, row.number = (
            source.first_day,
            number_of(numbers_of(row.receiver), source.first_day),
        )
        row.save(update_fields=["day", "number"])


@transaction.atomic
def begin(source: Source, *, day: int = 1, by: str | None) -> None:
    """Warm a source up from this day of the plans on, with every receiver.

    What waits in its lanes is led anew, so that no more than the number of the day leaves by it.
    `by` None: the caller writes the audit log.
    """
    source.warm_ups.all().delete()
    source.first_day, source.warms_each = day, True
    source.save(update_fields=["first_day", "warms_each"])
    _begin_today(WarmUpDay.objects.all(), source)
    _move_home(LED_BEFORE, {"source": source.name})
    move(source, SourceState.WARMING, f"From day {day} on.", by=by)


@transaction.atomic
def end(source: Source, receiver: str = "", *, by: str | None) -> None:
    """Call a source warm by a person's word: for one receiver, or for all that there are and will
    be.

    `by` None: the caller writes the audit log.
    """
    if receiver:
        begun = {"judged_on": datetime.now(UTC).date() - timedelta(days=1), "is_warm": True}
        WarmUp.objects.update_or_create(source=source, receiver=receiver, defaults=begun)
        WarmUpDay.objects.filter(
            source=source, receiver=receiver, date=datetime.now(UTC).date()
        ).update(number=None)
        if by is not None:
            audit.note(by, "warm_up", source, reason=f"{receiver}: warm by a person's word.")
        transaction.on_commit(lambda: notify_now(has_orders=True))
        return
    source.warms_each = False
    source.save(update_fields=["warms_each"])
    move(source, SourceState.WARM, "By a person's word.", by=by)


@transaction.atomic
def use(source: Source) -> None:
    """Put a source into use again, where its warm-up stood."""
    is_known = source.warm_ups.filter(is_warm=True).exists()
    is_done = is_known and not source.warm_ups.filter(is_warm=False).exists()
    goes_on = source.warms_each and not is_done
    move(source, SourceState.WARMING if goes_on else SourceState.WARM, "", by=None)
