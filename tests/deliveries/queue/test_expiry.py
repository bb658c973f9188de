from datetime import timedelta

import pytest
from django.utils import timezone

from deliveries.models import Attempt, Delivery
from deliveries.queue import expiry
from tests.deliveries import make

pytestmark = pytest.mark.django_db


def late(minutes=1, **given):
    return make.delivery(expires_at=timezone.now() - timedelta(minutes=minutes), **given)


def state(delivery):
    return Delivery.objects.values_list("state", flat=True).get(pk=delivery.pk)


def test_what_is_past_its_deadline_expires_whatever_its_lane_does():
    delivery = late(lane=make.lane(paused_until=timezone.now() + timedelta(days=1)))
    assert expiry.sweep() == 1
    delivery.refresh_from_db()
    assert (delivery.state, delivery.due_at, delivery.owes_report) == ("expired", None, True)
    assert Attempt.objects.get(delivery=delivery).stage == "expiry"


def test_what_has_time_left_is_kept():
    delivery = make.delivery()
    assert expiry.sweep() == 0
    assert state(delivery) == "queued"


def test_what_a_courier_has_in_hand_is_left_to_it_for_a_while():
    lane = make.lane(epoch=1, leased_until=timezone.now() + timedelta(seconds=30))
    in_hand, forgotten = late(lane=lane, claim=1), late(minutes=60, lane=lane, claim=1)
    expiry.sweep()
    assert (state(in_hand), state(forgotten)) == ("queued", "expired")


def test_more_than_one_batch_is_swept(monkeypatch):
    monkeypatch.setattr(expiry, "BATCH", 2)
    of = make.message()
    for _ in range(5):
        late(of=of)
    assert expiry.sweep() == 5


@pytest.mark.parametrize(
    ("given", "owes"),
    [
        ({}, True),
        ({"notify": "NEVER"}, False),
        ({"notify": "SUCCESS"}, False),
        ({"notify": "DELAY,FAILURE"}, True),
    ],
)
def test_the_sender_is_told_unless_it_asked_not_to_be(given, owes):
    delivery = late(**given)
    expiry.sweep()
    delivery.refresh_from_db()
    assert delivery.owes_report is owes


def test_nobody_is_told_of_a_lost_report():
    delivery = late(of=make.message(mail_from=""))
    expiry.sweep()
    delivery.refresh_from_db()
    assert not delivery.owes_report


def test_a_project_may_want_no_reports():
    delivery = late(of=make.message(of=make.project(sends_reports=False)))
    expiry.sweep()
    delivery.refresh_from_db()
    assert not delivery.owes_report


@pytest.mark.parametrize(("epoch", "lease"), [(5, 30), (4, -1)])
def test_what_a_dead_worker_had_in_hand_expires_at_its_deadline_and_in_doubt(epoch, lease):
    lane = make.lane(epoch=epoch, leased_until=timezone.now() + timedelta(seconds=lease))
    delivery = late(lane=lane, claim=4)
    assert expiry.sweep() == 1
    delivery.refresh_from_db()
    assert (delivery.state, delivery.is_in_doubt) == ("expired", True)
