from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from deliveries.message.ids import new_id
from deliveries.models import Delivery, Lane
from deliveries.models.states import DeliveryState
from deliveries.steering.selection import Selection, count, preview
from tests.deliveries import make

pytestmark = pytest.mark.usefixtures("mail_db")


@pytest.fixture
def chosen():
    """Return one delivery, beside another that shares nothing with it."""
    make.delivery("me@other.test", state=DeliveryState.DEFERRED)
    credential = make.credential()
    sent = make.message(credential.project)
    return make.delivery("you@mx.test", sent, lane=make.lane(), flow=credential.pk)


@pytest.mark.parametrize(
    "field",
    ["lane_id", "domain", "project_id", "flow", "recipient_key", "state", "id", "message_id"],
    ids=lambda field: field,
)
def test_each_condition_chooses_by_its_column(chosen, field):
    value = getattr(chosen, field)
    given = {
        "lane_id": {"lane": value},
        "project_id": {"project": value},
        "flow": {"credential": value},
        "recipient_key": {"recipient": value},
        "id": {"ids": (value,)},
        "message_id": {"messages": (value,)},
    }.get(field, {field: value})
    found = preview(Selection(**given))
    assert (found.count, [each.pk for each in found.examples]) == (1, [chosen.pk])


def test_conditions_hold_together(chosen):
    assert count(Selection(domain="mx.test", state=DeliveryState.DEFERRED)) == 0
    assert count(Selection(domain="mx.test", state=DeliveryState.QUEUED)) == 1


def test_everything_is_what_waits_and_nothing_that_has_ended(chosen):
    make.delivery(state=DeliveryState.BOUNCED, ended_at=timezone.now(), due_at=None)
    assert count(Selection()) == 2 and Selection().is_everything


def test_the_time_of_acceptance_is_that_of_the_id(chosen):
    hour_ago = timezone.now() - timedelta(hours=1)
    assert (count(Selection(since=hour_ago)), count(Selection(before=hour_ago))) == (2, 0)


@pytest.mark.parametrize("given", [{"hold": Delivery.Hold.HELD}, {"lane_id": Lane.PARKED}])
def test_what_is_put_aside_is_found_whoever_did_it(chosen, given):
    Delivery.objects.filter(pk=chosen.pk).update(**given)
    assert count(Selection(is_held=True)) == 1


def test_a_selection_is_kept_whole():
    at = timezone.now()
    everything = Selection(
        lane=0, domain="mx.test", project=1, credential=2, recipient="you@mx.test", state="queued",
        since=at, before=at, ids=(new_id(),),
        messages=(new_id(), new_id()), is_held=True,
    )  # fmt: skip
    assert Selection.of_json(everything.as_json()) == everything
    assert Selection.of_json({}) == Selection()


def test_a_selection_is_told_in_words(chosen):
    words = str(
        Selection(
            lane=chosen.lane_id,
            domain="mx.test",
            project=chosen.project_id,
            state=DeliveryState.QUEUED,
        )
    )
    assert words == f"lane mx.test, recipient domain mx.test, project {chosen.project}, Queued"
    assert str(Selection()) == "everything that waits"


def test_the_examples_wait_the_longest(chosen):
    oldest = make.delivery(expires_at=timezone.now() + timedelta(hours=1))
    found = preview(Selection())
    assert found.examples[0] == oldest and found.oldest == oldest.message.accepted_at


def test_what_is_put_aside_by_stops_is_found_by_its_index():
    sent, parked = make.message(), Lane.objects.get(pk=Lane.PARKED)
    make.delivery("you@mx.test", sent, lane=parked, hold=Delivery.Hold.NONE)
    for n in range(300):
        make.delivery(f"u{n}@mx.test", sent, lane=parked, hold=Delivery.Hold.HELD)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE deliveries_delivery")
        cursor.execute(
            "EXPLAIN SELECT domain FROM deliveries_delivery WHERE ended_at IS NULL AND lane_id = "
            "0 AND hold <> 1 ORDER BY 1"
        )
        plan = str(cursor.fetchall())
    assert "delivery_put_aside" in plan
