"""The traffic counts: written with each group, merged, and read."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from deliveries.insight import roll_ups, traffic
from deliveries.insight.traffic import Span, Traffic
from deliveries.message.priorities import Priority
from deliveries.models import Attempt, Delivery, TrafficCount
from deliveries.models.traffic import DAY, HOUR, MINUTE, UNMERGED
from deliveries.queue import cancellation, expiry
from tests.deliveries import make
from tests.deliveries.intake.test_committer import running, submission
from tests.deliveries.stage import play

pytestmark = pytest.mark.usefixtures("mail_db")
NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def count(amount=1, *, at=NOON, event="accepted", priority=1, **given):
    return TrafficCount.objects.create(
        at=at, priority=priority, event=event, amount=amount, **given
    )


def today():
    now = timezone.now()
    return traffic.totals(now - timedelta(hours=1), now + timedelta(hours=1))


def test_what_intake_takes_is_counted_once_for_each_recipient():
    async def main():
        async with running() as intake:
            await intake.accept(submission(credential, recipients=("you@mx.test", "me@mx.test")))
            await intake.accept(submission(credential, recipients=("you@mx.test", "me@mx.test")))

    credential = make.credential()
    asyncio.run(main())
    assert Delivery.objects.count() == 2  # the second is a repetition
    assert today() == Traffic(accepted=2)


def test_what_receivers_say_is_counted(settings):
    for number in range(3):
        make.delivery(f"u{number}@mx.test")
    play(
        settings,
        lambda mx: mx.on("RCPT", "250 ok", "550 5.1.1 no", "450 4.2.0 later"),
        until=lambda: Attempt.objects.count() == 3,
    )
    assert today() == Traffic(delivered=1, bounced=1, deferred=1)


def test_what_ends_by_its_deadline_is_counted():
    make.delivery(expires_at=timezone.now() - timedelta(hours=1))
    assert expiry.sweep() == 1
    assert today() == Traffic(expired=1)


def test_what_people_cancel_is_counted():
    lane = make.lane()
    make.delivery(lane=lane)
    cancellation.cancel_lanes([lane.pk], why="no longer wanted")
    assert today() == Traffic(cancelled=1)


def test_reports_of_ours_are_not_counted():
    make.delivery(expires_at=timezone.now() - timedelta(hours=1), flow=0, notify="NEVER")
    expiry.sweep()
    assert today() == Traffic()


@pytest.mark.parametrize(("step", "into", "age"), [
    (UNMERGED, MINUTE, timedelta(minutes=3)), (MINUTE, HOUR, timedelta(days=3)),
    (HOUR, DAY, timedelta(days=95)),
])  # fmt: skip
def test_old_counts_become_one_row_of_the_wider_step_and_the_sums_stay(step, into, age):
    for amount in (3, 4):
        count(amount, step=step)
    count(5, step=step, project=make.project())  # as an older version wrote it
    assert roll_ups.merge(now=NOON + age)
    assert list(TrafficCount.objects.values_list("step", "amount")) == [(into, 12)]


def test_the_minute_under_way_is_left_as_it_is():
    count(step=UNMERGED)
    assert roll_ups.merge(now=NOON + timedelta(seconds=59))
    assert TrafficCount.objects.get().step == UNMERGED


def test_priorities_and_buckets_are_kept_apart():
    for priority, bucket in ((1, 3), (1, 3), (1, 7), (2, 7)):
        count(event="delivered", priority=priority, bucket=bucket)
    roll_ups.merge(now=NOON + timedelta(minutes=5))
    assert TrafficCount.objects.count() == 3


def test_a_series_has_every_unit_also_the_empty_ones():
    count(2, at=NOON)
    count(3, at=NOON + timedelta(minutes=2), event="bounced")
    span = Span(NOON, NOON + timedelta(minutes=3), "minute")
    assert [(at, each.accepted, each.bounced) for at, each in traffic.figures(span).series] == [
        (NOON, 2, 0),
        (NOON + timedelta(minutes=1), 0, 0),
        (NOON + timedelta(minutes=2), 0, 3),
    ]


def test_days_are_those_of_the_time_zone():
    count(2, at=datetime(2026, 5, 3, 14, 59, tzinfo=UTC))
    count(5, at=datetime(2026, 5, 3, 15, 0, tzinfo=UTC))
    with timezone.override("Asia/Tokyo"):
        span = Span(
            datetime(2026, 5, 2, 15, tzinfo=UTC), datetime(2026, 5, 4, 15, tzinfo=UTC), "day"
        )
        assert [each.accepted for _at, each in traffic.figures(span).series] == [2, 5]


def test_a_day_in_which_clocks_change_is_one_entry():
    with timezone.override("Europe/Berlin"):
        start = datetime(2026, 10, 24, 22, tzinfo=UTC)  # midnight of a day with 25 hours
        count(1, at=start + timedelta(hours=24))
        count(1, at=start + timedelta(hours=25))
        span = Span(start, start + timedelta(hours=49), "day")
        assert [each.accepted for _at, each in traffic.figures(span).series] == [1, 1]


@pytest.mark.parametrize("night", ["2026-03-29", "2026-10-25"])
@pytest.mark.parametrize("unit", ["hour", "minute"])
def test_the_night_in_which_clocks_change_has_each_of_its_hours_once(night, unit):
    midnight = datetime.fromisoformat(night).replace(tzinfo=UTC)
    hours = [midnight + timedelta(hours=each) for each in range(-1, 5)]
    for hour in hours:
        count(at=hour)
    span = Span(hours[0], hours[-1] + timedelta(hours=1), unit)
    with timezone.override("Europe/Berlin"):
        found = traffic.figures(span).series
    assert [at.astimezone(UTC) for at, each in found if each.accepted] == hours
    assert len(found) == len(hours) * (60 if unit == "minute" else 1)


def test_the_rate_of_success_leaves_out_what_was_not_tried():
    assert Traffic(delivered=3, bounced=1, suppressed=9, cancelled=9).success_rate == 75
    assert Traffic(accepted=4, deferred=2).success_rate is None


def test_a_quantile_is_right_within_its_bucket():
    assert 0.0707 < traffic.quantile({14: 50, 20: 50}, 0.5) <= 0.128
    assert 0.7 < traffic.quantile({14: 50, 20: 50}, 0.95) <= 1.024
    with pytest.raises(ValueError, match="nothing"):
        traffic.quantile({}, 0.5)


def test_the_time_to_delivery_is_told_by_priority():
    count(10, event="delivered", bucket=14)
    count(10)
    found = traffic.times_to_delivery(NOON, NOON + timedelta(hours=1))
    span = Span(NOON, NOON + timedelta(hours=1), "minute")
    assert traffic.figures(span).times == found
    assert traffic.figures(span).total == Traffic(accepted=10, delivered=10)
    assert list(found) == [Priority.NORMAL]
    assert found[Priority.NORMAL].amount == 10
    assert 0.09 < found[Priority.NORMAL].p50 < 0.128


def test_figures_read_a_range_of_the_index():
    given = Span(NOON, NOON + timedelta(hours=1), "minute").parameters
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute("EXPLAIN " + traffic.FIGURES, given)
        plan = "\n".join(line for (line,) in cursor.fetchall())
        cursor.execute("RESET enable_seqscan")
    assert "traffic_by_time" in plan and "at >= " in plan
