"""Mail that is led from one lane to another while somebody else leases and claims it."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from deliveries.jobs import watch_sources
from deliveries.models import Delivery, Lane
from deliveries.queue.source_lanes import LEAD, LEAD_HOME
from tests.deliveries import make
from tests.deliveries.queue.test_lanes import holder, run
from tests.deliveries.queue.test_row_locks import Others

pytestmark = pytest.mark.usefixtures("mail_db")

# A clock that is read when the test says so: the statement has its snapshot by then.
SLOW_CLOCK = """
CREATE SCHEMA slow;
CREATE FUNCTION slow.now() RETURNS timestamptz LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(4711);
    RETURN pg_catalog.now();
END $$
"""


@pytest.fixture
def slow_clock(mail_db):
    with connection.cursor() as cursor:
        cursor.execute(SLOW_CLOCK)
        yield
        cursor.execute("DROP SCHEMA slow CASCADE")


def ago(seconds):
    return timezone.now() - timedelta(seconds=seconds)


@pytest.fixture
def home():
    return make.lane("mx.test")


@pytest.fixture
def lane(home):
    """Return a lane whose source is gone, and whose last lease has just ended."""
    return make.lane("mx.test", source="gone", home=home, epoch=1, leased_until=ago(1))


@asynccontextmanager
async def begun(statement, given):
    """Have the statement begun, with its snapshot taken, and finished at the end."""
    async with AsyncExitStack() as stack:
        others = Others(stack)
        clock, moving = await others.connect(), await others.connect(autocommit=True)
        await clock.execute("SELECT pg_advisory_xact_lock(4711)")
        await moving.execute("SET search_path = slow, pg_catalog, public")
        await moving.execute("SET application_name = 'moving'")
        moved = asyncio.create_task(moving.execute(statement, given))
        await others.until_waiting("moving", moved)
        yield
        await clock.commit()
        await moved


async def leased_meanwhile(lane, statement, given):
    async with holder() as lanes, begun(statement, given):
        [leased] = await lanes.lease([lane.pk], 1, sources=["gone"])
        [claimed] = await lanes.claim(leased, 1)
    return claimed.id, leased.epoch


@pytest.mark.usefixtures("slow_clock")
def test_what_is_claimed_at_the_moment_in_which_its_lane_is_led_home_stays_there(home, lane):
    delivery = make.delivery(lane=lane)
    given = {"lane": lane.pk, "home": home.pk}
    assert asyncio.run(leased_meanwhile(lane, LEAD_HOME, given)) == (delivery.pk, 2)
    delivery.refresh_from_db()
    assert (delivery.lane_id, delivery.claim) == (lane.pk, 2)


@pytest.mark.usefixtures("slow_clock")
def test_what_the_next_holder_has_claimed_is_led_nowhere_by_the_one_before(home, lane):
    Lane.objects.filter(pk=home.pk).update(epoch=1, leased_until=timezone.now())
    delivery = make.delivery(lane=home)
    given = {"ids": [delivery.pk], "lanes": [lane.pk], "home": home.pk, "epoch": 1}
    led = LEAD.replace("leased_until >= now()", "leased_until >= now() - interval '1 minute'")
    assert asyncio.run(leased_meanwhile(home, led, given)) == (delivery.pk, 2)
    delivery.refresh_from_db()
    assert (delivery.lane_id, delivery.claim) == (home.pk, 2)


def test_who_had_a_lane_that_was_led_home_cannot_go_on_with_its_lease(home, lane):
    name = uuid4()
    delivery = make.delivery(lane=lane, claim=1)
    Lane.objects.filter(pk=lane.pk).update(holder=name)
    watch_sources()
    assert Delivery.objects.get(pk=delivery.pk).lane_id == home.pk

    async def scene(lanes):
        return await lanes.renew([lane.pk])

    assert run(scene, name=name) == set()
