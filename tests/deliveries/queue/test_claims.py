"""What a claim takes of a lane, in which order, and what it leaves."""

import asyncio
import re
from datetime import timedelta

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from deliveries.backends.database import Database, parameters
from deliveries.models import Delivery, Lane
from deliveries.queue.lane_statements import CLAIMS, EACH
from suppressions.models import Suppression
from tests.deliveries import make
from tests.deliveries.queue.test_lanes import claimed_ids, run

pytestmark = pytest.mark.usefixtures("mail_db")


def test_turns_go_on_behind_the_flow_that_came_last(lane):
    """Else the flows that happen to sort first would get more than others from a lane that takes a
    few at a time.
    """
    for flow in range(1, 6):
        for _ in range(4):
            make.delivery(lane=lane, flow=flow)

    async def scene(lanes):
        [leased] = await lanes.lease([lane.id], 1)
        taken, after = [], -1
        for _ in range(5):
            taken += [claimed.flow for claimed in await lanes.claim(leased, 2, after=after)]
            after = taken[-1]
        return taken

    assert run(scene) == [1, 2, 3, 4, 5, 1, 2, 3, 4, 5]


def test_of_very_many_flows_each_gets_its_turn(lane):
    for flow in range(1, 41):
        for _ in range(3):
            make.delivery(lane=lane, flow=flow)

    async def scene(lanes):
        [leased] = await lanes.lease([lane.id], 1)
        return [claimed.flow for claimed in await lanes.claim(leased, 40)]

    assert sorted(run(scene)) == list(range(1, 41))


def test_only_urgent_mail_can_be_asked_for(lane):
    make.delivery(lane=lane, priority=1)
    code = make.delivery(lane=lane, priority=2)

    async def scene(lanes):
        [leased] = await lanes.lease([lane.id], 1)
        return [claimed.id for claimed in await lanes.claim(leased, 10, least=2)]

    assert run(scene) == [code.id]


def test_a_closed_lane_and_the_parked_one_are_left_alone(lane):
    make.delivery(lane=lane)
    make.delivery(lane_id=Lane.PARKED)
    Lane.objects.filter(pk=lane.pk).update(closed_at=timezone.now())

    async def scene(lanes):
        return await lanes.due(), await lanes.lease([lane.id, Lane.PARKED], 10)

    assert run(scene) == ((set(), set()), [])


def test_a_delivery_that_a_person_led_here_stays_here():
    forced = make.lane("smart.test", is_forced=True)
    make.delivery(lane=forced)

    async def scene(lanes):
        [leased] = await lanes.lease([forced.id], 1)
        return [claimed.is_here for claimed in await lanes.claim(leased, 1)]

    assert run(scene) == [True]


def test_a_claim_takes_no_more_than_asked_for(lane):
    for flow in range(3):
        make.delivery(lane=lane, flow=flow)
    assert len(claimed_ids(lane, most=2)) == 2


def test_what_is_claimed_is_not_claimed_again_by_the_same_holder(lane):
    make.delivery(lane=lane)

    async def scene(lanes):
        [leased] = await lanes.lease([lane.id], 1)
        return [len(await lanes.claim(leased, 10)) for _ in range(2)]

    assert run(scene) == [1, 0]


def test_what_a_dead_holder_had_claimed_is_told_apart(lane):
    make.delivery(lane=lane)

    async def scene(lanes):
        [leased] = await lanes.lease([lane.id], 1)
        return await lanes.claim(leased, 10)

    assert [claimed.was_claimed for claimed in run(scene)] == [False]
    Lane.objects.filter(id=lane.id).update(leased_until=timezone.now())
    assert [claimed.was_claimed for claimed in run(scene)] == [True]


def test_ended_expired_and_future_deliveries_are_not_claimed(lane):
    now = timezone.now()
    make.delivery(lane=lane, due_at=now + timedelta(minutes=1))
    make.delivery(lane=lane, expires_at=now)
    make.delivery(lane=lane, state="delivered", ended_at=now, due_at=None)
    assert claimed_ids(lane) == []


def test_a_claim_says_whether_the_address_is_suppressed(lane):
    made = make.delivery(lane=lane)
    Suppression.objects.create(
        address_key="you@mx.test", project=made.project, reason="asked us to stop"
    )

    async def scene(lanes):
        [leased] = await lanes.lease([lane.id], 1)
        return await lanes.claim(leased, 10)

    assert [claimed.suppressed for claimed in run(scene)] == ["asked us to stop"]


def test_another_projects_suppression_does_not_count(lane):
    make.delivery(lane=lane)
    Suppression.objects.create(address_key="you@mx.test", project=make.project(), reason="theirs")

    async def scene(lanes):
        [leased] = await lanes.lease([lane.id], 1)
        return await lanes.claim(leased, 10)

    assert [claimed.suppressed for claimed in run(scene)] == [None]


def test_a_domain_that_leads_elsewhere_by_now_is_told_and_can_be_rerouted(lane):
    made = make.delivery(to="you@moved.test", lane=lane)
    make.leads_to(make.lane("new.test"), "moved.test")

    async def scene(lanes):
        [leased] = await lanes.lease([lane.id], 1)
        claimed = await lanes.claim(leased, 10)
        await lanes.reroute(leased, [delivery.id for delivery in claimed])
        return [delivery.is_here for delivery in claimed]

    assert run(scene) == [False]
    made.refresh_from_db()
    assert (made.lane_id, made.claim) == (Lane.ROUTING, 0)


def test_what_is_given_back_can_be_claimed_again(lane):
    make.delivery(lane=lane)

    async def scene(lanes):
        [leased] = await lanes.lease([lane.id], 1)
        claimed = await lanes.claim(leased, 10)
        await lanes.unclaim(leased, [delivery.id for delivery in claimed])

    run(scene)
    assert Delivery.objects.get().claim == 0


@pytest.mark.parametrize("each", EACH)
def test_a_claim_reads_the_head_of_a_long_line_only(each):
    """By the plan that PostgreSQL makes once, whatever the parameters."""
    of = make.message()
    with connection.cursor() as cursor:
        cursor.execute(MANY, {"message": of.pk, "project": of.project_id, "lane": make.lane().pk})
        cursor.execute("ANALYZE deliveries_delivery")
        names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", CLAIMS[each])))
        numbered = re.sub(
            r"%\((\w+)\)s", lambda match: f"${names.index(match[1]) + 1}", CLAIMS[each]
        )
        cursor.execute("EXPLAIN (GENERIC_PLAN, COSTS OFF) " + numbered)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert (
        "Seq Scan on deliveries_delivery" not in plan
        and "Bitmap Index Scan on delivery_claim_order" not in plan
    ), plan
    assert "Index Scan using delivery_claim_order" in plan


MANY = """
INSERT INTO deliveries_delivery (id, message_id, project_id, recipient, recipient_key, domain,
    notify, orcpt, lane_id, priority, flow,
    state, attempt_count, due_at, expires_at, claim, is_in_doubt, owes_report)
SELECT gen_random_uuid(), %(message)s, %(project)s, 'u', 'u', 'mx.test', '', '', %(lane)s, 1,
    n %% 3, 'queued', 0,
    now() - n * interval '1 ms', now() + interval '5 days', 0, false, false
FROM generate_series(1, 30000) n
"""


def test_what_is_being_moved_away_is_not_waited_for_and_not_claimed(lane):
    moved, other = (make.delivery(lane=lane) for _ in range(2))

    async def scene(lanes):
        [leased] = await lanes.lease([lane.id], 1)
        mover = await psycopg.AsyncConnection.connect(**parameters())
        await mover.execute(
            "UPDATE deliveries_delivery SET lane_id = 0, hold = 1 WHERE id = %s", (moved.pk,)
        )  # a person holds it, and has not committed yet
        claimed = await lanes.claim(leased, 10)
        await mover.commit()
        await mover.close()
        return [each.id for each in [*claimed, *await lanes.claim(leased, 10)]]

    assert run(scene) == [other.pk]
    moved.refresh_from_db()
    assert (moved.lane_id, moved.claim) == (Lane.PARKED, 0)


def test_several_lanes_claim_in_one_statement(monkeypatch):
    """Each gets its own, of its own, and no more than it asked for; who has lost its lane gets
    nothing.
    """
    lanes_of_ours = [make.lane(f"mx{number}.test") for number in range(4)]
    sent = {
        lane.id: [make.delivery(lane=lane, domain=lane.site).id for _ in range(3)]
        for lane in lanes_of_ours
    }
    for lane in lanes_of_ours:
        make.leads_to(lane, lane.site)
    asked, fetch = [], Database.fetch

    async def counted(self, sql, *args, **given):
        asked.append(sql)
        return await fetch(self, sql, *args, **given)

    async def scene(lanes):
        leased = await lanes.lease([lane.id for lane in lanes_of_ours], 4)
        lost = leased[3]
        other = Database("test")
        await other.fetch(
            "UPDATE deliveries_lane SET epoch = epoch + 1 WHERE id = %(id)s", {"id": lost.id}
        )
        await other.close()
        monkeypatch.setattr(Database, "fetch", counted)
        return leased, await asyncio.gather(*(lanes.claim(lane, 2) for lane in leased))

    leased, claimed = run(scene)
    assert len([sql for sql in asked if sql in CLAIMS.values()]) == 1
    for lane, found in zip(leased[:3], claimed[:3], strict=True):
        assert len(found) == 2 and {each.id for each in found} < set(sent[lane.id])
    assert claimed[3] == []


def test_a_lane_whose_claim_is_refused_does_not_hold_up_the_others(lane):
    make.delivery(lane=lane)
    other = make.lane("other.test")

    async def scene(lanes):
        leased = {each.id: each for each in await lanes.lease([lane.id, other.id], 2)}
        return await asyncio.gather(
            lanes.claim(leased[lane.id], 1),
            lanes.claim(leased[other.id], 1, besides=["\0"]),
            return_exceptions=True,
        )

    claimed, refused = run(scene)
    assert len(claimed) == 1 and isinstance(refused, psycopg.Error)
