"""What is paused or closed while it is being sent."""

import asyncio
import time

import pytest

from deliveries.models import Attempt, Delivery, Lane, Stop
from deliveries.queue.wakeups import notify_now
from tests.deliveries import make
from tests.deliveries.sending.test_pacing import arrivals, queue
from tests.deliveries.stage import drain_until, play, scene
from tests.fakes.mx_actions import Reset, Wait

pytestmark = pytest.mark.usefixtures("mail_db")


@pytest.mark.parametrize("scope", ["project", "credential", "domain"])
def test_what_is_paused_is_put_aside_and_the_rest_flows(settings, scope):
    credential = make.credential()
    of = make.message(of=credential.project)
    [stopped] = queue(1, of=of, flow=credential.pk)
    other = make.delivery(to="you@other.test")
    target = {
        "project": {"project": credential.project},
        "credential": {"credential": credential},
        "domain": {"domain": "mx.test"},
    }
    Stop.objects.create(scope=scope, reason="a complaint", created_by="operator", **target[scope])
    zones = {
        "mx.test": {"MX": [(10, "in.mx.test")]},
        "other.test": {"MX": [(10, "in.mx.test")]},
        "in.mx.test": {"A": ["127.0.0.1"]},
    }

    def is_done():
        return (
            Delivery.objects.get(pk=other.pk).ended_at
            and Delivery.objects.get(pk=stopped.pk).lane_id == Lane.PARKED
        )

    mx = play(settings, zones=zones, until=is_done)
    assert [to for _, to in arrivals(mx)] == ["you@other.test"]
    stopped.refresh_from_db()
    assert (stopped.state, stopped.claim, stopped.attempt_count) == ("queued", 0, 0)


def test_a_released_delivery_passes_what_is_paused(settings):
    Stop.objects.create(scope="domain", domain="mx.test", reason="held", created_by="operator")
    make.delivery(hold=Delivery.Hold.RELEASED)
    assert len(play(settings).messages) == 1


def test_a_pause_reaches_what_is_loaded_already(settings):
    make.rule(per_second=4)
    queue(40)

    async def main():
        async with scene(settings) as (mx, _):
            running = asyncio.create_task(
                drain_until(
                    lambda: not Delivery.objects.live().exclude(lane=Lane.PARKED).exists(), 20
                )
            )
            while len(mx.messages) < 2:
                await asyncio.sleep(0.02)
            await asyncio.to_thread(stop_domain)
            await running
            return len(mx.messages)

    assert asyncio.run(main()) <= 5


def stop_domain():
    from django.db import connection

    Stop.objects.create(scope="domain", domain="mx.test", reason="held", created_by="operator")
    notify_now(has_orders=True)
    connection.close()


def test_the_emergency_stop_sends_nothing_and_loses_nothing(settings):
    Stop.objects.create(scope="all", reason="fire", created_by="operator")
    queue(3)
    began = time.monotonic()
    mx = play(settings, until=lambda: time.monotonic() - began > 2.5)
    assert not mx.sessions
    assert Delivery.objects.filter(state="queued", claim=0).count() == 3


def test_a_lane_that_is_closed_while_it_works_stops_within_seconds(settings):
    make.rule(per_second=5)
    queue(60)

    async def main():
        async with scene(settings) as (mx, _):
            running = asyncio.create_task(
                drain_until(
                    lambda: Lane.objects.filter(closed_at__isnull=False, holder=None).exists(), 20
                )
            )
            while len(mx.messages) < 2:
                await asyncio.sleep(0.02)
            await asyncio.to_thread(close_lane)
            await running
            return len(mx.messages)

    assert asyncio.run(main()) <= 12
    assert not Delivery.objects.live().exclude(claim=0).exists()


def close_lane():
    from django.db import connection
    from django.utils import timezone

    Lane.objects.filter(site="in.mx.test").update(
        closed_at=timezone.now(), closed_by="operator", close_reason="look"
    )
    connection.close()


def test_connections_that_a_carrier_resets_mean_too_fast_and_not_a_dead_host(settings):
    make.rule("carrier", mx_suffixes=["in.mx.test"], resets_are_throttling=True, connections=1)
    queue(1)
    play(settings, lambda mx: mx.on("GREETING", Reset()), until=lambda: Attempt.objects.exists())
    assert Attempt.objects.get().outcome == "throttled"
    assert Delivery.objects.get().attempt_count == 0


def test_a_host_that_hangs_up_while_others_work_gets_fewer_connections(settings):
    make.rule(connections=5)
    queue(40)

    def script(mx):
        mx.on(
            "GREETING",
            lambda _: None if sum(session.is_open for session in mx.sessions) <= 2 else Reset(),
        )
        mx.on("BODY", [Wait(0.02), "250 2.0.0 taken"])

    mx = play(settings, script, seconds=20)
    assert len(mx.messages) == 40
    assert Lane.objects.get(site="in.mx.test").window <= 3
