"""What an agent does with its loads when connections, receivers and deadlines are against it."""

import asyncio
from datetime import timedelta

import pytest
from django.utils import timezone

from deliveries.backends.database import Database, DatabaseUnavailable
from deliveries.models import Attempt, Delivery, Lane
from deliveries.queue import lanes as lanes_module
from deliveries.queue.give_backs import UNCLAIM
from tests.deliveries import make
from tests.deliveries.stage import drain_until, play, scene
from tests.fakes.mx_actions import Drop, Wait

pytestmark = pytest.mark.usefixtures("mail_db")


def test_a_load_that_meets_a_connection_lost_while_idle_goes_over_another(settings):
    make.rule(connections=1)
    make.delivery()

    def late_one():
        if Delivery.objects.ended().count() == 1 and Delivery.objects.count() == 1:
            make.delivery(to="late@mx.test")
        return Delivery.objects.ended().count() == 2

    mx = play(
        settings,
        lambda mx: mx.on("BODY", ["250 2.0.0 taken", Wait(0.02), Drop()], "250 2.0.0 taken"),
        until=late_one,
    )
    assert len(mx.messages) == len(mx.sessions) == 2
    assert [attempt.outcome for attempt in Attempt.objects.all()] == ["delivered", "delivered"]


def test_a_host_that_knows_priorities_is_told_ours(settings):
    make.delivery("code@mx.test", priority=2)
    mx = play(settings, lambda mx: setattr(mx, "extensions", (*mx.extensions, "MT-PRIORITY")))
    assert "MT-PRIORITY=4" in mx.messages[0].mail_parameters


@pytest.mark.parametrize("answer", ["421 4.3.2 too busy", "554 5.7.1 go away"])
def test_a_site_that_refuses_all_sessions_costs_one_delivery_one_attempt(settings, answer):
    make.rule(connections=5)
    of = make.message()
    for number in range(30):
        make.delivery(to=f"u{number}@mx.test", of=of)
    play(
        settings,
        lambda mx: mx.on("GREETING", answer),
        until=lambda: Lane.objects.filter(failures__gt=0).exists(),
    )
    assert Attempt.objects.count() == 1
    assert Delivery.objects.filter(state="queued", attempt_count=0, claim=0).count() == 29


def test_a_site_that_allows_few_sessions_gets_all_mail_over_those(settings):
    make.rule(connections=5)
    of = make.message()
    for number in range(30):
        make.delivery(to=f"u{number}@mx.test", of=of)

    def script(mx):
        mx.on(
            "GREETING",
            lambda _: (
                None
                if sum(session.is_open for session in mx.sessions) <= 2
                else "421 4.7.0 too many sessions"
            ),
        )
        mx.on("BODY", [Wait(0.01), "250 2.0.0 taken"])

    mx = play(settings, script)
    assert len(mx.messages) == 30
    assert set(Attempt.objects.values_list("outcome", flat=True)) == {"delivered"}


def test_what_waits_in_a_slow_lane_past_its_deadline_is_given_back_unsent(settings):
    make.rule(connections=1)
    of = make.message()
    make.delivery(of=of)
    late = make.delivery(to="late@mx.test", of=of, expires_at=timezone.now() + timedelta(seconds=1))

    async def main():
        async with scene(settings) as (mx, _):
            mx.on("BODY", [Wait(2.5), "250 2.0.0 taken"])
            await drain_until(
                lambda: Delivery.objects.filter(
                    pk=late.pk, claim=0, expires_at__lt=timezone.now()
                ).exists(),
                4,
            )
            return mx

    mx = asyncio.run(main())
    assert [message.recipients for message in mx.messages] == [["you@mx.test"]]


def test_a_transaction_cut_short_by_sigterm_is_finished_and_written(settings):
    make.delivery()

    async def main():
        async with scene(settings) as (mx, _):
            mx.on("BODY", [Wait(0.5), "250 2.0.0 taken"])
            await drain_until(lambda: bool(mx.sessions))
            return mx

    assert len(asyncio.run(main()).messages) == 1
    assert Delivery.objects.get().state == "delivered"


HOSTILE = {
    "a hundred thousand lines": (b"550-5.1.1 no\r\n" * 100_000 + b"550 5.1.1 no\r\n", "bounced"),
    "escapes": (b"550 5.1.1 \x1b[31m\x1b]0;owned\x07<script>\xe2\x80\xae=cmd|x\r\n", "bounced"),
    "binary": (b"450 \x80\xff\x00\x01later\r\n", "deferred"),
    "a code that is none": (b"999 5.0.0 never\r\n", "deferred"),
    "the wrong kind": (b"354 go ahead\r\n", "deferred"),
    "a long line": (b"550 " + b"x" * 60_000 + b"\r\n", "bounced"),
    "an endless line": (b"550 " + b"x" * 200_000, "deferred"),
    "a goodbye": (b"421 4.3.2 closing\r\n", "deferred"),
}


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_reply_leads_to_the_right_state_and_a_clean_short_record(
    settings, kind, pipelining
):
    answer, state = HOSTILE[kind]
    make.delivery(of=make.message(of=make.project(retry_schedule=[3600])))

    def script(mx):
        mx.extensions = ("PIPELINING", "CHUNKING") if pipelining else ()
        mx.on("RCPT", answer)

    play(settings, script, until=lambda: Attempt.objects.exists())
    attempt = Attempt.objects.get()
    assert Delivery.objects.get().state == state
    assert len(attempt.text) <= 1000 and attempt.text.isprintable()


def two_for_one_connection(settings):
    make.rule(connections=1)
    of = make.message()
    return [make.delivery(to=f"u{number}@mx.test", of=of) for number in range(2)]


def test_a_lease_that_ran_out_while_its_worker_lives_leaves_nothing_in_doubt(settings):
    two_for_one_connection(settings)

    def ends_the_lease():
        # Both are in hand from here on.
        if Attempt.objects.exists() or Delivery.objects.filter(claim__gt=0).count() == 2:
            Lane.objects.filter(leased_until__isnull=False).update(leased_until=timezone.now())
        return not Delivery.objects.live().exists()

    play(settings, lambda mx: mx.on("BODY", [Wait(1.2), "250 2.0.0 taken"]), until=ends_the_lease)
    assert [attempt.outcome for attempt in Attempt.objects.all()] == ["delivered", "delivered"]


def test_nothing_more_is_sent_when_the_lease_may_be_over(settings, monkeypatch):
    monkeypatch.setattr(
        lanes_module, "LEASE_SECONDS", 0.5
    )  # and the drain renews every ten seconds: PostgreSQL is away
    two_for_one_connection(settings)
    mx = play(
        settings,
        lambda mx: mx.on("BODY", [Wait(0.6), "250 2.0.0 taken"]),
        until=lambda: Attempt.objects.exists(),
    )
    assert len(mx.messages) == 1
    assert Delivery.objects.filter(state="queued", claim=0).count() == 1


def test_what_waited_for_a_connection_is_not_sent_when_the_lease_may_be_over(settings, monkeypatch):
    """As after a stop of the process: another may have the lane by now."""
    monkeypatch.setattr(lanes_module, "LEASE_SECONDS", 0.5)
    make.delivery()
    there = []

    def script(mx):
        there.append(mx)
        mx.on("GREETING", [Wait(1.5), "220 mx.test"])

    def has_hung_up():
        return there[0].sessions and not there[0].sessions[0].is_open

    mx = play(settings, script, until=has_hung_up, seconds=30)
    assert (mx.messages, Attempt.objects.count()) == ([], 0)
    assert Delivery.objects.filter(state="queued", claim=0).count() == 1


@pytest.mark.parametrize("lost", [lanes_module.CLAIMS[20], lanes_module.CONTENT])
@pytest.mark.parametrize(
    "zones", [None, {"mx.test": {"MX": [(0, "")]}}], ids=["sent", "refused by DNS"]
)
def test_a_claim_whose_answer_was_lost_is_made_again_at_once(settings, monkeypatch, lost, zones):
    fetch, times = Database.fetch, iter([True])

    async def loses_its_first_answer(self, sql, parameters=None, **given):
        rows = await fetch(self, sql, parameters, **given)
        if sql == lost and next(times, False):
            raise DatabaseUnavailable("gone before its answer")
        return rows

    monkeypatch.setattr(Database, "fetch", loses_its_first_answer)
    two_for_one_connection(settings)
    play(settings, zones=zones, seconds=5)
    assert Attempt.objects.count() == 2
    assert not Delivery.objects.filter(is_in_doubt=True).exists()


@pytest.mark.parametrize(
    "lost",
    [{UNCLAIM}, {UNCLAIM, lanes_module.RELEASE, lanes_module.LEAVE}],
    ids=["claims", "all"],
)
@pytest.mark.parametrize("is_told_to_end", [True, False], ids=["at the end", "in a pause"])
def test_a_give_back_that_postgresql_did_not_take_is_made_again(
    settings, monkeypatch, lost, is_told_to_end
):
    """Else mail whose connection never spoke would read as possibly sent."""
    fetch, refused = Database.fetch, []

    async def is_away_for_a_moment(self, sql, parameters=None, **given):
        if sql in lost and len(refused) < 3:
            refused.append(sql)
            raise DatabaseUnavailable("away")
        return await fetch(self, sql, parameters)

    monkeypatch.setattr(Database, "fetch", is_away_for_a_moment)
    of = make.message()
    for number in range(5):
        make.delivery(to=f"u{number}@mx.test", of=of)
    answer = [Wait(600)] if is_told_to_end else "421 4.3.2 too busy"

    def is_done():
        if is_told_to_end:
            return Delivery.objects.filter(claim__gt=0).count() == 5
        return Lane.objects.filter(failures__gt=0, holder=None).exists()

    play(settings, lambda mx: mx.on("GREETING", answer), until=is_done, seconds=30)
    assert refused
    assert not Lane.objects.filter(holder__isnull=False).exists()
    assert not Delivery.objects.exclude(claim=0).exists()
    assert not Attempt.objects.filter(outcome="in_doubt").exists()
