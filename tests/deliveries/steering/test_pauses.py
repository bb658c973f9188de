"""Pauses, and how mail goes on.

What agents do while something is stopped is in test_courier and test_drain.
"""

from datetime import timedelta

import pytest
from django.utils import timezone

from deliveries import jobs
from deliveries.models import Delivery, Lane, Stop
from deliveries.queue.wakeups import channel_of, wakeup_of
from deliveries.steering import pauses
from tests.deliveries import make

pytestmark = pytest.mark.usefixtures("mail_db")

Scope = Stop.Scope


def stop(scope, **given):
    return pauses.stop(scope, reason="they asked", by="otto", **given)


def put_aside(to="you@mx.test", of=None, **given):
    return make.delivery(to, of, lane_id=Lane.PARKED, **given)


def lanes():
    return {delivery.recipient: delivery.lane_id for delivery in Delivery.objects.all()}


@pytest.fixture
def heard(valkey):
    channel = valkey.pubsub(ignore_subscribe_messages=True)
    channel.subscribe(channel_of(valkey))
    channel.get_message(timeout=1)
    yield lambda: wakeup_of(channel.get_message(timeout=5)["data"])
    channel.close()


def test_a_pause_is_written_down_and_rung_for(heard):
    made = stop(Scope.DOMAIN, domain="mx.test")
    assert (made.domain, made.reason, made.created_by) == ("mx.test", "they asked", "otto")
    assert heard().has_orders


def test_nothing_is_stopped_twice():
    project = make.project()
    for given in ({"scope": Scope.ALL}, {"scope": Scope.PROJECT, "project": project}):
        stop(**given)
        with pytest.raises(pauses.AlreadyStopped):
            stop(**given)
    assert Stop.objects.count() == 2


def test_what_was_put_aside_is_routed_anew_when_its_pause_ends(heard):
    standing = stop(Scope.DOMAIN, domain="mx.test")
    put_aside()
    heard()
    pauses.resume(standing)
    assert lanes() == {"you@mx.test": Lane.ROUTING} and not Stop.objects.exists()
    assert heard().has_orders and heard().lanes == {Lane.ROUTING}


@pytest.mark.parametrize("scope", [Scope.PROJECT, Scope.CREDENTIAL, Scope.DOMAIN])
def test_what_another_pause_covers_stays_put_aside(scope):
    credential = make.credential()
    put_aside(of=make.message(credential.project), flow=credential.pk)
    all_of_them = {
        Scope.PROJECT: {"project": credential.project},
        Scope.CREDENTIAL: {"credential": credential}, Scope.DOMAIN: {"domain": "mx.test"},
    }  # fmt: skip
    standing = {each: stop(each, **given) for each, given in all_of_them.items()}
    for each in set(standing) - {scope}:
        pauses.resume(standing[each])
    assert lanes() == {"you@mx.test": Lane.PARKED}
    pauses.resume(standing[scope])
    assert lanes() == {"you@mx.test": Lane.ROUTING}


def test_what_a_person_holds_stays_held():
    standing = stop(Scope.DOMAIN, domain="mx.test")
    put_aside(hold=Delivery.Hold.HELD)
    pauses.resume(standing)
    jobs.carry_out_orders()
    assert lanes() == {"you@mx.test": Lane.PARKED}


def test_what_a_courier_puts_aside_after_the_pause_has_ended_goes_on_too():
    pauses.resume(stop(Scope.DOMAIN, domain="mx.test"))
    put_aside()
    jobs.carry_out_orders()
    assert lanes() == {"you@mx.test": Lane.ROUTING}


def test_of_much_that_was_put_aside_the_worker_does_the_rest(monkeypatch, valkey):
    monkeypatch.setattr(pauses, "BATCH", 2)
    standing = stop(Scope.DOMAIN, domain="mx.test")
    for number in range(5):
        put_aside(f"{number}@mx.test")
    pauses.resume(standing)
    assert (
        list(lanes().values()).count(Lane.PARKED) == 3 and valkey.llen("rq:queue:maintenance") == 1
    )
    jobs.carry_out_orders()
    assert set(lanes().values()) == {Lane.ROUTING}


def test_what_was_put_aside_keeps_its_due_time_and_deadline():
    standing = stop(Scope.DOMAIN, domain="mx.test")
    before = put_aside()
    pauses.resume(standing)
    after = Delivery.objects.get()
    assert (after.due_at, after.expires_at, after.attempt_count) == (
        before.due_at,
        before.expires_at,
        before.attempt_count,
    )


def test_a_lane_is_closed_once_and_opened_without_the_pause_it_had_learned(heard):
    lane = make.lane(
        paused_until=timezone.now() + timedelta(hours=1), pause_reason="421", failures=5
    )
    pauses.close(lane, reason="they asked", by="otto")
    assert heard().has_orders
    with pytest.raises(pauses.AlreadyStopped):
        pauses.close(lane, reason="again", by="mika")
    lane.refresh_from_db()
    assert (lane.closed_by, lane.close_reason) == ("otto", "they asked") and lane.closed_at
    pauses.reopen(lane)
    lane.refresh_from_db()
    assert (
        lane.closed_at,
        lane.closed_by,
        lane.close_reason,
        lane.paused_until,
        lane.failures,
    ) == (None, "", "", None, 0)
    assert heard().lanes == {lane.pk}


def test_the_emergency_stop_is_known():
    assert pauses.emergency() is None
    standing = stop(Scope.ALL)
    assert pauses.emergency() == standing
