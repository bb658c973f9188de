import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from deliveries.backends.database import Database, DatabaseUnavailable
from deliveries.models import Attempt, Delivery
from deliveries.models.states import DeliveryState
from deliveries.queue.ledger import Ledger
from deliveries.queue.ledger_entries import LedgerEntry
from deliveries.queue.own_faults import Faults
from tests.deliveries import make

pytestmark = pytest.mark.usefixtures("mail_db")


def entry(delivery, state=DeliveryState.DELIVERED, **given):
    facts = {
        "outcome": str(state),
        "stage": "body",
        "code": 250,
        "enhanced": "2.0.0",
        "text": "taken",
        "host": "mx.test",
    }
    return LedgerEntry(
        delivery.id, delivery.message_id, delivery.recipient, delivery.claim, state, **facts | given
    )


def write(*entries, database=None):
    """Record the entries and let the ledger take its turns until they are written."""

    async def main():
        with_database = database or Database("test")
        ledger = Ledger(with_database)
        for one in entries:
            ledger.record(one)
        run = asyncio.create_task(ledger.run())
        await asyncio.wait_for(ledger.flush(), 10)
        run.cancel()
        await with_database.close()

    asyncio.run(main())


def test_a_delivered_entry_ends_the_delivery_and_leaves_an_attempt():
    delivery = make.delivery(claim=3)
    write(entry(delivery, address="192.0.2.1", source="192.0.2.2", tls="TLSv1.3"))
    delivery.refresh_from_db()
    assert (delivery.state, delivery.claim, delivery.attempt_count, delivery.due_at) == (
        "delivered",
        0,
        1,
        None,
    )
    [attempt] = Attempt.objects.filter(delivery=delivery)
    assert (attempt.code, attempt.enhanced, attempt.host, attempt.tls) == (
        250,
        "2.0.0",
        "mx.test",
        "TLSv1.3",
    )


def test_a_deferred_entry_sets_the_next_due_time():
    delivery = make.delivery(claim=3)
    write(entry(delivery, DeliveryState.DEFERRED, wait=60.0))
    delivery.refresh_from_db()
    assert (delivery.state, delivery.ended_at, delivery.claim) == ("deferred", None, 0)
    assert timedelta(seconds=55) < delivery.due_at - timezone.now() < timedelta(seconds=61)


def test_who_lost_the_claim_can_no_longer_fail_or_defer_the_delivery():
    delivery = make.delivery(claim=3)
    delivery.claim = 2
    write(entry(delivery, DeliveryState.BOUNCED))
    delivery.refresh_from_db()
    assert (delivery.state, delivery.claim) == ("queued", 3)
    assert Attempt.objects.filter(delivery=delivery).count() == 1


def test_who_lost_the_claim_can_still_say_that_the_mail_arrived():
    delivery = make.delivery(claim=3)
    delivery.claim = 2
    write(entry(delivery))
    delivery.refresh_from_db()
    assert delivery.state == "delivered"


def test_an_ended_delivery_is_not_moved_again():
    delivery = make.delivery(state="cancelled", ended_at=timezone.now(), due_at=None)
    write(entry(delivery))
    delivery.refresh_from_db()
    assert delivery.state == "cancelled"


def test_entries_wait_while_postgresql_is_out_of_reach(monkeypatch):
    delivery = make.delivery()
    database = FailsTwice("test")
    write(entry(delivery), database=database)
    delivery.refresh_from_db()
    assert (delivery.state, database.failures) == ("delivered", 2)


class FailsTwice(Database):
    """A connection that breaks before its first two statements."""

    failures = 0

    async def fetch(self, *args, **given):
        if self.failures < 2:
            self.failures += 1
            await self.run(lambda connection: connection.close())
            raise_lost()
        return await super().fetch(*args)


def raise_lost():
    raise DatabaseUnavailable("connection lost")


def test_there_is_room_again_once_entries_are_written(monkeypatch):
    monkeypatch.setattr("deliveries.queue.ledger.ROOM", 1)
    delivery = make.delivery()

    async def main():
        database = Database("test")
        ledger = Ledger(database)
        ledger.record(entry(delivery))
        waiting = asyncio.create_task(ledger.has_room())
        await asyncio.sleep(0)
        assert not waiting.done()
        await ledger.turn()
        await asyncio.wait_for(waiting, 5)
        await database.close()

    asyncio.run(main())


@pytest.mark.parametrize("text", ["\ud800", "\0"])
def test_an_entry_whose_words_cannot_be_stored_still_moves_its_delivery(text):
    delivery, other = make.delivery(claim=1), make.delivery(claim=1)
    write(entry(delivery, text=text), entry(other))
    assert set(Delivery.objects.values_list("state", flat=True)) == {"delivered"}
    assert Attempt.objects.get(delivery=delivery).text == "(unreadable)"


def test_an_entry_that_cannot_be_written_at_all_holds_up_no_other():
    bad, good = make.delivery(claim=1), make.delivery(claim=1)
    write(entry(bad, seconds="no number"), entry(good))
    assert dict(Delivery.objects.values_list("id", "state")) == {
        bad.id: "queued",
        good.id: "delivered",
    }


def test_attempts_are_counted_as_far_as_the_column_reaches():
    delivery = make.delivery(claim=1, attempt_count=32767)
    write(entry(delivery, DeliveryState.DEFERRED, wait=60.0))
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempt_count) == ("deferred", 32767)


class NeverIdle(Database):
    """While each group is written, the next entry comes."""

    ledger: Ledger

    async def fetch(self, *words, **given):
        self.ledger.record(entry(make_up()))
        return await super().fetch(*words, **given)


def make_up():
    """Make up a delivery that nobody has: its entry is written all the same."""
    return Delivery(message_id=uuid4(), recipient="you@mx.test", claim=1)


def test_a_flush_waits_for_what_was_recorded_before_it_and_for_no_more():
    async def main():
        database = NeverIdle("test")
        ledger = database.ledger = Ledger(database)
        ledger.record(entry(make_up()))
        ledger.record(entry(make_up()))
        flushes = [asyncio.create_task(ledger.flush()) for _ in range(2)]
        await asyncio.sleep(0)
        await ledger.turn()
        done, _ = await asyncio.wait(flushes, timeout=5)
        assert len(done) == 2
        late = asyncio.create_task(ledger.flush())
        await asyncio.sleep(0)
        assert not late.done()
        await ledger.turn()
        await asyncio.wait_for(late, 5)
        await database.close()

    asyncio.run(main())


def test_a_wait_in_whole_seconds_goes_with_the_others_in_one_statement(caplog):
    deliveries = [make.delivery(to=f"u{number}@mx.test", claim=3) for number in range(2)]
    waits = (3600, 61.5)  # IN_DOUBT_WAIT is an int
    write(
        *(
            entry(each, DeliveryState.DEFERRED, wait=wait)
            for each, wait in zip(deliveries, waits, strict=True)
        )
    )
    assert "was refused" not in caplog.text
    assert Attempt.objects.count() == 2


class Committed:
    """Stands where PostgreSQL does, and notes how many outcomes came in each group."""

    def __init__(self):
        self.groups = []

    async def fetch(self, sql, given):
        self.groups.append(len(given["id"]))
        return [(id_,) for id_ in given["id"]]


def test_outcomes_that_come_one_after_another_are_committed_together(monkeypatch):
    monkeypatch.setattr("deliveries.queue.ledger.EVERY", 60.0)
    first, second, third = (entry(make.delivery()) for _ in range(3))
    database = Committed()

    async def main():
        ledger = Ledger(database)
        run = asyncio.create_task(ledger.run())
        ledger.record(first)  # one alone waits for nobody
        while not database.groups:
            await asyncio.sleep(0)
        for one in (second, third):
            ledger.record(one)
            await asyncio.sleep(0.02)
        assert database.groups == [1]
        async with asyncio.timeout(5):
            await ledger.flush()  # somebody waits for them now
        run.cancel()

    asyncio.run(main())
    assert database.groups == [1, 2]


def test_a_server_that_refuses_to_write_for_a_while_ends_no_ledger_and_loses_no_outcome():
    delivery = make.delivery(claim=3)
    database = Database("test")

    async def main():
        await database.fetch("SET default_transaction_read_only = on")
        ledger = Ledger(database, faults=Faults(database))
        ledger.record(entry(delivery))
        run = asyncio.create_task(ledger.run())
        await asyncio.wait_for(ledger.flush(), 10)
        run.cancel()
        await database.close()

    asyncio.run(main())
    delivery.refresh_from_db()
    assert delivery.state == "delivered"
