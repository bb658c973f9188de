"""Statements that lock several deliveries or lanes: none may wait for a row while another waits
for one of its own, which PostgreSQL ends after a second by failing one of the two.
"""

import asyncio
import importlib
import pkgutil
import re
from contextlib import AsyncExitStack
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest
from django.utils import timezone

import deliveries
from deliveries.backends.database import Database, parameters
from deliveries.models import Delivery, Lane, Order
from deliveries.queue.row_locks import change_deliveries
from deliveries.routing.destinations import Destinations
from deliveries.routing.resolver import Site
from deliveries.steering import order_statements
from tests.deliveries import make
from tests.deliveries.queue.test_lanes import holder

WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock'"
)
CHANGES = re.compile(r"UPDATE deliveries_(?:delivery|lane)\b|FOR (?:NO KEY )?UPDATE")
IN_ORDER = re.compile(
    r"SKIP LOCKED|ORDER BY (?:delivery\.)?id (?:LIMIT \S+ )?FOR NO KEY UPDATE"
    r"|ORDER BY site, source FOR NO KEY UPDATE"
)
# Statements about one row, and the ledger's, which takes its entries in the order that they are
# given in.
ONE_ROW = {"RELEASE", "NOTE", "LEAVE", "PAUSE", "CLOSE", "HOLD", "TAKE"}
GIVEN_IN_ORDER = {"RECORD"}
# What these are put into, or are put together with, is looked at itself.
PARTS = {"ACTS", "END"}


@pytest.fixture
def waiting(lane):
    """Return four deliveries: three in the lane, in the order of their ids, and one that waits to
    be routed; when they are due puts the routing's order the other way round.
    """
    ids = [UUID(int=number) for number in range(1, 5)]
    due = [timezone.now() - timedelta(seconds=seconds) for seconds in (40, 10, 30, 20)]
    lanes = [lane.pk, lane.pk, lane.pk, Lane.ROUTING]
    for id_, due_at, lane_id in zip(ids, due, lanes, strict=True):
        make.delivery(id=id_, due_at=due_at, lane_id=lane_id)
    return ids


class Others:
    """Other connections."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def connect(self, *, autocommit: bool = False) -> psycopg.AsyncConnection:
        made = await psycopg.AsyncConnection.connect(**parameters(), autocommit=autocommit)
        return await self._stack.enter_async_context(made)

    async def holding(self, id_: UUID) -> psycopg.AsyncConnection:
        other = await self.connect()
        await other.execute("SELECT FROM deliveries_delivery WHERE id = %s FOR UPDATE", (id_,))
        return other

    async def until_waiting(self, name: str, task: asyncio.Task) -> None:
        """Wait until this connection waits for a row; no longer than its task takes."""
        looking = await self.connect(autocommit=True)
        while not task.done():
            if await (await looking.execute(WAITING, (name,))).fetchone() != (0,):
                return
            await asyncio.sleep(0.01)


async def claim_beside_routing(lane: Lane, ids: list[UUID]) -> list[UUID]:
    """Have a claim and the routing meet the same two rows from both ends, as where an order sends
    them to be routed while the claim is at its first.
    """
    first, second, third, routed = ids
    async with AsyncExitStack() as stack, holder() as lanes:
        others = Others(stack)
        routing = Database("routing")
        stack.push_async_callback(routing.close)
        destinations = Destinations(routing, lambda lane: None, source="")
        [leased] = await lanes.lease([lane.pk], 1)
        hold_claim, hold_routing = await others.holding(first), await others.holding(routed)
        claim = asyncio.create_task(lanes.claim(leased, 10))
        await others.until_waiting("test", claim)
        order = await others.connect(autocommit=True)
        await order.execute(
            "UPDATE deliveries_delivery SET lane_id = %s WHERE id = ANY(%s) AND claim = 0",
            (Lane.ROUTING, [second, third]),
        )
        site = Site(lane.site, ((10, lane.site, 25),))
        route = asyncio.create_task(destinations.assign("mx.test", site))
        await others.until_waiting("routing", route)
        await hold_claim.commit()
        await others.until_waiting("test", claim)
        await hold_routing.commit()
        claimed, _ = await asyncio.gather(claim, route)
        return [each.id for each in claimed]


@pytest.mark.usefixtures("mail_db")
def test_a_claim_waits_for_nobody_and_the_routing_does_its_work(lane, waiting):
    first, second, third, _ = waiting
    assert asyncio.run(claim_beside_routing(lane, waiting)) == [third, second]
    assert set(Delivery.objects.values_list("lane_id", flat=True)) == {lane.pk}
    assert Delivery.objects.get(pk=first).claim == 0


def statements():
    """Yield the name of each statement in the code and its text."""
    for module in pkgutil.walk_packages(deliveries.__path__, "deliveries."):
        if ".migrations" in module.name:
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            texts = value.values() if isinstance(value, dict) else [value]
            for text in texts:
                if isinstance(text, str) and name.isupper():
                    yield f"{module.name}.{name}", text
    for verb in Order.Verb:
        yield f"order {verb}", order_statements.statement(verb, "true")


def is_in_order(name: str, text: str) -> bool:
    if name.rpartition(".")[2] in ONE_ROW | GIVEN_IN_ORDER | PARTS:
        return True
    return bool(IN_ORDER.search(re.sub(r"\s+", " ", text)))


def test_each_statement_that_locks_several_rows_takes_them_in_one_order_or_passes_over_them():
    found = {name: text for name, text in statements() if CHANGES.search(text)}
    assert len(found) > 20
    assert [name for name, text in found.items() if not is_in_order(name, text)] == []


@pytest.mark.parametrize(
    "text",
    [
        "UPDATE deliveries_delivery SET claim = 0 WHERE lane_id = 1",
        "SELECT id FROM deliveries_lane WHERE holder = 'x' FOR UPDATE",
        "SELECT id FROM deliveries_delivery ORDER BY due_at FOR UPDATE",
    ],
)
def test_one_that_does_neither_is_found(text):
    assert CHANGES.search(text)
    assert not is_in_order("SOME", text)
    assert is_in_order("SOME", change_deliveries("lane_id = 1", to="claim = 0"))


@pytest.mark.django_db
def test_an_update_of_lanes_locks_them_in_order_first(django_assert_num_queries):
    for site in ("b.test", "a.test"):
        make.lane(site)
    with django_assert_num_queries(4) as ran:  # with its savepoint
        assert Lane.objects.filter(site__endswith=".test").update(failures=1) == 2
    [locked] = [each["sql"] for each in ran.captured_queries if "FOR NO KEY UPDATE" in each["sql"]]
    assert '"site" ASC, "deliveries_lane"."source" ASC FOR NO KEY UPDATE' in locked
