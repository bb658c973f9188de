"""The hosts of a smarthost in their order: the next takes over, the first comes back, and one that
is ourselves gets nothing.
"""

import asyncio
from contextlib import AsyncExitStack

import pytest
from django.utils import timezone

from deliveries.models import Attempt, Delivery, Lane, Smarthost
from deliveries.sending import host_dialogue
from tests.deliveries import make
from tests.deliveries.sending.real_smarthosts import led
from tests.deliveries.stage import drain_until, scene
from tests.fakes.mx import EXTENSIONS, FakeMx
from tests.fakes.mx_actions import Drop, Hang, TakeAndDrop

pytestmark = pytest.mark.usefixtures("mail_db", "trusting")
FIRST, SECOND = "first.test", "second.test"
ZONES = {FIRST: {"A": ["127.0.0.1"]}, SECOND: {"A": ["127.0.0.2"]}}


def play(settings, authority, script, *, until=None, seconds=20):
    """Return both hosts after all was delivered, or `until`."""

    async def main():
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(scene(settings, ZONES))
            hosts = []
            for name, address in ((FIRST, "127.0.0.1"), (SECOND, "127.0.0.2")):
                given = {"tls": authority.server(name), "extensions": (*EXTENSIONS, "AUTH PLAIN")}
                mx = await stack.enter_async_context(FakeMx(host=address, **given))
                mx.on("AUTH", "235 2.7.0 welcome")
                hosts.append(mx)
            script(*hosts)
            await asyncio.to_thread(_in_thread, lambda: ready(*hosts))
            await drain_until(until or (lambda: not Delivery.objects.live().exists()), seconds)
            return hosts

    return asyncio.run(main())


def _in_thread(work):
    from django.db import connection

    try:
        return work()
    finally:
        connection.close()


def ready(first, second):
    hosts = [[FIRST, first.port, "verified"], [SECOND, second.port, "verified"]]
    if not Smarthost.objects.update(hosts=hosts, changed_at=timezone.now()):
        led(hosts)


def outcomes():
    return [(attempt.outcome, attempt.host) for attempt in Attempt.objects.order_by("id")]


@pytest.mark.parametrize("moment", ["GREETING", "AUTH", "MAIL", "DATA"])
def test_a_host_that_dies_before_the_final_dot_is_followed_by_the_next(settings, authority, moment):
    make.delivery()
    _, second = play(settings, authority, lambda first, _: first.on(moment, Drop()))
    assert len(second.messages) == 1 and outcomes()[-1] == ("delivered", SECOND)
    assert Delivery.objects.get().attempt_count == 1


def test_a_host_that_dies_after_the_final_dot_leaves_doubt_and_one_more_try(settings, authority):
    make.delivery()

    def script(first, _):
        first.on("BODY", TakeAndDrop())

    _, second = play(settings, authority, script, until=Attempt.objects.exists)
    delivery = Delivery.objects.get()
    assert delivery.is_in_doubt and delivery.state == "deferred" and second.sessions == []
    Delivery.objects.update(due_at=timezone.now())
    _, second = play(settings, authority, lambda first, _: first.on("GREETING", Drop()))
    assert len(second.messages) == 1
    assert outcomes() == [("in_doubt", FIRST), ("delivered", SECOND)]


def test_the_other_mail_of_the_lane_goes_on_by_the_second_host(settings, authority):
    for number in range(6):
        make.delivery(f"box{number}@mx.test")
    _, second = play(settings, authority, lambda first, _: first.on("MAIL", "421 4.3.2 dying"))
    assert len(second.messages) == 6
    assert Delivery.objects.filter(state="delivered").count() == 6


def probed(first):
    """Count the sessions that logged in and brought no message."""
    return len([each for each in first.sessions if not each.messages])


def test_a_host_that_was_put_aside_comes_back_after_a_good_look_without_a_message(
    settings, authority
):
    make.delivery()
    play(settings, authority, lambda first, _: first.on("MAIL", "421 4.3.2 closing"))
    lane = Lane.objects.get(site="smarthost:office")
    host, _, times, said = lane.experience["unwell"]["127.0.0.1"]
    make.delivery("while@mx.test")
    first, _ = play(settings, authority, lambda *_: None)
    assert first.sessions == []
    lane.refresh_from_db()
    lane.experience["unwell"]["127.0.0.1"] = [host, 1, times, said]
    lane.save()
    make.delivery("later@mx.test")
    Smarthost.objects.update(messages_per_connection=1)  # one that is open would carry on

    def is_back():
        if Lane.objects.get(site="smarthost:office").experience.get("unwell"):
            return False
        if Delivery.objects.count() == 3:
            make.delivery("last@mx.test")
        return not Delivery.objects.live().exists()

    first, second = play(settings, authority, lambda *_: None, until=is_back)
    assert (len(first.messages), len(second.messages), probed(first)) == (1, 1, 1)


def test_a_look_that_fails_leaves_the_host_aside_for_longer_and_delays_no_message(
    settings, authority
):
    make.delivery()
    play(settings, authority, lambda first, _: first.on("MAIL", "421 4.3.2 closing"))
    lane = Lane.objects.get(site="smarthost:office")
    host, _, times, said = lane.experience["unwell"]["127.0.0.1"]
    lane.experience["unwell"]["127.0.0.1"] = [host, 1, times, said]
    lane.save()
    make.delivery("later@mx.test")

    def is_noted():
        noted = Lane.objects.get(site="smarthost:office").experience["unwell"]["127.0.0.1"]
        return noted[2] == times + 1

    first, second = play(
        settings, authority, lambda first, _: first.on("GREETING", Drop()), until=is_noted
    )
    assert (len(first.messages), len(second.messages)) == (0, 1)


@pytest.mark.parametrize(("refused", "is_aside"), [(2, False), (3, True)])
def test_a_host_is_put_aside_for_the_third_message_in_a_row_that_it_refuses_for_now(
    settings, authority, refused, is_aside
):
    led([[FIRST, 1, "verified"]], connections=1, messages_per_connection=1)
    for number in range(refused):
        make.delivery(f"box{number}@mx.test")
    _, second = play(settings, authority, lambda first, _: first.on("BODY", "451 4.3.0 not now"))
    known = Lane.objects.get(site="smarthost:office").experience
    assert len(second.messages) == refused and Delivery.objects.filter(attempt_count=1).exists()
    assert ("127.0.0.1" in known.get("unwell", {})) is is_aside


def test_a_silent_host_holds_a_message_up_for_the_time_of_an_opening_alone(
    settings, authority, monkeypatch
):
    monkeypatch.setattr(host_dialogue, "OPENING", 1.0)
    make.delivery()
    _, second = play(settings, authority, lambda first, _: first.on("GREETING", Hang()))
    assert len(second.messages) == 1 and outcomes() == [("delivered", SECOND)]
    assert "127.0.0.1" in Lane.objects.get(site="smarthost:office").experience["unwell"]


def test_a_host_that_leaves_three_messages_in_doubt_is_put_aside(settings, authority):
    make.rule(connections=1)
    for number in range(3):
        make.delivery(f"box{number}@mx.test")

    def is_put_aside():
        lane = Lane.objects.filter(site="smarthost:office").first()
        return lane is not None and "127.0.0.1" in lane.experience.get("unwell", {})

    first, _ = play(
        settings, authority, lambda first, _: first.on("BODY", TakeAndDrop()), until=is_put_aside
    )
    assert len(first.messages) == 3


def test_a_host_that_is_ourselves_gets_nothing_and_the_mail_waits(settings, authority):
    settings.EKIDEN_HOSTNAME = "mx.test"
    make.delivery()
    first, second = play(
        settings,
        authority,
        lambda *_: None,
        until=lambda: Lane.objects.filter(paused_until__isnull=False).exists(),
    )
    lane, delivery = Lane.objects.get(site="smarthost:office"), Delivery.objects.get()
    assert "mail would go in circles" in lane.pause_reason
    assert not [line for line in first.commands + second.commands if line.startswith("AUTH")]
    assert delivery.state == "deferred"


def test_a_log_in_that_every_host_wants_in_the_middle_closes_the_lane(settings, authority):
    make.delivery()

    def script(*hosts):
        for mx in hosts:
            mx.on("MAIL", "530 5.7.0 authenticate first")

    play(settings, authority, script, until=Lane.objects.filter(closed_at__isnull=False).exists)
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempt_count) == ("deferred", 0)
    assert Lane.objects.get(site="smarthost:office").close_reason.startswith("530 5.7.0")


def test_its_own_limits_are_kept(settings, authority):
    smarthost = led([[FIRST, 1, "verified"]], per_day=10, connections=1)
    for number in range(4):
        make.delivery(f"box{number}@mx.test")

    def is_one_gone():
        return Delivery.objects.filter(state="delivered").exists()

    first, second = play(settings, authority, lambda *_: None, until=is_one_gone)
    lane = Lane.objects.get(smarthost=smarthost)
    assert len(first.messages) == 1 and second.messages == []
    assert (lane.provider, lane.pace["limit"]) == ("smarthost:office", "per_day")


def test_a_removed_smarthost_gives_its_mail_back(settings, authority):
    lane = make.lane("smarthost:gone", smarthost_id=4711, is_routed=True)
    make.leads_to(lane, "mx.test")
    delivery = make.delivery(lane=lane)
    make.delivery("box@mx.test")
    play(settings, authority, lambda *_: None)
    delivery.refresh_from_db()
    assert delivery.state == "delivered" and delivery.lane_id != lane.pk
