"""What the ledger makes of a commit whose answer was lost."""

import asyncio

import pytest

from deliveries.backends.database import Database, DatabaseUnavailable
from deliveries.models import Attempt
from deliveries.models.states import DeliveryState
from deliveries.queue.ledger import Ledger
from tests.deliveries import make
from tests.deliveries.queue.test_ledger import entry, write

pytestmark = pytest.mark.usefixtures("mail_db")


class LosesTheAnswer(Database):
    """Commits, then loses the connection before the first answer arrives; others may act before it
    is back.
    """

    def __init__(self, meanwhile):
        super().__init__("test")
        self.meanwhile = meanwhile

    async def fetch(self, sql, parameters=None, **given):
        rows = await super().fetch(sql, parameters)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is None:
            return rows
        await super().fetch(meanwhile)
        raise DatabaseUnavailable("gone before its answer")


def test_an_entry_committed_before_its_answer_was_lost_is_written_once():
    delivery = make.delivery(claim=3)
    # Taken in hand again under the same lease, before the ledger knows that its entry was written.
    write(
        entry(delivery, DeliveryState.DEFERRED, wait=0.0),
        database=LosesTheAnswer("UPDATE deliveries_delivery SET claim = 3"),
    )
    delivery.refresh_from_db()
    assert (delivery.claim, delivery.attempt_count, Attempt.objects.count()) == (3, 1, 1)


def test_a_bad_entry_behind_a_lost_answer_has_no_other_written_twice():
    delivery, bad = make.delivery(claim=3), make.delivery(claim=1)
    database = LosesTheAnswer("UPDATE deliveries_delivery SET claim = 3")

    async def main():
        ledger = Ledger(database)
        ledger.record(entry(delivery, DeliveryState.DEFERRED, wait=0.0))
        await ledger.turn()
        ledger.record(entry(bad, text="\0"))
        await ledger.turn()
        await database.close()

    asyncio.run(main())
    delivery.refresh_from_db()
    assert (delivery.claim, delivery.attempt_count) == (3, 1)
    assert Attempt.objects.filter(delivery=delivery).count() == 1
    assert Attempt.objects.get(delivery=bad).text == "(unreadable)"


def test_what_was_committed_before_its_answer_was_lost_is_logged_and_learned_from_once(caplog):
    caplog.set_level("INFO", "ekiden.mail")
    given, calls = entry(make.delivery(claim=3), DeliveryState.BOUNCED), []

    async def main():
        database = LosesTheAnswer("SELECT 1")
        ledger = Ledger(database, learned=lambda: calls.append(1))
        ledger.record(given)
        for _ in range(2):
            await ledger.turn()
        await ledger.flush()
        await database.close()

    asyncio.run(main())
    told = [record for record in caplog.records if record.name == "ekiden.mail"]
    assert (["event=bounced" in record.getMessage() for record in told], calls) == ([True], [1])
