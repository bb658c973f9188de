"""The controls while a drain is at work: what people say reaches the agents, and what they take
back goes on.
"""

import asyncio
import logging
from datetime import timedelta
from threading import Event

import pytest
from django.utils import timezone

from deliveries import jobs
from deliveries.models import Delivery, Destination, Lane, Order, Stop
from deliveries.steering import orders, pauses
from deliveries.steering.selection import Selection
from tests.deliveries import make
from tests.deliveries.stage import drain_until, in_thread, play, scene
from tests.fakes.mx import FakeMx
from tests.fakes.mx_actions import Wait

pytestmark = pytest.mark.usefixtures("mail_db")

Scope, Verb = Stop.Scope, Order.Verb


def all_delivered():
    return not Delivery.objects.exclude(state="delivered").exists()


def put_aside():
    return Delivery.objects.filter(lane=Lane.PARKED).exists()


def give(verb, selection=None, **given):
    return orders.give(verb, selection or Selection(), reason="they asked", by="otto", **given)


@pytest.mark.parametrize("scope", [Scope.PROJECT, Scope.CREDENTIAL, Scope.DOMAIN])
def test_mail_of_what_is_paused_is_held_as_it_comes_and_leaves_when_that_is_resumed(
    settings, scope
):
    credential = make.credential()
    project = {"project": credential.project}
    target = {
        Scope.PROJECT: project,
        Scope.CREDENTIAL: {"credential": credential},
        Scope.DOMAIN: {"domain": "mx.test"},
    }
    standing = pauses.stop(scope, reason="they asked", by="otto", **target[scope])
    make.delivery(of=make.message(credential.project), flow=credential.pk)

    async def main():
        async with scene(settings) as (mx, _):
            await drain_until(put_aside)
            assert mx.messages == []
            await asyncio.to_thread(in_thread, lambda: pauses.resume(standing))
            await drain_until(all_delivered)

    asyncio.run(main())


def test_a_released_message_passes_a_pause_and_the_others_wait_on(settings):
    pauses.stop(Scope.DOMAIN, domain="mx.test", reason="they asked", by="otto")
    released, other = (
        make.delivery(f"{name}@mx.test", lane_id=Lane.PARKED) for name in ("released", "other")
    )
    give(Verb.RELEASE, Selection(ids=(released.pk,)))
    mx = play(settings, until=lambda: Delivery.objects.filter(state="delivered").exists())
    assert [message.recipients for message in mx.messages] == [["released@mx.test"]]
    other.refresh_from_db()
    assert other.is_live


def test_while_all_is_stopped_nothing_leaves_whatever_is_ordered(settings):
    standing = pauses.stop(Scope.ALL, reason="a flood", by="otto")
    delivery = make.delivery()

    async def main():
        async with scene(settings) as (mx, _):
            draining = asyncio.create_task(drain_until(all_delivered, seconds=15))
            await asyncio.to_thread(in_thread, lambda: give(Verb.RETRY))
            await asyncio.to_thread(in_thread, lambda: give(Verb.RELEASE))
            await asyncio.sleep(2)
            assert mx.messages == []
            await asyncio.to_thread(in_thread, lambda: pauses.resume(standing))
            await draining

    asyncio.run(main())
    delivery.refresh_from_db()
    assert delivery.state == "delivered"


def test_a_closed_lane_keeps_its_mail_until_it_is_opened(settings):
    lane = make.lane("in.mx.test")
    make.leads_to(lane, "mx.test")
    make.delivery(lane=lane)
    pauses.close(lane, reason="they asked", by="otto")

    async def main():
        async with scene(settings) as (mx, _):
            await asyncio.to_thread(
                in_thread,
                lambda: Lane.objects.filter(pk=lane.pk).update(hosts=[[10, "in.mx.test", mx.port]]),
            )
            draining = asyncio.create_task(drain_until(all_delivered, seconds=15))
            await asyncio.sleep(1.5)
            assert mx.messages == []
            await asyncio.to_thread(in_thread, lambda: pauses.reopen(lane))
            await draining

    asyncio.run(main())


def test_what_is_led_to_a_host_goes_there_whatever_dns_says_and_new_mail_does_not(settings):
    async def main():
        async with scene(settings) as (mx, _), FakeMx() as chosen:
            led = await asyncio.to_thread(in_thread, lambda: lead_to(chosen.port))
            await drain_until(all_delivered)
            assert [message.recipients for message in chosen.messages] == [["led@mx.test"]]
            await asyncio.to_thread(in_thread, lambda: make.delivery("usual@mx.test"))
            await drain_until(all_delivered)
            assert [message.recipients for message in mx.messages] == [["usual@mx.test"]]
            return led

    led = asyncio.run(main())
    assert not Destination.objects.filter(lane=led).exists()


def lead_to(port):
    lane = make.lane()
    make.delivery("led@mx.test", lane=lane)
    forced = orders.forced_lane("127.0.0.1", port, "opportunistic")
    give(Verb.REROUTE, parameters={"lane": forced.pk})
    return forced


def test_what_is_rerouted_goes_where_its_domain_leads_now(settings):
    make.delivery(lane=make.lane("old.test", closed_at="2026-11-01T00:00:00Z"))
    give(Verb.REROUTE)
    assert len(play(settings).messages) == 1


def test_what_was_being_sent_when_it_was_cancelled_is_delivered_and_not_called_cancelled(settings):
    make.delivery()

    async def main():
        async with scene(settings) as (mx, _):
            mx.on("BODY", [Wait(1), "250 2.0.0 taken"])
            draining = asyncio.create_task(drain_until(all_delivered))
            while not mx.sessions or not any(
                line.startswith(("DATA", "BDAT")) for line in mx.sessions[0].commands
            ):
                await asyncio.sleep(0.02)
            order = await asyncio.to_thread(in_thread, lambda: give(Verb.CANCEL))
            await draining
            return order

    order = asyncio.run(main())
    jobs.carry_out_orders()
    order.refresh_from_db()
    assert (order.done, order.finished_at is not None, Delivery.objects.get().state) == (
        0,
        True,
        "delivered",
    )


def steer_until(is_over):
    """Do everything that moves deliveries about, over and over."""
    while not is_over.is_set():
        for verb in (Verb.HOLD, Verb.RELEASE, Verb.RETRY, Verb.REROUTE):
            orders.carry_out(give(verb, begins=False).pk)
        pauses.resume(pauses.stop(Scope.DOMAIN, domain="mx.test", reason="they asked", by="otto"))
        pauses.let_go(seconds=5)


def test_orders_and_couriers_are_never_in_each_others_way(settings, caplog):
    amount, sent = 1500, make.message()
    rows = (
        {"recipient": f"{number}@mx.test", "recipient_key": f"{number}@mx.test", "flow": number % 7}
        for number in range(amount)
    )
    common = {
        "message": sent,
        "project": sent.project,
        "domain": "mx.test",
        "expires_at": timezone.now() + timedelta(days=1),
    }
    Delivery.objects.bulk_create(Delivery(**common, **each) for each in rows)
    is_over = Event()

    async def main():
        async with scene(settings) as (mx, _):
            steering = asyncio.create_task(
                asyncio.to_thread(in_thread, lambda: steer_until(is_over))
            )
            draining = asyncio.create_task(drain_until(all_delivered, seconds=30))
            await asyncio.sleep(4)
            is_over.set()
            await steering
            await asyncio.to_thread(in_thread, let_all_go)
            await draining
            return [message.recipients[0] for message in mx.messages]

    arrived = asyncio.run(main())
    assert len(arrived) == len(set(arrived)) == amount
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


def let_all_go():
    """Let all go: what an order found in an agent's hand is held when it comes back, until the
    order is finished.
    """
    while Order.objects.filter(finished_at__isnull=True).exists():
        jobs.carry_out_orders()
    orders.carry_out(give(Verb.RELEASE, begins=False).pk)


def test_what_a_dead_worker_may_have_sent_is_in_doubt_also_where_it_is_paused_meanwhile(settings):
    """Its old claim says so, and is gone once it is put aside."""
    lane = make.lane(epoch=1)
    make.leads_to(lane, "mx.test")
    delivery = make.delivery(lane=lane, claim=1)
    pauses.stop(Scope.DOMAIN, domain="mx.test", reason="they asked", by="otto")
    mx = play(settings, until=put_aside)
    delivery.refresh_from_db()
    assert (mx.messages, delivery.is_in_doubt) == ([], True)
    assert [attempt.stage for attempt in delivery.attempts.all()] == ["interrupted"]
