import asyncio
import time
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from deliveries.backends.database import Database
from deliveries.message import compression
from deliveries.models import Lane
from deliveries.queue import lane_statements
from deliveries.queue.lanes import Lanes
from tests.deliveries import make

pytestmark = pytest.mark.usefixtures("mail_db")


@asynccontextmanager
async def holder(name=None):
    database = Database("test")
    try:
        yield Lanes(database, name or uuid4())
    finally:
        await database.close()


def run(scene, *args, name=None):
    """Play one scene with a holder; the rows are made and looked at outside the loop."""

    async def main():
        async with holder(name) as lanes:
            return await scene(lanes, *args)

    return asyncio.run(main())


async def claim_all(lanes, lane, most=100):
    [leased] = await lanes.lease([lane.id], 1)
    return [(claimed.id, leased.epoch) for claimed in await lanes.claim(leased, most)]


def claimed_ids(lane, most=100):
    return [id_ for id_, _ in run(claim_all, lane, most)]


def test_a_lane_with_due_work_is_found_and_leased_to_one_holder(lane):
    make.delivery(lane=lane)

    async def scene(lanes):
        assert await lanes.due() == ({lane.id}, set())
        [leased] = await lanes.lease([lane.id], 10)
        async with holder() as other:
            assert await other.due() == (set(), set())
            assert await other.lease([lane.id], 10) == []
        assert await lanes.due() == (set(), {lane.id})
        return leased

    leased = run(scene)
    assert (leased.site, leased.hosts, leased.epoch) == ("mx.test", [[10, "mx.test", 25]], 1)


def test_a_claim_brings_small_contents_once_and_large_ones_are_read_alone(lane):
    small, large = make.message(), make.message(size=lane_statements.SMALL + 1)
    for to in ("a@mx.test", "b@mx.test"):
        make.delivery(to, small, lane=lane)
    make.delivery("c@mx.test", large, lane=lane)

    async def scene(lanes):
        [leased] = await lanes.lease([lane.id], 1)
        claimed = await lanes.claim(leased, 10)
        assert await lanes.content(uuid4()) is None
        return claimed, await lanes.content(large.id)

    claimed, read = run(scene)
    brought = [each.data for each in claimed if each.data is not None]
    assert [compression.decompress(data, most=small.size) for data in brought] == [make.CONTENT]
    assert {each.message_id: each.data for each in claimed}[large.id] is None
    assert compression.decompress(read, most=large.size) == make.CONTENT


def test_mail_that_is_settled_without_a_lane_brings_no_content(lane):
    make.delivery(lane=lane)

    async def scene(lanes):
        [leased] = await lanes.lease([lane.id], 1)
        return await lanes.claim(leased, 10, domains=["mx.test"])

    assert [each.data for each in run(scene)] == [None]


def test_a_lane_whose_work_is_not_due_yet_is_left_alone(lane):
    make.delivery(lane=lane, due_at=timezone.now() + timedelta(minutes=1))
    assert run(Lanes.due) == (set(), set())


def test_a_paused_lane_is_left_alone_until_its_pause_is_over(lane):
    make.delivery(lane=lane)
    Lane.objects.filter(id=lane.id).update(paused_until=timezone.now() + timedelta(minutes=1))
    assert run(Lanes.due) == (set(), set())
    assert run(lambda lanes: lanes.lease([lane.id], 1)) == []
    Lane.objects.filter(id=lane.id).update(paused_until=timezone.now())
    assert run(Lanes.due) == ({lane.id}, set())


def test_a_dead_holders_lane_is_taken_over_under_a_new_epoch(lane):
    run(lambda lanes: lanes.lease([lane.id], 1))
    Lane.objects.filter(id=lane.id).update(leased_until=timezone.now())
    [leased] = run(lambda lanes: lanes.lease([lane.id], 1))
    assert leased.epoch == 2


def test_a_lease_goes_on_though_its_time_was_over_but_not_after_another_took_the_lane(lane):
    name = uuid4()
    run(lambda lanes: lanes.lease([lane.id], 1), name=name)
    assert run(lambda lanes: lanes.renew([lane.id])) == set()
    assert run(lambda lanes: lanes.renew([lane.id]), name=name) == {lane.id}
    Lane.objects.filter(id=lane.id).update(leased_until=timezone.now())
    assert run(lambda lanes: lanes.renew([lane.id]), name=name) == {lane.id}
    Lane.objects.filter(id=lane.id).update(leased_until=timezone.now())
    run(lambda lanes: lanes.lease([lane.id], 1))
    assert run(lambda lanes: lanes.renew([lane.id]), name=name) == set()


def test_who_lost_the_lease_claims_nothing_more(lane):
    make.delivery(lane=lane)

    async def scene(lanes):
        [leased] = await lanes.lease([lane.id], 1)
        await lanes.release(leased)
        async with holder() as other:
            await other.lease([lane.id], 1)
            return await lanes.claim(leased, 10)

    assert run(scene) == []


def test_a_machine_that_was_suspended_does_not_trust_its_lease(lane, monkeypatch):
    clock = time.clock_gettime  # the monotonic one stands still meanwhile

    async def scene(lanes):
        [leased] = await lanes.lease([lane.id], 1)
        before = lanes.holds(leased)
        monkeypatch.setattr(time, "clock_gettime", lambda which: clock(which) + 60)
        return before, lanes.holds(leased)

    assert run(scene) == (True, False)


def test_a_released_lane_is_free_at_once(lane):
    async def scene(lanes):
        [leased] = await lanes.lease([lane.id], 1)
        await lanes.release(leased)

    run(scene)
    assert len(run(lambda lanes: lanes.lease([lane.id], 1))) == 1


def test_a_late_release_does_not_end_the_next_lease(lane):
    async def scene(lanes):
        [old] = await lanes.lease([lane.id], 1)
        await lanes.release(old)
        [new] = await lanes.lease([lane.id], 1)
        await lanes.release(old)
        assert await lanes.renew([new.id]) == {new.id}

    run(scene)


@pytest.mark.parametrize("most", [1, 3, 100])
def test_priority_goes_first_then_flows_take_turns_then_age(lane, most):
    now = timezone.now()
    bulk = [
        make.delivery(lane=lane, priority=0, due_at=now - timedelta(hours=9 - n)) for n in range(2)
    ]
    first = [
        make.delivery(lane=lane, flow=1, due_at=now - timedelta(minutes=9 - n)) for n in range(3)
    ]
    second = [
        make.delivery(lane=lane, flow=2, due_at=now - timedelta(minutes=5 - n)) for n in range(2)
    ]
    code = make.delivery(lane=lane, priority=2)
    expected = [code, first[0], second[0], first[1], second[1], first[2], *bulk]
    assert claimed_ids(lane, most) == [delivery.id for delivery in expected[:most]]
