"""The lane of the only source, to which intake leads mail straight, stays as the site is."""

import asyncio
from datetime import timedelta

import pytest
from django.utils import timezone

from deliveries.models import Delivery, Destination, Lane
from tests.deliveries import make
from tests.deliveries.intake.test_committer import accept, submission
from tests.deliveries.sending.test_sources import by_source, many, source
from tests.deliveries.stage import drain_until, in_thread, scene

pytestmark = pytest.mark.usefixtures("mail_db")
BOTH = {name: {"A": ["127.0.0.1"]} for name in ("a.mx.test", "b.mx.test")}


def all_gone():
    return not Delivery.objects.live().exists()


def deliver(settings, *preferences):
    zones = BOTH | {"mx.test": {"MX": list(zip(preferences, BOTH, strict=True))}}

    async def main():
        async with scene(settings, zones):
            await drain_until(all_gone, 20)

    asyncio.run(main())


def test_hosts_that_have_changed_their_order_reach_it(settings):
    source("east", "127.0.0.2")
    many(1)
    deliver(settings, 10, 20)
    Destination.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    many(1)
    deliver(settings, 20, 10)
    home = Lane.objects.get(home=None, site__contains="mx.test")
    [lane] = Lane.objects.filter(home=home)
    assert lane.hosts == home.hosts and min(lane.hosts)[1] == "b.mx.test"


def test_a_second_source_shares_the_next_mail(settings):
    source("east", "127.0.0.2")
    many(1)

    def a_second():
        accept(submission(make.credential()))
        assert Delivery.objects.live().get().lane.source == "east"
        source("west", "127.0.0.3")
        many(40)

    async def main():
        async with scene(settings):
            await drain_until(all_gone, 20)
            await asyncio.to_thread(in_thread, a_second)
            await drain_until(all_gone, 20)

    asyncio.run(main())
    straight = Delivery.objects.get(recipient="you@mx.test")
    assert straight.state == "delivered" and straight.lane.source == "east"
    assert set(by_source()) == {"127.0.0.2", "127.0.0.3"}
