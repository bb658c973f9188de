"""Which hosts a domain has, by DNS or by a route, and which of them is written to."""

import asyncio
from datetime import timedelta

import pytest
from django.utils import timezone

from deliveries.models import Attempt, Delivery, Destination, Route
from suppressions.models import Occurrence
from tests.deliveries import make
from tests.deliveries.sending.test_drain import states, tried
from tests.deliveries.stage import drain_until, in_thread, play, scene
from tests.fakes.dns import Behaviour
from tests.fakes.mx import FakeMx

pytestmark = pytest.mark.usefixtures("mail_db")


def test_the_next_host_is_tried_when_the_first_is_down(settings):
    make.delivery()
    zones = {
        "mx.test": {"MX": [(10, "down.mx.test"), (20, "up.mx.test")]},
        "down.mx.test": {"A": ["127.0.0.9"]},
        "up.mx.test": {"A": ["127.0.0.1"]},
    }
    play(settings, zones=zones)
    assert Attempt.objects.get().host == "up.mx.test"


@pytest.mark.parametrize("moment", ["GREETING", "EHLO"])
def test_the_next_host_is_tried_when_the_first_takes_no_session(settings, moment):
    make.delivery()
    zones = {
        "mx.test": {"MX": [(10, "busy.mx.test"), (20, "up.mx.test")]},
        "busy.mx.test": {"A": ["127.0.0.1"]},
        "up.mx.test": {"A": ["127.0.0.2"]},
    }

    async def main():
        async with (
            scene(settings, zones) as (busy, _),
            FakeMx(host="127.0.0.2", port=busy.port) as up,
        ):
            busy.on(moment, "421 4.3.2 too busy")
            await drain_until(lambda: not Delivery.objects.live().exists())
            return busy.sessions, up.messages

    sessions, messages = asyncio.run(main())
    assert (len(sessions), len(messages), Attempt.objects.get().host) == (1, 1, "up.mx.test")


def test_a_domain_without_mx_takes_mail_at_its_address(settings):
    make.delivery()
    play(settings, zones={"mx.test": {"A": ["127.0.0.1"]}})
    assert Attempt.objects.get().host == "mx.test"


@pytest.mark.parametrize(
    ("zones", "enhanced"),
    [({"mx.test": {"MX": [(0, "")]}}, "5.1.10")],
)
def test_a_domain_that_takes_no_mail_bounces_at_once(settings, zones, enhanced):
    make.delivery()
    play(settings, zones=zones)
    assert (Attempt.objects.get().stage, Attempt.objects.get().enhanced, states()) == (
        "dns",
        enhanced,
        {"you@mx.test": "bounced"},
    )


@pytest.mark.parametrize("zones", [{"other.test": {}}, {"mx.test": {"TXT": ["x"]}}])
def test_an_unknown_domain_is_asked_for_again_before_its_mail_is_given_up(settings, zones):
    """One answer of a resolver that fails for a minute is no proof about thousands of addresses."""
    delivery = make.delivery()
    play(settings, zones=zones, until=tried())
    first = Attempt.objects.get()
    assert (first.stage, first.enhanced, first.category, states()) == (
        "dns",
        "4.1.2",
        "unknown_domain",
        {"you@mx.test": "deferred"},
    )
    Delivery.objects.update(due_at=timezone.now())
    play(settings, zones=zones, until=lambda: Attempt.objects.count() == 2)
    assert states() == {"you@mx.test": "deferred"} and not Occurrence.objects.exists()
    Attempt.objects.update(at=timezone.now() - timedelta(hours=1, seconds=1))
    Delivery.objects.update(due_at=timezone.now())
    play(settings, zones=zones)
    assert (Attempt.objects.order_by("id").last().enhanced, states()) == (
        "5.1.2",
        {"you@mx.test": "bounced"},
    )
    assert Occurrence.objects.get().delivery_id == delivery.pk


def test_a_domain_that_is_there_again_gets_its_mail(settings):
    make.delivery()
    play(settings, zones={"other.test": {}}, until=tried())
    Attempt.objects.update(at=timezone.now() - timedelta(hours=2))
    Delivery.objects.update(due_at=timezone.now())
    play(settings)
    assert states() == {"you@mx.test": "delivered"}


def test_a_failing_name_server_is_never_a_bounce(settings):
    make.delivery()
    play(settings, behaviours={"mx.test": Behaviour.SERVFAIL}, until=tried())
    assert (states(), Attempt.objects.get().enhanced) == ({"you@mx.test": "deferred"}, "4.4.3")


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "0.0.0.0"])
def test_an_mx_at_a_private_address_is_never_connected_to(settings, address):
    make.delivery()

    async def main():
        async with scene(
            settings, {"mx.test": {"MX": [(10, "in.mx.test")]}, "in.mx.test": {"A": [address]}}
        ) as (mx, _):
            settings.EKIDEN_PRIVATE_NETWORKS = []
            await drain_until(lambda: not Delivery.objects.live().exists())
            return mx

    assert asyncio.run(main()).sessions == []
    assert (states(), Attempt.objects.get().enhanced) == ({"you@mx.test": "bounced"}, "5.4.4")


def test_a_route_goes_before_dns_and_may_lead_to_a_private_address(settings):
    make.delivery()

    async def main():
        async with scene(settings, {"other.test": {}}) as (mx, _):
            settings.EKIDEN_PRIVATE_NETWORKS = []
            await asyncio.to_thread(
                in_thread, lambda: Route.objects.create(pattern="*", host="127.0.0.1", port=mx.port)
            )
            await drain_until(lambda: not Delivery.objects.live().exists())
            return mx

    assert len(asyncio.run(main()).messages) == 1


def test_a_waiting_delivery_follows_its_domain_to_another_route(settings):
    lane = make.lane("old.test")
    make.delivery(lane=lane)
    Destination.objects.create(domain="mx.test", lane=lane, expires_at=timezone.now())
    play(settings)
    assert states() == {"you@mx.test": "delivered"}


def test_what_a_dead_worker_had_in_hand_is_noted_and_sent(settings):
    lane = make.lane("dead.test", epoch=4, leased_until=timezone.now())
    make.delivery(lane=lane, claim=4)
    play(settings)
    assert [attempt.stage for attempt in Attempt.objects.all()] == ["interrupted", "body"]


def test_a_delivery_with_which_workers_are_lost_again_and_again_waits_longer_each_time(settings):
    lane = make.lane("dead.test", epoch=4, leased_until=timezone.now())
    make.delivery(lane=lane, claim=4, throttle_count=5)
    play(settings, until=lambda: Attempt.objects.exists())
    delivery = Delivery.objects.get()
    assert delivery.due_at > timezone.now() + timedelta(seconds=100)
    assert (delivery.throttle_count, delivery.attempt_count) == (6, 0)
