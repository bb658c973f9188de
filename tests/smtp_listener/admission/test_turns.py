"""In-flow control: who waits while delivery is behind, and who never does."""

import asyncio
import smtplib

import pytest

from deliveries.capacity.inflow import NOTHING, URGENT_TARGET, Board, InflowReport
from deliveries.message.priorities import Priority
from deliveries.models import Delivery
from domains.senders.credentials import issue
from smtp_listener.admission.turns import (
    FLOOR,
    LEAST,
    MOST,
    TARGET,
    ListenerTurns,
    let_in,
)

BULK, NORMAL, URGENT = Priority.BULK, Priority.NORMAL, Priority.URGENT


class Quiet:
    """A board at which nobody is."""

    async def read(self):
        return NOTHING

    async def say(self, word):
        pass

    async def close(self):
        pass


def test_as_much_as_leaves_is_let_in_at_the_target_and_less_the_further_delivery_is_behind():
    assert let_in(0.0) == MOST
    assert let_in(1.0) == pytest.approx(1.0)
    assert let_in(3.0) < let_in(2.0) < 1.0
    assert let_in(3600.0) == LEAST


def in_turn(*asked, limit=0.001):
    """Return in which order these (priority, credential) are let in, where nearly nobody is."""

    async def main():
        turns, order = ListenerTurns(Quiet()), []
        turns._limit = limit

        async def come(priority, credential):
            await turns.wait(priority, credential, f"session {credential}")
            order.append((priority, credential))

        tasks = [asyncio.create_task(come(*each)) for each in asked]
        for _ in range(3):
            await asyncio.sleep(0)
        at_once = list(order)
        while turns._waiting:
            turns._next = 0.0
            turns._let_in(1.0)
            for _ in range(3):
                await asyncio.sleep(0)
        await asyncio.gather(*tasks)
        return at_once, order[len(at_once) :]

    return asyncio.run(main())


def test_urgent_mail_never_waits():
    at_once, later = in_turn((BULK, 1), (URGENT, 1), (NORMAL, 2), (URGENT, 3))
    assert at_once == [(URGENT, 1), (URGENT, 3)]
    assert set(later) == {(BULK, 1), (NORMAL, 2)}


def test_nobody_waits_while_delivery_keeps_up():
    at_once, later = in_turn((BULK, 1), (NORMAL, 1), limit=None)
    assert len(at_once) == 2 and not later


def test_credentials_take_turns():
    _, later = in_turn(*[(BULK, 1)] * 3, (BULK, 2))
    assert [credential for _, credential in later] == [1, 2, 1, 1]


def test_normal_mail_goes_before_bulk_and_bulk_gets_its_turn():
    _, later = in_turn(*[(BULK, 1)] * 2, *[(NORMAL, 2)] * 6)
    order = [priority for priority, _ in later]
    assert order[0] is NORMAL
    assert BULK in order[:4]


def test_the_less_is_let_in_the_later_urgent_mail_is():
    async def limit(late):
        turns = ListenerTurns(Quiet())
        turns._sessions = {"a"}
        turns._heed(InflowReport(per_second=400.0, weight=1, urgent_seconds_behind=late))
        return turns._limit

    assert asyncio.run(limit(0.0)) is None
    assert asyncio.run(limit(URGENT_TARGET)) == pytest.approx(400.0)
    assert asyncio.run(limit(2 * URGENT_TARGET)) < 400.0


def test_each_listener_lets_in_its_part():
    async def main():
        turns = ListenerTurns(Quiet())
        turns._sessions = {"a"}
        turns._heed(InflowReport(seconds_behind=TARGET, per_second=400.0, weight=4))
        return turns._limit

    assert asyncio.run(main()) == pytest.approx(100.0)


def test_however_far_delivery_is_behind_some_mail_is_let_in():
    async def main():
        turns = ListenerTurns(Quiet())
        turns._sessions = {"a"}
        turns._heed(InflowReport(seconds_behind=3600.0, per_second=0.0, weight=1))
        return turns._limit

    assert asyncio.run(main()) == FLOOR


@pytest.fixture
def behind(listener):
    """Return delivery that is so far behind that nobody's turn comes but for `FLOOR` messages a
    second.
    """

    async def say():
        board = Board("a worker")
        await board.say(InflowReport(seconds_behind=60.0, per_second=0.5))
        await board._valkey.aclose()
        listener.listener.turns._heed(await listener.listener.turns._board.read())

    return lambda: listener.run(say())


def test_an_app_hears_its_250_though_delivery_is_behind(client, behind):
    behind()
    client.sendmail("shop@shop.test", ["you@mx.test"], b"From: shop@shop.test\r\n\r\nhello\r\n")
    assert Delivery.objects.count() == 1


@pytest.mark.parametrize(("highest", "code"), [(NORMAL, 451), (URGENT, 250)])
def test_where_an_app_would_wait_for_too_long_it_is_asked_to_come_again(
    listener, domain, behind, highest, code
):
    credential, secret = issue(domain.project, "app", highest_priority=int(highest))
    with listener.connect(login=(credential.username, secret)) as client:
        behind()
        listener.listener.turns._waiting += 10_000
        assert client.docmd("MAIL", "FROM:<shop@shop.test>")[0] == code
        listener.listener.turns._waiting -= 10_000


def hand_in(client, *, header=b""):
    """Hand in a message, and return the code of the answer."""
    content = header + b"From: shop@shop.test\r\n\r\nhello\r\n"
    try:
        client.sendmail("shop@shop.test", ["you@mx.test"], content)
    except smtplib.SMTPDataError as error:
        return error.smtp_code
    return 250


def test_an_app_that_could_send_urgent_mail_waits_like_others_where_it_sends_none(
    listener, domain, behind
):
    credential, secret = issue(domain.project, "app")
    with listener.connect(login=(credential.username, secret)) as client:
        behind()
        listener.listener.turns._waiting += 10_000
        assert hand_in(client) == 451
        assert hand_in(client, header=b"X-Ekiden-Priority: urgent\r\n") == 250
        listener.listener.turns._waiting -= 10_000


def test_whose_mail_was_urgent_by_its_header_begins_at_once_from_then_on(listener, domain):
    credential, secret = issue(domain.project, "app")
    carrying = listener.listener.carrying
    with listener.connect(login=(credential.username, secret)) as client:
        assert hand_in(client, header=b"X-Ekiden-Priority: urgent\r\n") == 250
        carrying.busy += 10_000
        assert client.docmd("MAIL", "FROM:<shop@shop.test>")[0] == 250
        carrying.busy -= 10_000


def test_a_listener_that_ends_lets_all_in():
    async def main():
        turns = ListenerTurns(Quiet())
        turns._limit = 0.001
        waiting = asyncio.create_task(turns.wait(BULK, 1, "s"))
        await asyncio.sleep(0)
        assert not waiting.done()
        turns.open()
        await waiting

    asyncio.run(main())
