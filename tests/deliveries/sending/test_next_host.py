"""The next mail host is asked after any answer that is about the host, in one attempt (RFC 5321,
section 5.1).
"""

import asyncio
from contextlib import AsyncExitStack

import pytest
from django.utils import timezone

from deliveries.insight import host_notes
from deliveries.models import Attempt, Delivery, Lane
from deliveries.sending.drain import Drain
from tests.deliveries import make
from tests.deliveries.stage import drain_until, scene
from tests.fakes.mx import FakeMx
from tests.fakes.mx_actions import Drop, Hang, Reset, TakeAndDrop

pytestmark = pytest.mark.usefixtures("mail_db")

TWO_HOSTS = {
    "mx.test": {"MX": [(5, "a.mx.test"), (10, "b.mx.test")]},
    "a.mx.test": {"A": ["127.0.0.1"]},
    "b.mx.test": {"A": ["127.0.0.2"]},
}
UNWELL = {
    "a full disk": {"MAIL": "452 4.3.1 Insufficient system storage"},
    "no directory": {"RCPT": "451 4.3.0 Temporary lookup failure"},
    "no queue file": {"BODY": "451 4.3.0 queue file write error"},
    "too busy": {"MAIL": "421 4.3.2 Too busy"},
    "closing at RCPT": {"RCPT": "421 4.3.2 Service shutting down"},
    "gone at MAIL": {"MAIL": Reset()},
    "gone at DATA": {"DATA": Drop()},
    "no sense": {"MAIL": "354 go ahead"},
    "in maintenance": {"MAIL": "451 4.3.2 Down for maintenance"},
    "weary of the session": {"RCPT": "450 4.7.1 Error: too many errors"},
}


def deliver(settings, script, *, zones=TWO_HOSTS, until=None):
    """Return the hosts at 127.0.0.1 and 127.0.0.2, scripted by `script(first, second)`, after all
    was delivered or refused.
    """

    async def main():
        async with AsyncExitStack() as stack:
            first, _ = await stack.enter_async_context(scene(settings, zones))
            second = await stack.enter_async_context(FakeMx(host="127.0.0.2", port=first.port))
            script(first, second)
            await drain_until(until or (lambda: not Delivery.objects.live().exists()), 60)
            return first, second

    return asyncio.run(main())


def answers(**moments):
    def script(first, _):
        for moment, answer in moments.items():
            first.on(moment, answer)

    return script


def outcomes():
    return [(attempt.outcome, attempt.host) for attempt in Attempt.objects.order_by("id")]


@pytest.mark.parametrize("trouble", UNWELL)
def test_a_best_host_that_is_unwell_holds_nothing_up(settings, trouble):
    make.delivery()
    _, second = deliver(settings, answers(**UNWELL[trouble]))
    assert len(second.messages) == 1
    assert outcomes() == [("passed", "a.mx.test"), ("delivered", "b.mx.test")]
    assert Delivery.objects.get().attempt_count == 1


def test_the_other_address_of_a_host_is_another_host(settings):
    make.delivery()
    zones = {"mx.test": {"MX": [(5, "a.mx.test")]}, "a.mx.test": {"A": ["127.0.0.1", "127.0.0.2"]}}
    script = answers(MAIL="452 4.3.1 full", DATA="451 4.3.0 no")
    deliver(settings, lambda first, second: script(first, second), zones=zones)
    assert Delivery.objects.get().state == "delivered"
    assert Attempt.objects.get(outcome="delivered").address == "127.0.0.2"


def test_a_host_that_was_unwell_is_asked_later_for_a_while_and_people_see_it(settings):
    make.rule(connections=1)
    make.delivery()
    deliver(settings, answers(MAIL="452 4.3.1 full"))
    lane = Lane.objects.get(site="a.mx.test b.mx.test")
    (line,) = [line for line in host_notes.lines(lane, now=timezone.now()) if "[127.0.0.1]" in line]
    assert line.startswith(
        "a.mx.test [127.0.0.1]: asked after the other hosts until "
    ) and line.endswith("452 4.3.1 full")
    make.delivery("late@mx.test")
    first, second = deliver(settings, answers(MAIL="452 4.3.1 full"))
    assert len(first.sessions) == 0 and len(second.messages) == 1


def test_a_host_that_is_well_again_is_the_first_again(settings):
    make.delivery()
    deliver(settings, answers(MAIL="452 4.3.1 full"))
    lane = Lane.objects.get(site="a.mx.test b.mx.test")
    host, _, times, said = lane.experience["unwell"]["127.0.0.1"]
    lane.experience["unwell"]["127.0.0.1"] = [host, 1, times, said]
    lane.save()
    make.delivery("late@mx.test")
    first, _ = deliver(settings, lambda *_: None)
    assert (
        len(first.messages) == 1
        and "unwell" not in Lane.objects.get(site="a.mx.test b.mx.test").experience
    )


def test_what_is_said_of_one_recipient_says_nothing_about_the_host(settings):
    make.rule(connections=1)
    make.delivery()
    deliver(settings, answers(RCPT="451 4.3.0 lookup failed"))
    assert "unwell" not in Lane.objects.get(site="a.mx.test b.mx.test").experience
    make.delivery("b@mx.test")
    make.delivery("c@mx.test")
    deliver(settings, answers(RCPT="451 4.3.0 lookup failed"))
    assert Delivery.objects.filter(state="delivered").count() == 3


@pytest.mark.parametrize(
    "answer",
    ["550 5.1.1 no such user", "452 4.2.2 mailbox full", "450 4.2.0 greylisted, try again later"],
)
def test_an_answer_about_the_mailbox_is_asked_for_once(settings, answer):
    make.delivery()
    _, second = deliver(settings, answers(RCPT=answer), until=Attempt.objects.exists)
    assert second.sessions == [] and Attempt.objects.count() == 1


@pytest.mark.parametrize(
    "answer",
    [
        {"RCPT": "452 4.2.2 mailbox full"},
        {"RCPT": "450 4.2.0 greylisted, try again later"},
        {"RCPT": "451 4.7.1 Greylisting in action, please come back later"},
        {"MAIL": "450 4.3.2 Service currently unavailable"},
        {"BODY": "451 4.2.0 The filter of this mailbox has failed"},
    ],
)
def test_a_delivery_that_was_put_off_asks_the_other_hosts_about_the_mailbox_too(settings, answer):
    """The first host may say so for five days; the second one is well."""
    make.delivery(attempt_count=1)
    _, second = deliver(settings, answers(**answer))
    assert len(second.messages) == 1
    assert outcomes() == [("passed", "a.mx.test"), ("delivered", "b.mx.test")]


def test_a_receiver_that_wants_a_pause_is_not_asked_by_its_other_host_either(settings):
    make.delivery(attempt_count=1)
    script = answers(RCPT="450 4.2.1 unusual rate of mail from your address")
    _, second = deliver(settings, script, until=Attempt.objects.exists)
    assert second.sessions == []


def test_a_message_that_may_have_arrived_is_offered_to_nobody_else(settings):
    make.delivery()
    _, second = deliver(
        settings, lambda first, _: first.on("BODY", TakeAndDrop()), until=Attempt.objects.exists
    )
    assert second.sessions == [] and Delivery.objects.get().is_in_doubt


def test_a_site_whose_hosts_are_all_unwell_costs_one_try(settings):
    make.delivery()

    def script(first, second):
        first.on("MAIL", "452 4.3.1 full")
        second.on("MAIL", "451 4.3.0 busy with a backup")

    deliver(settings, script, until=lambda: Attempt.objects.filter(outcome="deferred").exists())
    assert outcomes() == [("passed", "a.mx.test"), ("deferred", "b.mx.test")]
    assert (
        Delivery.objects.get().attempt_count == 1
        and "unwell" not in Lane.objects.get(site="a.mx.test b.mx.test").experience
    )


def test_an_answer_is_written_down_where_the_worker_ends_while_it_asks_the_next_host(settings):
    """The first host has refused for now: nothing is in doubt, and the try counts."""
    made = make.delivery()

    async def main():
        async with AsyncExitStack() as stack:
            first, _ = await stack.enter_async_context(scene(settings, TWO_HOSTS))
            second = await stack.enter_async_context(FakeMx(host="127.0.0.2", port=first.port))
            first.on("MAIL", "452 4.3.1 Insufficient system storage")
            second.on("GREETING", Hang())
            drain = Drain()
            running = asyncio.create_task(drain.run(60))
            async with asyncio.timeout(30):
                while not second.sessions:
                    await asyncio.sleep(0.02)
            drain.stop()
            await running

    asyncio.run(main())
    made.refresh_from_db()
    assert (made.state, made.claim, made.attempt_count) == ("deferred", 0, 1)
    assert not made.is_in_doubt
    assert [attempt.code for attempt in Attempt.objects.all()] == [452]
