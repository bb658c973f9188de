import pytest
from django.utils import timezone

from deliveries.models import Attempt, Delivery
from deliveries.queue.cancellation import cancel_lanes
from tests.deliveries import make

pytestmark = pytest.mark.usefixtures("mail_db")


def states():
    return dict(Delivery.objects.values_list("recipient", "state"))


def test_what_waits_in_a_lane_or_is_in_hand_there_ends():
    lane = make.lane()
    make.delivery("waiting@mx.test", lane=lane)
    make.delivery("in-hand@mx.test", lane=lane, claim=3)
    make.delivery("elsewhere@mx.test", lane=make.lane("other.test"))
    assert cancel_lanes([lane.pk], why="Nobody wants it").total() == 2
    assert states() == {
        "waiting@mx.test": "cancelled",
        "in-hand@mx.test": "cancelled",
        "elsewhere@mx.test": "queued",
    }
    assert set(Attempt.objects.values_list("outcome", "stage", "text")) == {
        ("cancelled", "operator", "Nobody wants it")
    }


def test_what_has_ended_stays_as_it_is():
    lane = make.lane()
    make.delivery(lane=lane, state="delivered", ended_at=timezone.now(), due_at=None)
    assert cancel_lanes([lane.pk], why="Nobody wants it").total() == 0
    assert states() == {"you@mx.test": "delivered"}
