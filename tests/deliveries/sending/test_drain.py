"""A drain with real PostgreSQL and Valkey, from queued rows to a scripted MX found through real
DNS.
"""

import asyncio
from datetime import timedelta

import pytest
from django.utils import timezone

from deliveries.backends.database import DatabaseUnavailable
from deliveries.models import Attempt, Delivery, Destination, Lane, Route
from deliveries.queue.lanes import Lanes
from deliveries.sending import drain as drain_module
from suppressions.models import Occurrence, Suppression
from tests.deliveries import make
from tests.deliveries.stage import drain_until, in_thread, play, scene
from tests.fakes.dns import Behaviour
from tests.fakes.mx import Drop, FakeMx, TakeAndDrop, Wait

pytestmark = pytest.mark.usefixtures("mail_db")


def states():
    return dict(Delivery.objects.values_list("recipient", "state"))


def tried(count=1):
    return lambda: Attempt.objects.count() >= count


def test_a_message_reaches_the_mx_that_dns_names(settings):
    delivery = make.delivery()
    mx = play(settings)
    [message] = mx.messages
    field, _, content = message.content.partition(b"\r\n")
    assert field.startswith(b"X-Feedback-Token: ")
    assert content == make.CONTENT
    assert (message.recipients[0], states()) == ("you@mx.test", {"you@mx.test": "delivered"})
    delivery.refresh_from_db()
    assert delivery.lane.site == "in.mx.test"
    attempt = Attempt.objects.get()
    assert (attempt.host, attempt.address, attempt.source, attempt.code) == (
        "in.mx.test",
        "127.0.0.1",
        "127.0.0.1",
        250,
    )


def test_the_reverse_path_names_the_delivery(settings):
    from deliveries.bounces import return_path
    from deliveries.bounces.keys import return_path_key

    delivery = make.delivery()
    [message] = play(settings).messages
    local_part, _, domain = message.reverse_path.partition("@")
    assert domain == settings.EKIDEN_HOSTNAME
    assert return_path.parse(local_part, key=return_path_key(), now=timezone.now()) == delivery.id


def test_a_null_reverse_path_stays_null(settings):
    make.delivery(of=make.message(mail_from=""))
    assert [message.reverse_path for message in play(settings).messages] == [""]


def test_a_refusal_bounces_the_delivery_and_owes_a_report(settings):
    make.delivery()
    play(settings, lambda mx: mx.on("RCPT", "550 5.1.1 no such user"))
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.owes_report) == ("bounced", True)
    assert (Attempt.objects.get().stage, Attempt.objects.get().text) == ("rcpt", "no such user")


@pytest.mark.parametrize(
    ("of", "notify"),
    [
        ({"mail_from": ""}, ""),
        ({}, "NEVER"),
        ({}, "SUCCESS,DELAY"),
        ({"sends_reports": False}, ""),
        (None, "FAILURE"),
    ],
)
def test_b5_no_report_follows_a_report_or_an_unwanted_failure(settings, of, notify):
    given = dict(of or {})
    project = make.project(sends_reports=given.pop("sends_reports", True))
    make.delivery(of=make.message(of=project, **given), notify=notify)
    play(settings, lambda mx: mx.on("RCPT", "550 5.1.1 no such user"))
    assert (Delivery.objects.get().state, Delivery.objects.get().owes_report) == (
        "bounced",
        of is None,
    )


def test_a_deferral_is_tried_again_after_the_projects_wait(settings):
    make.delivery(of=make.message(of=make.project(retry_schedule=[1])))
    mx = play(settings, lambda mx: mx.on("RCPT", "451 4.7.1 greylisted", "250 2.1.5 ok"))
    assert len(mx.messages) == 1
    assert [attempt.outcome for attempt in Attempt.objects.all()] == ["deferred", "delivered"]


def test_many_deliveries_share_few_connections(settings):
    make.rule(connections=3)
    of = make.message()
    for number in range(60):
        make.delivery(to=f"u{number}@mx.test", of=of)
    mx = play(settings)
    assert len(mx.messages) == 60
    assert len(mx.sessions) <= 3


def test_a_connection_carries_no_more_messages_than_allowed(settings):
    make.rule(connections=1, messages_per_connection=4)
    of = make.message()
    for number in range(10):
        make.delivery(to=f"u{number}@mx.test", of=of)
    mx = play(settings)
    assert len(mx.sessions) == 3


@pytest.mark.parametrize(
    "zones", [None, {"other.test": {}}], ids=["with a mail host", "without a domain"]
)
def test_a_suppressed_address_gets_nothing(settings, zones):
    delivery = make.delivery()
    Suppression.objects.create(address_key=delivery.recipient_key, reason="complained")
    mx = play(settings, zones=zones)
    assert (mx.messages, states()) == ([], {"you@mx.test": "suppressed"})


def test_a_reply_lost_after_the_final_dot_is_in_doubt_and_waits(settings):
    make.delivery()
    play(settings, lambda mx: mx.on("BODY", TakeAndDrop()), until=tried())
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.is_in_doubt) == ("deferred", True)
    assert delivery.due_at - timezone.now() > timedelta(minutes=50)
    assert Attempt.objects.get().outcome == "in_doubt"


def test_a_delivery_in_doubt_twice_is_not_tried_a_third_time(settings):
    make.delivery(of=make.message(of=make.project(retry_schedule=[1])))
    play(settings, lambda mx: mx.on("BODY", TakeAndDrop()))
    assert (Delivery.objects.get().state, Attempt.objects.count()) == ("bounced", 2)


def test_a_project_may_count_what_is_in_doubt_as_delivered(settings):
    make.delivery(of=make.message(of=make.project(in_doubt="delivered")))
    play(settings, lambda mx: mx.on("BODY", TakeAndDrop()))
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.is_in_doubt) == ("delivered", True)


def test_a_site_that_refuses_sessions_is_left_alone_and_the_rest_is_not_tried(settings):
    make.rule(connections=1)
    of = make.message()
    for number in range(5):
        make.delivery(to=f"u{number}@mx.test", of=of)
    play(
        settings,
        lambda mx: mx.on("GREETING", "421 4.3.2 too busy"),
        until=lambda: Lane.objects.filter(failures__gt=0).exists(),
    )
    lane = Lane.objects.get(site="in.mx.test")
    assert "too busy" in lane.pause_reason
    assert lane.paused_until > timezone.now()
    assert Attempt.objects.count() == 1
    assert Delivery.objects.filter(attempt_count=0, claim=0, state="queued").count() == 4


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


def test_a_connection_that_dies_between_two_messages_costs_no_attempt(settings):
    make.rule(connections=1)
    of = make.message()
    for number in range(2):
        make.delivery(to=f"u{number}@mx.test", of=of)
    mx = play(settings, lambda mx: mx.on("BODY", ["250 2.0.0 taken", Drop()], "250 2.0.0 taken"))
    assert (len(mx.messages), Attempt.objects.count()) == (2, 2)


def test_mail_with_8_bit_data_is_given_in_ascii_to_a_host_without_8bitmime(settings):
    content = make.CONTENT + "日本語\r\n".encode()
    make.delivery(of=make.message(content=content, eight_bit=True))

    def plain(mx):
        mx.extensions = ("PIPELINING",)

    mx = play(settings, plain)
    assert (states(), Attempt.objects.get().enhanced) == ({"you@mx.test": "delivered"}, "2.0.0")
    assert mx.messages[0].content.isascii()


def test_a_message_whose_content_is_gone_bounces_and_the_rest_flows(settings):
    from deliveries.models import Content

    gone = make.delivery(to="gone@mx.test")
    Content.objects.filter(pk=gone.message_id).delete()
    make.delivery()
    play(settings)
    assert states() == {"gone@mx.test": "bounced", "you@mx.test": "delivered"}


def test_a_drain_gives_its_lanes_back(settings):
    make.delivery()
    play(settings)
    assert not Lane.objects.filter(holder__isnull=False).exists()


def test_an_end_waits_for_postgresql_no_longer_than_a_hand_over_may_take(settings, monkeypatch):
    tries = []

    async def is_away(*_):
        tries.append(1)
        raise DatabaseUnavailable("the connection is refused")

    monkeypatch.setattr(drain_module, "HAND_BACK", 0.0)
    monkeypatch.setattr(Lanes, "release", is_away)
    make.delivery()
    play(settings)
    assert states() == {"you@mx.test": "delivered"}
    held = Lane.objects.filter(holder__isnull=False)
    assert len(tries) == held.count() > 0  # once for each: their next holder sees to the rest


def test_a_new_drain_looks_at_once(settings, monkeypatch):
    """Mail that came while the former one handed its lanes back must not wait for a wake-up or the
    next look.
    """
    monkeypatch.setattr(drain_module, "POLL", 3600.0)
    make.delivery()
    play(settings, seconds=60)
    assert states() == {"you@mx.test": "delivered"}


def test_new_work_is_found_without_a_bell(settings, monkeypatch):
    monkeypatch.setattr(drain_module, "POLL", 0.2)

    async def main():
        async with scene(settings) as (mx, _):
            waiting = asyncio.create_task(
                drain_until(lambda: bool(Delivery.objects.ended().exists()))
            )
            await asyncio.sleep(0.5)
            await asyncio.to_thread(in_thread, make.delivery)
            await waiting
            return mx

    assert len(asyncio.run(main()).messages) == 1


def test_a_drain_whose_time_is_over_holds_up_no_mail_for_a_slow_receiver(settings, monkeypatch):
    monkeypatch.setattr(drain_module, "HAND_BACK", 0.1)
    monkeypatch.setattr(drain_module, "POLL", 0.1)
    host = {"A": ["127.0.0.1"]}
    zones = {
        "mx.test": {"MX": [(1, "a.test")]},
        "b.test": {"MX": [(1, "c.test")]},
        "a.test": host,
        "c.test": host,
    }

    async def main():
        async with scene(settings, zones) as (mx, _):
            mx.on("RCPT", lambda argument: [Wait(2), "250 ok"] if "slow" in argument else None)
            await asyncio.to_thread(in_thread, lambda: make.delivery(to="slow@mx.test"))
            running = asyncio.create_task(drain_module.Drain().run(0.5))
            await asyncio.sleep(0.8)
            await asyncio.to_thread(in_thread, lambda: make.delivery(to="quick@b.test"))
            await running

    asyncio.run(main())
    assert list(Attempt.objects.values_list("delivery__recipient", flat=True)) == [
        "quick@b.test",
        "slow@mx.test",
    ]
