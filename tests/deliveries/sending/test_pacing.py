"""A whole drain against receivers with limits: what it finds out, keeps to, and what urgent mail
gains by it.
"""

import asyncio
import time
from collections import deque

import pytest

from deliveries.models import Attempt, Delivery, Lane
from deliveries.queue.wakeups import notify_now
from domains.models import Credential
from tests.deliveries import make
from tests.deliveries.stage import drain_until, play, scene
from tests.fakes.mx import FakeMx
from tests.fakes.mx_actions import Hang, Wait

pytestmark = pytest.mark.usefixtures("mail_db")

BULK, NORMAL, URGENT = Credential.PriorityLevel.values


def queue(amount, *, priority=NORMAL, flow=0, to="u{}@mx.test", of=None):
    of = of or make.message()
    return [
        make.delivery(to=to.format(number), of=of, priority=priority, flow=flow)
        for number in range(amount)
    ]


def arrivals(mx):
    """Return (when, to whom) of each message the receiver took."""
    return [(message.at, message.recipients[0]) for message in mx.messages]


def test_no_second_holds_more_than_the_rule_allows(settings):
    make.rule(per_second=20)
    queue(60)
    mx = play(settings, seconds=120)
    times = [at for at, _ in arrivals(mx)]
    assert max(sum(1 for other in times if at <= other < at + 0.98) for at in times) <= 20
    assert 2.0 < times[-1] - times[0] < 60.0  # 3 at its full pace: a busy machine is slow


def test_a_connection_limit_by_the_minute_is_kept(settings):
    make.rule(connections_per_minute=2, messages_per_connection=1)
    queue(3)
    mx = play(settings, until=lambda: Delivery.objects.ended().count() == 1, seconds=5)
    assert len(mx.sessions) == 1  # the next connection is due in half a minute


def throttling(limit, period=1.0):
    """Return a receiver's RCPT answer that refuses what is above its limit."""
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
