"""Several recipient domains at one host: the trouble of one is not its neighbours'."""

import asyncio
from uuid import uuid4

import pytest
from django.utils import timezone

from deliveries.insight import host_notes
from deliveries.models import Attempt, Delivery, Lane
from deliveries.routing.host_experience import Experience
from deliveries.sending import retry_schedule
from deliveries.sending.claimed_deliveries import ClaimedDeliveries, ClaimedDelivery
from deliveries.sending.domain_turns import SLOW, DomainTurns
from deliveries.shaping.window import START, Window
from deliveries.smtp.replies import Reply
from tests.deliveries import make
from tests.deliveries.stage import drain_until, play, scene
from tests.fakes.mx_actions import Hang, Held, Reset

BUSY = Reply(421, "4.3.0", "being moved")
SHARED = {
    "sick.test": {"MX": [(10, "in.mx.test")]},
    "well.test": {"MX": [(10, "in.mx.test")]},
    "also.test": {"MX": [(10, "in.mx.test")]},
    "in.mx.test": {"A": ["127.0.0.1"]},
}


def mails(domain, amount, of=None, **given):
    of = of or make.message()
    for number in range(amount):
        make.delivery(f"u{number}@{domain}", of, **given)


def delivered(domain):
    return Delivery.objects.filter(domain=domain, state="delivered").count()


# --- in the flow ---
@pytest.mark.usefixtures("mail_db")
def test_a_domain_that_is_refused_with_421_stops_no_neighbour(settings):
    of = make.message()
    mails("sick.test", 30, of)
    mails("well.test", 20, of)

    def script(mx):
        mx.on(
            "RCPT",
            lambda argument: (
                "421 4.3.0 this domain is being moved, closing"
                if "@sick.test" in argument
                else None
            ),
        )

    play(settings, script, zones=SHARED, until=lambda: delivered("well.test") == 20, seconds=60)
    lane = Lane.objects.get(site="in.mx.test")
    assert lane.paused_until is None and lane.failures == 0
    # And the others of that domain were not tried.
    assert Attempt.objects.exclude(outcome="delivered").count() < 10
    (line,) = [
        line
        for line in host_notes.lines(lane, now=timezone.now())
        if line.startswith("sick.test: ")
    ]
    assert "421 4.3.0 this domain is being moved" in line


@pytest.mark.usefixtures("mail_db")
def test_a_loss_in_a_group_of_commands_may_be_the_domains(settings):
    """The host had gathered its reply to MAIL, and went at RCPT."""
    make.lane("in.mx.test", experience={"hosts": {"in.mx.test": {"proven": ["PIPELINING"]}}})
    of = make.message()
    mails("sick.test", 30, of)
    mails("well.test", 20, of)

    def script(mx):
        mx.on("MAIL", Held("250 2.1.0 ok"))
        mx.on("RCPT", lambda argument: Reset() if "@sick.test" in argument else None)

    play(settings, script, zones=SHARED, until=lambda: delivered("well.test") == 20, seconds=60)
    lane = Lane.objects.get(site="in.mx.test")
    assert lane.paused_until is None and lane.failures == 0
    assert set(Attempt.objects.exclude(outcome="delivered").values_list("stage", flat=True)) == {
        "mail"
    }
    assert set(lane.experience["domains"]) == {"sick.test"}


@pytest.mark.usefixtures("mail_db")
def test_the_same_from_two_domains_is_the_sites_trouble(settings):
    of = make.message()
    make.rule(connections=10)
    mails("sick.test", 1, of)
    mails("also.test", 1, of)
    play(
        settings, lambda mx: mx.on("RCPT", "421 4.3.0 closing"), zones=SHARED, seconds=60,
        until=lambda: Lane.objects.filter(site="in.mx.test", window__lt=START).exists(),
    )  # fmt: skip
    assert len(Lane.objects.get(site="in.mx.test").experience["domains"]) == 2


@pytest.mark.usefixtures("mail_db")
def test_a_domain_with_slow_look_ups_leaves_connections_to_others(settings):
    """And the host gets as many at once as the rule allows."""
    make.rule(connections=8)
    of = make.message()
    make.delivery("first@well.test", of)  # so that both are known to be there
    mails("sick.test", 60, of)

    async def main():
        async with scene(settings, SHARED) as (mx, _):
            mx.on("RCPT", lambda argument: Hang() if "@sick.test" in argument else None)
            late = asyncio.create_task(drain_until(lambda: delivered("well.test") == 11, 60))
            # One more after each second and a half, and one is kept for others.
            while mx.current < 6 and not late.done():
                await asyncio.sleep(0.05)
            await asyncio.to_thread(add)
            await late
            return mx

    def add():
        from django.db import connection

        mails("well.test", 10, of)
        connection.close()

    mx = asyncio.run(main())
    assert mx.peak >= 6 and delivered("sick.test") == 0


# --- piece by piece ---
def test_only_a_slow_domain_leaves_connections_to_others():
    turns = DomainTurns(Experience({}), is_shared=True)
    for _ in range(3):
        turns.begin(uuid4(), "slow.test", now=0.0)
    assert turns.held(now=SLOW, room=4) == frozenset()
    assert turns.held(now=SLOW + 1, room=4) == {"slow.test"}
    assert turns.held(now=SLOW + 1, room=8) == frozenset() and turns.slow(now=SLOW + 1) == {
        "slow.test"
    }
    turns.is_shared = False
    assert turns.held(now=SLOW + 1, room=4) == frozenset()


def test_trouble_of_a_domain_grows_has_an_end_and_is_over_with_a_success():
    known = Experience({})
    for times in (1, 2):
        assert not known.trouble("sick.test", BUSY, now=100.0, wait=lambda times: 10.0 * times)
        assert (
            known.troubled(now=100.0 + 10.0 * times - 1) == {"sick.test"}
            and known.troubled(now=100.0 + 10.0 * times) == frozenset()
        )
    assert known.trouble("also.test", BUSY, now=100.0, wait=lambda _: 10.0)
    known = Experience(known.snapshot(now=100.0))
    assert known.troubled(now=101.0) == {"sick.test", "also.test"}
    known.delivered_to("sick.test")
    assert known.troubled(now=101.0) == {"also.test"}


def test_what_is_loaded_leaves_in_turns_between_domains():
    loads, order = ClaimedDeliveries(), ["a1", "a2", "a3", "b1", "c1", "b2"]
    for name in order:
        loads.add(ClaimedDelivery(Claim(name), None, 0.0))
    assert loads.of({"a", "c"}) == 4 and loads.first({"a", "b"}).claimed.name == "c1"
    assert [loads.pop().claimed.name for _ in order] == ["a1", "b1", "c1", "a2", "b2", "a3"]
    loads.add(ClaimedDelivery(Claim("a4"), None, 0.0))
    with pytest.raises(IndexError):
        loads.pop({"a"})
    loads.put_back(ClaimedDelivery(Claim("d1"), None, 0.0))
    assert loads.pop().claimed.name == "d1" and len(loads) == 1


class Claim:
    priority = 1

    def __init__(self, name):
        self.name, self.domain = name, name[0]


def test_waiting_opens_the_window_up_to_the_rule():
    window = Window(2, 4)
    for _ in range(5):
        window.waited()
    assert window.size == 4
    window.trouble(busy=4)
    window.waited()
    assert window.size == 3
    window.waited()
    assert window.size == 4


def test_each_answer_that_wants_less_of_us_makes_the_wait_longer():
    waits = [retry_schedule.throttled(times, is_urgent=False, spread=0.0) for times in range(10)]
    assert waits[:4] == [5.0, 10.0, 20.0, 40.0] and waits[-1] == retry_schedule.THROTTLED_MOST
