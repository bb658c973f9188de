"""The clock was ahead and was set back: what was written meanwhile waits no longer than it was
meant to.
"""

import asyncio
from datetime import timedelta

import pytest
from django.utils import timezone

from deliveries.backends.database import Database
from deliveries.message.ids import first_id_of
from deliveries.models import Attempt, Delivery, Lane
from deliveries.queue import future_times
from tests.deliveries import make

HOUR = timedelta(hours=1)
pytestmark = pytest.mark.usefixtures("mail_db")


def by(work):
    async def main():
        database = Database("test")
        found = await work(database)
        await database.close()
        return found

    return asyncio.run(main())


def mend():
    by(future_times.mend)


def seconds_until(moment):
    return round((moment - timezone.now()).total_seconds(), -1)


def test_mail_of_the_hour_that_was_none_is_due_now():
    ahead = timezone.now() + HOUR
    made = make.delivery(id=first_id_of(ahead), due_at=ahead)
    mend()
    assert seconds_until(Delivery.objects.get(id=made.id).due_at) == 0


def test_the_newest_rows_tell_of_a_clock_that_was_ahead_while_nobody_looked():
    assert not by(future_times.are_there)
    made = make.delivery()
    assert not by(future_times.are_there)
    attempt = Attempt.objects.create(
        delivery=made, at=timezone.now() + HOUR, outcome="deferred", stage="rcpt"
    )
    assert by(future_times.are_there)
    attempt.delete()
    ahead = timezone.now() + HOUR
    made = make.delivery(id=first_id_of(ahead), due_at=ahead)
    assert by(future_times.are_there)
    mend()
    assert not by(future_times.are_there)


def test_a_second_try_keeps_its_distance_from_the_first():
    made = make.delivery(due_at=timezone.now() + HOUR + timedelta(seconds=300), attempt_count=1)
    Attempt.objects.create(
        delivery=made, at=timezone.now() + HOUR, outcome="deferred", stage="rcpt"
    )
    Attempt.objects.create(
        delivery=made, at=timezone.now() + HOUR / 2, outcome="deferred", stage="rcpt"
    )
    for _ in range(3):  # each worker looks, and each of their drains
        mend()
        assert seconds_until(Delivery.objects.get(id=made.id).due_at) == 300
    first, last = Attempt.objects.order_by("at").values_list("at", flat=True)
    assert (seconds_until(first), seconds_until(last)) == (-1800, 0)


def test_what_waits_for_a_reason_goes_on_waiting():
    made = make.delivery(due_at=timezone.now() + HOUR, attempt_count=3)
    Attempt.objects.create(delivery=made, at=timezone.now(), outcome="deferred", stage="rcpt")
    mend()
    assert seconds_until(Delivery.objects.get(id=made.id).due_at) == 3600


def test_leases_and_pauses_end_as_they_would_have():
    lane = make.lane(leased_until=timezone.now() + HOUR, paused_until=timezone.now() + 2 * HOUR)
    other = make.lane("other.test", paused_until=timezone.now() + timedelta(seconds=300))
    mend()
    lane.refresh_from_db()
    assert (seconds_until(lane.leased_until), seconds_until(lane.paused_until)) == (30, 900)
    assert seconds_until(Lane.objects.get(id=other.id).paused_until) == 300


def test_a_lane_that_is_not_paused_or_not_leased_stays_so():
    leased = make.lane(leased_until=timezone.now() + HOUR)
    paused = make.lane("paused.test", paused_until=timezone.now() + HOUR)
    mend()
    leased.refresh_from_db()
    paused.refresh_from_db()
    assert (seconds_until(leased.leased_until), leased.paused_until) == (30, None)
    assert (paused.leased_until, seconds_until(paused.paused_until)) == (None, 900)
