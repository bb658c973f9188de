"""Urgent mail waits for no claim, no read and no look of other mail."""

import asyncio
from types import SimpleNamespace

import pytest

from deliveries.backends.database import Database, DatabaseUnavailable
from deliveries.models import Delivery
from deliveries.queue.lane_statements import CLAIMS
from deliveries.queue.wakeups import notify_now
from deliveries.sending.drain import Drain
from deliveries.sending.lane_claims import LaneClaims
from domains.models import Credential
from tests.deliveries import make
from tests.deliveries.stage import in_thread, scene

URGENT = Credential.PriorityLevel.URGENT


async def in_database(work):
    return await asyncio.to_thread(in_thread, work)


async def eventually(holds, seconds=10):
    async with asyncio.timeout(seconds):
        while not await in_database(holds):
            await asyncio.sleep(0.02)


def recipients(mx):
    return [list(message.recipients) for message in mx.messages]


@pytest.mark.usefixtures("mail_db")
@pytest.mark.parametrize("held_up", ["a claim of the lane", "the drain's look"])
def test_urgent_mail_passes_what_waits_for_postgresql(settings, monkeypatch, held_up):
    """The drain's usual connection gets no answer: to a claim, or to any statement."""
    fetch, gate, message = Database.fetch, asyncio.Event(), make.message()
    make.delivery(to="first@mx.test", of=message)
    is_held = False

    async def slow(self, sql, *args, **given):
        is_slow = held_up == "the drain's look" or sql in CLAIMS.values()
        if is_held and is_slow and self._name == "ekiden drain lanes":
            await gate.wait()
        return await fetch(self, sql, *args, **given)

    monkeypatch.setattr(Database, "fetch", slow)

    async def main():
        nonlocal is_held
        async with scene(settings) as (mx, _):
            drain = Drain()
            running = asyncio.create_task(drain.run(60))
            await eventually(lambda: not Delivery.objects.live().exists())
            lane, is_held = await in_database(lambda: Delivery.objects.get().lane_id), True
            await in_database(lambda: make.delivery(of=message, lane_id=lane))
            await asyncio.sleep(1.5)  # the drain looks once a second
            await in_database(
                lambda: make.delivery("code@mx.test", message, priority=URGENT, lane_id=lane)
            )
            await asyncio.to_thread(notify_now, [lane])
            await eventually(lambda: "code@mx.test" in [to for to, *_ in recipients(mx)])
            is_held = False
            gate.set()
            await eventually(lambda: not Delivery.objects.live().exists())
            drain.stop()
            await running
            return recipients(mx)

    assert sorted(asyncio.run(main())) == [["code@mx.test"], ["first@mx.test"], ["you@mx.test"]]


class PlayedLanes:
    """Lanes whose claims are answered by hand."""

    def __init__(self):
        self.asked, self.freed = [], 0

    async def claim(self, lane, most, **given):
        answer = asyncio.get_running_loop().create_future()
        self.asked.append((given["least"], answer))
        return await answer

    async def free_strays(self, lane, *, besides):
        self.freed += 1


async def has_room():
    pass


def claims(lanes):
    lane = SimpleNamespace(id=1, epoch=1, is_shared=False)
    ledger = SimpleNamespace(has_room=has_room, flush=has_room)
    orders = SimpleNamespace(version=0, stops=None)
    shared = SimpleNamespace(lanes=lanes, ledger=ledger, orders=orders)
    pace = SimpleNamespace(page=lambda now: 10)
    turns = SimpleNamespace(is_shared=False, held=lambda **given: frozenset())
    found = LaneClaims(
        lane, shared, pace, turns,
        loaded=has_room, notify=lambda: None, connections=lambda: (0, 0),
    )  # fmt: skip
    found.held = frozenset
    found._sieve = SimpleNamespace(sift=sifted)
    return found


async def sifted(claimed):
    return list(claimed)


async def hurried_while_it_claims(*, is_urgent=False):
    """Hurry a lane whose claim, urgent itself or not, is under way."""
    lanes = PlayedLanes()
    lane = claims(lanes)
    if is_urgent:
        lane.hurry()
    refill = asyncio.create_task(lane.refill_where_due())
    await asyncio.sleep(0)
    lane.wake(is_urgent=True)
    lane.hurry()
    await asyncio.sleep(0)
    return lanes, lane, refill


def test_beside_a_claim_that_is_urgent_itself_no_second_begins():
    async def main():
        lanes, lane, refill = await hurried_while_it_claims(is_urgent=True)
        [(_, claim)] = lanes.asked
        claim.set_result([])
        await refill
        refill = asyncio.create_task(lane.refill_where_due())
        await asyncio.sleep(0)
        assert len(lanes.asked) == 2  # what came meanwhile is claimed next
        lanes.asked[1][1].set_result([])
        await refill

    asyncio.run(main())


def test_no_claim_is_under_way_while_strays_are_freed(monkeypatch):
    """What it claims would be taken for a stray, be freed, and be sent twice."""
    monkeypatch.setattr("deliveries.sending.lane_claims.WAIT", 0)

    async def main():
        lanes, lane, refill = await hurried_while_it_claims()
        [(_, bulk), (least, urgent)] = lanes.asked
        assert least == URGENT
        bulk.set_exception(DatabaseUnavailable("the answer was lost"))
        await refill
        refill = asyncio.create_task(lane.refill_where_due())
        await asyncio.sleep(0.01)
        assert (lanes.freed, len(lanes.asked)) == (0, 2)
        lane.wake(is_urgent=True)
        lane.hurry()
        urgent.set_result([])
        await asyncio.sleep(0.01)
        assert (lanes.freed, len(lanes.asked)) == (1, 3)
        lanes.asked[-1][1].set_result([])
        await refill

    asyncio.run(main())


def test_a_fault_in_a_claim_of_urgent_mail_is_the_lanes():
    async def main():
        lanes, lane, refill = await hurried_while_it_claims()
        [(_, bulk), (_, urgent)] = lanes.asked
        urgent.set_exception(ZeroDivisionError())
        bulk.set_result([])
        await refill
        with pytest.raises(ZeroDivisionError):
            await lane.refill_where_due()

    asyncio.run(main())
