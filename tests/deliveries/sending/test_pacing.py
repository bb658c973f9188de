"""A whole drain against receivers with limits: what it finds out, keeps to, and what urgent mail
gains by it.
"""

import asyncio
import time
from collections import deque

import pytest

from deliveries.models import Attempt, Delivery, Lane, Stop
from deliveries.queue.wakeups import notify_now
from domains.models import Credential
from tests.deliveries import make
from tests.deliveries.stage import drain_until, play, scene
from tests.fakes.mx import FakeMx, Hang, Reset, Wait

pytestmark = pytest.mark.usefixtures("mail_db")

BULK, NORMAL, URGENT = Credential.Priority.values


def queue(amount, *, priority=NORMAL, flow=0, to="u{}@mx.test", of=None):
    of = of or make.message()
    return [
        make.delivery(to=to.format(number), of=of, priority=priority, flow=flow)
        for number in range(amount)
    ]


def arrivals(mx):
    """(when, to whom) of each message the receiver took."""
    return [(message.at, message.recipients[0]) for message in mx.messages]


def test_no_second_holds_more_than_the_rule_allows(settings):
    make.rule(per_second=20)
    queue(60)
    mx = play(settings, seconds=15)
    times = [at for at, _ in arrivals(mx)]
    assert max(sum(1 for other in times if at <= other < at + 0.98) for at in times) <= 20
    assert 2.0 < times[-1] - times[0] < 5.0


def test_a_connection_limit_by_the_minute_is_kept(settings):
    make.rule(connections_per_minute=2, messages_per_connection=1)
    queue(3)
    mx = play(settings, until=lambda: Delivery.objects.ended().count() == 1, seconds=5)
    assert len(mx.sessions) == 1  # the next connection is due in half a minute


def throttling(limit, period=1.0):
    """A receiver's RCPT answer that refuses what is above its limit."""
    taken = deque()

    def answer(_):
        now = time.monotonic()
        while taken and now - taken[0] >= period:
            taken.popleft()
        if len(taken) >= limit:
            return "421 4.7.0 You are sending too fast, try again later"
        taken.append(now)
        return None

    return answer


def test_who_says_too_fast_is_sent_less_and_no_try_is_used_up(settings):
    queue(100)
    mx = play(settings, lambda mx: mx.on("MAIL", throttling(20)), seconds=30)
    assert len(mx.messages) == 100
    refused = Attempt.objects.filter(outcome="throttled").count()
    assert 0 < refused <= 15  # what was under way when it said so first, and little after
    assert set(Delivery.objects.values_list("attempt_count", flat=True)) == {1}


def test_what_was_learned_is_kept_for_the_next_holder(settings):
    queue(30)

    async def main():
        async with scene(settings) as (mx, _):
            mx.on("MAIL", throttling(10))
            await drain_until(lambda: Attempt.objects.filter(outcome="throttled").exists())
            before = len(mx.messages)
            await asyncio.sleep(1.1)  # the receiver would take ten at once
            await drain_until(lambda: Delivery.objects.ended().count() >= before + 8, 20)
            return [at for at, _ in arrivals(mx)][before:]

    times = asyncio.run(main())
    lane = Lane.objects.get(site="in.mx.test")
    assert 5 < lane.rate < 10 and lane.pace["limit"] == "learned"
    assert times[7] - times[0] > 0.6


def test_urgent_mail_overtakes_what_is_already_loaded(settings):
    make.rule(per_second=10)
    queue(200, priority=BULK)

    async def main():
        async with scene(settings) as (mx, _):
            async with asyncio.TaskGroup() as group:
                group.create_task(
                    drain_until(lambda: any("code" in to for _, to in arrivals(mx)), 20)
                )
                while len(mx.messages) < 5:
                    await asyncio.sleep(0.05)
                sent = time.monotonic()
                await asyncio.to_thread(urgent_now)
            return next(at for at, to in arrivals(mx) if "code" in to) - sent

    assert asyncio.run(main()) < 1.0


def urgent_now():
    from django.db import connection

    lane = Lane.objects.get(site="in.mx.test")
    make.delivery(to="code@mx.test", priority=URGENT, lane=lane)
    notify_now([lane.pk])
    connection.close()


def test_bulk_leaves_a_connection_for_urgent_mail(settings):
    make.rule(connections=5)
    queue(50, priority=BULK)

    async def main():
        async with scene(settings) as (mx, _):
            mx.on(
                "BODY", lambda content: None if "code" in content else [Wait(4), "250 2.0.0 taken"]
            )
            running = asyncio.create_task(
                drain_until(lambda: any(b"code" in message.content for message in mx.messages), 20)
            )
            while len(mx.messages) < 4:  # taken in, and thought about
                await asyncio.sleep(0.02)
            sent = time.monotonic()
            await asyncio.to_thread(code_now)
            await running
            return next(message.at for message in mx.messages if b"code" in message.content) - sent

    assert asyncio.run(main()) < 1


def code_now():
    from django.db import connection

    lane = Lane.objects.get(site="in.mx.test")
    make.delivery(of=make.message(content=make.CONTENT + b"code\r\n"), priority=URGENT, lane=lane)
    notify_now([lane.pk])
    connection.close()


def test_credentials_get_equal_shares_whatever_their_backlog(settings):
    make.rule(per_second=50)
    queue(300, flow=1, to="big{}@mx.test")
    queue(20, flow=2, to="small{}@mx.test")
    mx = play(
        settings, until=lambda: Delivery.objects.ended().filter(flow=2).count() == 20, seconds=15
    )
    before = [to for _, to in arrivals(mx)]
    last = max(number for number, to in enumerate(before) if "small" in to)
    assert sum("big" in to for to in before[: last + 1]) <= 30


def test_a_silent_host_costs_one_connection_and_nobody_elses_time(settings):
    zones = {
        "mx.test": {"MX": [(10, "in.mx.test")]}, "in.mx.test": {"A": ["127.0.0.1"]},
        "tar.test": {"MX": [(10, "in.tar.test")]}, "in.tar.test": {"A": ["127.0.0.2"]},
    }  # fmt: skip
    settings.EKIDEN_CONNECTIONS_PER_WORKER = 10
    for number in range(20):
        make.delivery(to=f"u{number}@tar.test")
        make.delivery(to=f"u{number}@mx.test")

    async def main():
        async with scene(settings, zones) as (mx, _):
            async with FakeMx(host="127.0.0.2", port=mx.port) as silent:
                silent.on("GREETING", Hang())
                await drain_until(lambda: Delivery.objects.ended().count() == 20, 20)
                return mx, silent

    mx, silent = asyncio.run(main())
    assert len(mx.messages) == 20
    assert len(silent.sessions) == 1


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
