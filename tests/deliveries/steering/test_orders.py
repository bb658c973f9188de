"""Orders about many deliveries: what each verb leaves, what is in an agent's hand, crashes, and
being stopped.
"""

from datetime import timedelta
from email import message_from_bytes

import pytest
from django.utils import timezone

from deliveries import jobs
from deliveries.bounces import outgoing_reports
from deliveries.message import compression
from deliveries.message.ids import first_id_of
from deliveries.models import Attempt, Content, Delivery, Lane, Order, Stop
from deliveries.models.states import DeliveryState
from deliveries.steering import orders
from deliveries.steering.selection import Selection
from tests.deliveries import make

pytestmark = pytest.mark.usefixtures("mail_db")

LATER = timedelta(hours=2)


def give(verb, selection=None, **given):
    """Give an order, which is carried out at once, being small."""
    order = orders.give(
        verb, selection or Selection(), reason="the receiver asked", by="otto", **given
    )
    order.refresh_from_db()
    return order


def deferred(to="you@mx.test", **given):
    return make.delivery(
        to, state=DeliveryState.DEFERRED, **{"due_at": timezone.now() + LATER} | given
    )


def leased(**given):
    return make.lane(epoch=3, leased_until=timezone.now() + timedelta(seconds=30), **given)


def now(delivery):
    delivery.refresh_from_db()
    return delivery


# --- what each verb leaves ------------------------------------------------------------------------
def test_what_is_tried_now_is_due_and_its_lane_waits_no_more():
    lane = make.lane(paused_until=timezone.now() + LATER, pause_reason="421 slow down", failures=4)
    delivery = deferred(lane=lane)
    assert give(Order.Verb.RETRY).done == 1
    lane.refresh_from_db()
    assert now(delivery).due_at <= timezone.now() and delivery.lane == lane
    assert (lane.paused_until, lane.pause_reason, lane.failures) == (None, "", 0)


def test_what_is_cancelled_has_ended_and_nobody_is_told():
    delivery = deferred()
    assert give(Order.Verb.CANCEL).done == 1
    assert (now(delivery).state, delivery.due_at, delivery.owes_report) == (
        DeliveryState.CANCELLED,
        None,
        False,
    )
    attempt = Attempt.objects.get()
    assert (attempt.outcome, attempt.stage, attempt.text) == (
        "cancelled",
        "operator",
        "Cancelled: the receiver asked",
    )


@pytest.mark.parametrize(
    ("given", "sender", "owes"),
    [({}, "shop@shop.test", True), ({"notify": "NEVER"}, "shop@shop.test", False), ({}, "", False)],
)
def test_what_is_bounced_is_reported_as_a_failure_is(given, sender, owes):
    delivery = deferred(of=make.message(mail_from=sender), **given)
    give(Order.Verb.BOUNCE)
    assert (now(delivery).state, delivery.owes_report) == (DeliveryState.BOUNCED, owes)
    attempt = Attempt.objects.get()
    assert (attempt.outcome, attempt.enhanced, attempt.text) == (
        "bounced",
        "5.0.0",
        "Returned by an operator: the receiver asked",
    )


def test_the_sender_of_what_is_bounced_reads_why():
    deferred()
    give(Order.Verb.BOUNCE)
    assert outgoing_reports.issue() == 1
    report = Content.objects.exclude(message__origin="submission").get()
    text, status, _ = message_from_bytes(
        compression.decompress(bytes(report.data), most=100_000)
    ).get_payload()
    assert "Returned by an operator: the receiver asked" in text.get_payload(decode=True).decode()
    assert "Status: 5.0.0" in status.as_string()


def test_a_project_without_reports_gets_none_of_a_bounce():
    delivery = deferred(of=make.message(make.project(sends_reports=False)))
    give(Order.Verb.BOUNCE)
    assert not now(delivery).owes_report


def test_what_is_rerouted_is_routed_anew_and_at_once():
    delivery = deferred(lane=make.lane())
    assert give(Order.Verb.REROUTE).done == 1
    assert now(delivery).lane_id == Lane.ROUTING and delivery.due_at <= timezone.now()


def test_what_is_led_to_a_host_waits_in_a_lane_that_no_route_shares():
    delivery, lane = deferred(lane=make.lane()), orders.forced_lane("192.0.2.1", 25, "required")
    give(Order.Verb.REROUTE, parameters={"lane": lane.pk})
    assert now(delivery).lane == lane == orders.forced_lane("192.0.2.1", 25, "required")
    assert (lane.is_forced, lane.is_routed, lane.hosts, lane.tls) == (
        True,
        True,
        [[0, "192.0.2.1", 25]],
        "required",
    )
    assert lane.site.startswith("forced:")


def test_what_is_held_is_put_aside_as_it_is_and_released_as_it_was():
    delivery = deferred(lane=make.lane())
    due = delivery.due_at
    give(Order.Verb.HOLD)
    assert (now(delivery).hold, delivery.lane_id, delivery.due_at) == (
        Delivery.Hold.HELD,
        Lane.PARKED,
        due,
    )
    give(Order.Verb.RELEASE)
    assert (now(delivery).hold, delivery.lane_id, delivery.due_at) == (
        Delivery.Hold.RELEASED,
        Lane.ROUTING,
        due,
    )


def test_a_release_passes_what_is_stopped_and_leaves_other_mail_alone():
    stopped, other = deferred(lane=make.lane()), deferred("me@other.test")
    Stop.objects.create(scope="domain", domain="mx.test", reason="r", created_by="otto")
    assert give(Order.Verb.RELEASE).done == 1
    assert (now(stopped).hold, now(other).hold) == (Delivery.Hold.RELEASED, Delivery.Hold.NONE)
    assert stopped.lane_id != Lane.ROUTING


@pytest.mark.parametrize("verb", [Order.Verb.REROUTE, Order.Verb.RETRY])
def test_what_is_held_stays_held_until_it_is_released(verb):
    delivery = deferred()
    give(Order.Verb.HOLD)
    give(verb)
    assert (now(delivery).hold, delivery.lane_id) == (Delivery.Hold.HELD, Lane.PARKED)


@pytest.mark.parametrize("verb", Order.Verb)
def test_no_verb_touches_what_has_ended(verb):
    ended = make.delivery(state=DeliveryState.DELIVERED, ended_at=timezone.now(), due_at=None)
    assert give(verb).done == 0
    assert now(ended).state == DeliveryState.DELIVERED


def test_what_is_accepted_after_the_order_is_not_meant():
    order = orders.give(Order.Verb.CANCEL, Selection(), reason="why", by="otto", begins=False)
    later = make.delivery(id=first_id_of(timezone.now() + timedelta(seconds=5)))
    jobs.carry_out_orders()
    order.refresh_from_db()
    assert (order.finished_at is not None, order.done, now(later).is_live) == (True, 0, True)


# --- what an agent has in hand -------------------------------------------------------------------
@pytest.mark.parametrize("verb", [verb for verb in Order.Verb if verb != Order.Verb.RELEASE])
def test_what_is_being_sent_is_left_alone_and_looked_at_again(verb):
    delivery = make.delivery(lane=leased(), claim=3)
    order = give(verb)
    assert (order.seen, order.done, order.finished_at) == (1, 0, None)
    assert (now(delivery).state, delivery.claim, delivery.hold) == (
        DeliveryState.QUEUED,
        3,
        Delivery.Hold.NONE,
    )
    Delivery.objects.update(claim=0, state=DeliveryState.DEFERRED)  # it came back
    jobs.carry_out_orders()
    order.refresh_from_db()
    assert (order.seen, order.done, order.finished_at is not None) == (1, 1, True)


def test_what_was_delivered_meanwhile_is_neither_bounced_nor_counted():
    delivery = make.delivery(lane=leased(), claim=3)
    order = give(Order.Verb.BOUNCE)
    Delivery.objects.update(
        claim=0, state=DeliveryState.DELIVERED, ended_at=timezone.now(), due_at=None
    )
    jobs.carry_out_orders()
    order.refresh_from_db()
    assert (order.done, order.finished_at is not None, now(delivery).state) == (
        0,
        True,
        DeliveryState.DELIVERED,
    )


def test_what_is_in_hand_for_longer_than_a_transaction_takes_is_given_up():
    make.delivery(lane=leased(), claim=3)
    order = give(Order.Verb.CANCEL)
    walked_at = (timezone.now() - orders.PATIENCE - timedelta(seconds=1)).isoformat()
    Order.objects.update(position=order.position | {"walked_at": walked_at})
    jobs.carry_out_orders()
    order.refresh_from_db()
    assert order.finished_at and order.done == 0


def test_what_a_dead_worker_had_in_hand_is_ended_in_doubt():
    delivery = make.delivery(lane=make.lane(epoch=3, leased_until=timezone.now() - LATER), claim=3)
    give(Order.Verb.CANCEL)
    assert (now(delivery).state, delivery.is_in_doubt, delivery.claim) == (
        DeliveryState.CANCELLED,
        True,
        0,
    )
