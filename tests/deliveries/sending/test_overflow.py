"""What no source of a pool may carry leaves at once by the pool's smarthost."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError
from django.utils import timezone

from deliveries.insight.tracing import why_waiting
from deliveries.models import Delivery, Lane, Pool, SourceRest, WarmUpDay
from deliveries.routing import smarthosts
from domains.operations import audit
from tests.commands import ekiden, ekiden_json
from tests.deliveries import make
from tests.deliveries.queue.test_warm_up import plan
from tests.deliveries.sending.test_egress_to_smarthosts import ZONES
from tests.deliveries.sending.test_sources import by_source, many, source
from tests.deliveries.stage import drain_until, in_thread, scene
from tests.fakes.mx import FakeMx

pytestmark = pytest.mark.usefixtures("mail_db")
NEW, OLD = "127.0.0.2", "127.0.0.3"
SMART = "127.0.0.4"
WITH_SMART = ZONES | {"smart.test": {"A": [SMART]}}


@pytest.fixture
def smarthost():
    return make.smarthost(mechanism="none")


@pytest.fixture
def new(smarthost):
    """Make a source on its first day, whose pool has the smarthost as its overflow."""
    plan(3, 5, receiver="default")
    made = source("new", NEW, state="warming")
    Pool.objects.update(overflow=smarthost)
    return made


def all_gone():
    return not Delivery.objects.live().exists()


def deliver(settings, smarthost, until=all_gone, before=lambda: None):
    """Count the messages that the receiver and the smarthost have got."""

    async def main():
        async with AsyncExitStack() as stack:
            mx, _ = await stack.enter_async_context(scene(settings, WITH_SMART))
            smart = await stack.enter_async_context(FakeMx(host=SMART))

            def ready():
                smarthost.hosts = [["smart.test", smart.port, "none"]]
                smarthost.save()
                before()

            await asyncio.to_thread(in_thread, ready)
            await drain_until(until, 30)
            return len(mx.messages), len(smart.messages)

    return asyncio.run(main())


def test_what_is_above_the_number_of_the_day_goes_at_once_by_the_smarthost(
    settings, smarthost, new
):
    many(40)
    assert deliver(settings, smarthost) == (3, 37)
    assert WarmUpDay.objects.get().led == 3
    assert not Delivery.objects.filter(attempt_count__gt=1).exists()


def test_warm_sources_go_before_the_smarthost(settings, smarthost, new):
    source("old", OLD)
    many(40)
    assert deliver(settings, smarthost) == (40, 0)
    assert by_source() == {NEW: 3, OLD: 37}


def test_mail_of_a_receiver_for_which_all_sources_rest_goes_by_the_smarthost(
    settings, smarthost, new
):
    SourceRest.objects.create(source=new, receiver="default", reason="blocked")
    many(5)
    assert deliver(settings, smarthost) == (0, 5)


def test_urgent_mail_goes_by_the_smarthost_and_does_not_warm(settings, smarthost, new):
    many(5)
    Delivery.objects.update(priority=2)
    assert deliver(settings, smarthost) == (0, 5)


def test_urgent_mail_that_has_no_other_way_leaves_by_the_source_that_warms_up(
    settings, smarthost, new
):
    Pool.objects.update(overflow=None)
    many(3)
    Delivery.objects.update(priority=2)
    assert deliver(settings, smarthost) == (3, 0)
    assert WarmUpDay.objects.get().led == 3


def test_a_smarthost_that_is_closed_gets_no_overflow_which_waits_and_says_so(
    settings, smarthost, new
):
    make.lane(smarthost.site, smarthost=smarthost, is_routed=True, closed_at=timezone.now())
    many(10)

    def is_waiting():
        live = Delivery.objects.live()  # three have left, and what they said is written
        later = timezone.now() + timedelta(seconds=5)
        return live.count() == live.filter(due_at__gt=later).count() == 7

    assert deliver(settings, smarthost, is_waiting)[1] == 0
    said = why_waiting(Delivery.objects.live().first(), now=timezone.now())
    assert "new warms up for default, day 1 of 2: 3 of 3 messages of today are taken" in said


def test_mail_that_waits_at_the_smarthost_comes_back_where_it_is_no_overflow_any_more(
    settings, smarthost, new
):
    lane = make.lane(smarthost.site, smarthost=smarthost, is_routed=True)
    many(3)
    Delivery.objects.update(lane=lane)
    Pool.objects.update(overflow=None)
    assert deliver(settings, smarthost) == (3, 0)


def test_the_overflow_stays_at_the_smarthost_for_a_second_try(settings, smarthost, new):
    lane = make.lane(smarthost.site, smarthost=smarthost, is_routed=True)
    many(3)
    Delivery.objects.update(lane=lane)
    assert deliver(settings, smarthost) == (0, 3)
    assert set(Delivery.objects.values_list("lane", flat=True)) == {lane.pk}


def test_a_person_sets_the_overflow_and_the_smarthost_stays_while_it_is_one(smarthost):
    source("new", NEW)
    ekiden("pool", "set", "default", "new", "--overflow", "office")
    assert ekiden_json("pool", "list")["pools"][0]["overflow"] == "office"
    assert audit.of(Pool.objects.get()).first().details["overflow"] == "office"
    with pytest.raises(ValidationError, match="overflow of pools: default"):
        smarthosts.remove(smarthost)
    ekiden("pool", "set", "default", "new")
    smarthosts.remove(smarthost)
    assert not Lane.objects.filter(smarthost__isnull=False).exists()


def test_an_unknown_smarthost_is_refused():
    source("new", NEW)
    with pytest.raises(CommandError, match="no smarthost nobody"):
        ekiden("pool", "set", "default", "new", "--overflow", "nobody")


@pytest.mark.parametrize(
    "words",
    [
        ("pool", "lead", "default", "--receiver", "docmo"),
        ("smarthost", "lead", "office", "--receiver", "docmo"),
        ("source", "rest", "new", "--receiver", "docmo", "--reason", "they ask"),
        ("limit", "set", "carriers", "docmo", "--messages", "5"),
        ("source", "numbers", "docmo", "5,10"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_a_receiver_that_nobody_knows_is_refused_with_the_names_that_may_be_meant(smarthost, words):
    source("new", NEW)
    make.rule("docomo")
    with pytest.raises(CommandError, match=r"the name docmo\. Known: docomo"):
        ekiden(*words)
