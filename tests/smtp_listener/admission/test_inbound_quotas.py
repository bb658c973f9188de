"""What is counted of strangers' mail is what is stored of it, whatever fails between."""

from contextlib import asynccontextmanager
from ipaddress import ip_address
from types import SimpleNamespace

import pytest
from django.conf import settings

from deliveries.backends.database import DatabaseUnavailable
from deliveries.message.ids import new_id
from smtp_listener.admission.inbound_quotas import REPORTS_OF_DELIVERY, InboundQuotas
from smtp_listener.admission.limits import Counters
from smtp_listener.sessions.inbound import InboundTarget, InboundTransaction

pytestmark = pytest.mark.usefixtures("valkey")
HOME = ip_address("192.0.2.7")


class Known:
    """Stands for PostgreSQL: what it knows to be stored today, or None while it is away."""

    def __init__(self, amount):
        self.amount = amount

    async def fetch(self, sql, given):
        if self.amount is None:
            raise DatabaseUnavailable("away")
        return [(self.amount,)]


@asynccontextmanager
async def quotas(known):
    counters = Counters(settings.REDIS_URL)
    try:
        yield InboundQuotas(counters, known)
    finally:
        await counters.close()


async def test_a_message_that_could_not_be_counted_leaves_the_count_to_the_next():
    known, delivery = Known(None), new_id()
    async with quotas(known) as mine:
        with pytest.raises(DatabaseUnavailable):
            await mine.take(HOME, delivery, 100)
        known.amount = REPORTS_OF_DELIVERY
        assert not await mine.take(HOME, delivery, 100)


async def test_a_report_that_was_never_stored_does_not_keep_out_the_one_that_comes_again():
    delivery = new_id()
    async with quotas(Known(0)) as mine:
        for _ in range(REPORTS_OF_DELIVERY + 1):
            assert await mine.take(HOME, delivery, 100)
            await mine.give_back(HOME, delivery, 100)
        assert await mine.has_room(HOME, delivery)


async def test_what_is_stored_counts():
    delivery = new_id()
    async with quotas(Known(0)) as mine:
        taken = [await mine.take(HOME, delivery, 100) for _ in range(REPORTS_OF_DELIVERY + 1)]
        assert taken == [True] * REPORTS_OF_DELIVERY + [False]
        assert not await mine.has_room(HOME, delivery)


class Away:
    async def fetch(self, sql, given):
        raise DatabaseUnavailable("away")


async def test_what_postgresql_does_not_store_is_given_back():
    delivery = new_id()
    async with quotas(Known(0)) as mine:
        listener = SimpleNamespace(inbound_quotas=mine, inbound=Away())
        for _ in range(REPORTS_OF_DELIVERY + 1):
            session = SimpleNamespace(listener=listener, client=HOME)
            transaction = InboundTransaction(session, None, {})
            transaction._targets.append(InboundTarget("report", delivery))
            with pytest.raises(DatabaseUnavailable):
                await transaction._store(b"report")
        assert await mine.has_room(HOME, delivery)
