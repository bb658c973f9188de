"""A source that warms up carries its number of the day through real drains; a blocked one rests."""

import pytest
from django.utils import timezone

from deliveries import jobs
from deliveries.insight.tracing import why_waiting
from deliveries.models import (
    Attempt,
    Delivery,
    Lane,
    Source,
    SourceCount,
    SourceRest,
    WarmUpDay,
)
from tests.deliveries.queue.test_warm_up import plan
from tests.deliveries.sending.test_sources import by_source, many, source
from tests.deliveries.stage import play
from tests.deliveries.steering.test_warming import a_day_passes

pytestmark = pytest.mark.usefixtures("mail_db")

NEW, OLD = "127.0.0.2", "127.0.0.3"
BLOCKED = "554 5.7.1 Client host [127.0.0.2] blocked using zen.spamhaus.org"


def delivered(number):
    return lambda: Delivery.objects.filter(state="delivered").count() >= number


def test_each_day_the_number_goes_by_the_new_source_and_all_else_at_once_by_the_warm_one(settings):
    source("new", NEW, state="warming")
    source("old", OLD)
    numbers = [3, 5, 8]
    plan(*numbers, receiver="default")
    for number in numbers:
        Attempt.objects.all().delete()
        many(40)
        play(settings)
        assert by_source() == {NEW: number, OLD: 40 - number}
        jobs.warm_up()
        row = WarmUpDay.objects.order_by("date").last()
        assert (row.number, row.led, row.accepted) == (number, number, number)
        a_day_passes()
        jobs.warm_up()
    assert Source.objects.get(name="new").state == "warm"
    counted = SourceCount.objects.filter(event="accepted").values_list("source", "amount")
    assert sum(amount for name, amount in counted if name == "new") == sum(numbers)


def test_without_a_warm_source_what_is_above_the_number_waits_and_says_so(settings):
    source("new", NEW, state="warming")
    plan(3, receiver="default")
    many(10)
    play(settings, until=delivered(3))
    waiting = Delivery.objects.filter(state="queued").first()
    assert Delivery.objects.filter(state="delivered").count() == 3
    assert "new warms up for default, day 1 of 1: 3 of 3" in why_waiting(
        waiting, now=timezone.now()
    )


def test_urgent_mail_does_not_warm_a_source(settings):
    source("new", NEW, state="warming")
    source("old", OLD)
    many(20)
    Delivery.objects.update(priority=2)
    play(settings)
    assert by_source() == {OLD: 20}


def test_a_source_that_is_blocked_rests_and_its_mail_goes_by_the_other(settings):
    source("east", NEW)
    many(1)

    def is_done():
        if Lane.objects.filter(closed_at__isnull=False).exists():
            jobs.warm_up()
            if SourceRest.objects.exists() and Source.objects.count() == 1:
                source("west", OLD)
            jobs.watch_sources()
            Delivery.objects.filter(lane__home=None).live().update(due_at=timezone.now())
        return not Delivery.objects.live().exists()

    play(settings, lambda mx: mx.on("RCPT", BLOCKED, "250 2.1.5 ok"), until=is_done, seconds=30)
    rest = SourceRest.objects.get()
    home = Lane.objects.get(site="in.mx.test", home=None)
    assert (rest.source.name, rest.receiver) == ("east", f"lane-{home.pk}")
    assert "blocked using zen.spamhaus.org" in rest.reason
    assert by_source() == {OLD: 1}
    assert Delivery.objects.get().attempt_count == 1, "the block has used up no try"
