from datetime import timedelta

import pytest
from django.utils import timezone

from deliveries.insight import stats
from deliveries.message.ids import first_id_of
from deliveries.models import Attempt
from deliveries.models.states import ENDED, DeliveryState
from tests.deliveries import make

pytestmark = pytest.mark.usefixtures("mail_db")


def ended(state, of=None, to="you@mx.test", **given):
    return make.delivery(to, of, state=state, due_at=None, ended_at=timezone.now(), **given)


def test_nothing_at_all_is_conserved():
    assert stats.conservation() == {
        "accepted": 0, "delivered": 0, "bounced": 0, "expired": 0, "suppressed": 0, "cancelled": 0,
        "live": 0, "missing": 0,
    }  # fmt: skip


def test_every_state_is_counted():
    sent = make.message(recipient_count=7)
    for number, state in enumerate(ENDED):
        ended(state, sent, to=f"{number}@mx.test")
    make.delivery("live@mx.test", sent)
    make.delivery("later@mx.test", sent, state=DeliveryState.DEFERRED)
    counted = stats.conservation()
    assert [counted[state] for state in ENDED] == [1, 1, 1, 1, 1]
    assert (counted["accepted"], counted["live"], counted["missing"]) == (7, 2, 0)


def test_a_lost_delivery_is_missing():
    sent = make.message(recipient_count=2)
    make.delivery(of=sent)
    assert stats.conservation()["missing"] == 1


def test_the_oldest_that_waits_is_live():
    now = timezone.now()
    ended(DeliveryState.DELIVERED, expires_at=now + timedelta(days=1))
    oldest = make.delivery(expires_at=now + timedelta(days=2))
    make.delivery(expires_at=now + timedelta(days=3))
    assert stats.oldest_waiting() == oldest


def test_nothing_waits_in_an_empty_queue():
    assert stats.oldest_waiting() is None


def test_lanes_in_trouble_come_with_how_many_wait():
    now = timezone.now()
    few, many = (
        make.lane(f"{name}.test", paused_until=now + timedelta(minutes=5))
        for name in ("few", "many")
    )
    make.lane("over.test", paused_until=now - timedelta(minutes=5))
    for lane, amount in ((few, 1), (many, 2)):
        for _ in range(amount):
            make.delivery(lane=lane)
    ended(DeliveryState.DELIVERED, lane=few)
    closed = make.lane("closed.test", closed_at=now)
    assert stats.troubled_lanes(9, now=now) == [(many, 2), (few, 1), (closed, 0)]
    assert stats.queue_size() == 3


def test_recent_failures_tell_who_and_why():
    failed = ended(DeliveryState.BOUNCED)
    Attempt.objects.create(
        delivery=failed,
        outcome="bounced",
        stage="rcpt",
        host="mx.test",
        code=550,
        enhanced="5.1.1",
        text="No such user",
    )
    Attempt.objects.create(
        delivery=make.delivery(), outcome="deferred", stage="rcpt", code=451, text="Later"
    )
    [failure] = stats.recent_failures()
    assert (failure["delivery_id"], failure["recipient"], failure["code"]) == (
        failed.pk,
        "you@mx.test",
        550,
    )


def test_recent_failures_are_newest_first_and_few():
    for number in range(4):
        failed = ended(DeliveryState.EXPIRED, to=f"{number}@mx.test")
        Attempt.objects.create(delivery=failed, outcome="expired", stage="expiry", text="over")
    assert [failure["recipient"] for failure in stats.recent_failures(2)] == [
        "3@mx.test",
        "2@mx.test",
    ]


def test_each_lane_that_waits_tells_how_much_since_when_and_why():
    now = timezone.now()
    slow = make.lane(
        "slow.test", rate=20.0, provider="docomo", pace={"limit": "per_second"}, window=3
    )
    for minutes in (1, 10):
        make.delivery(
            lane=slow,
            id=first_id_of(now - timedelta(minutes=minutes)),
            due_at=now - timedelta(seconds=2),
        )
    make.delivery(lane=make.lane("closed.test", closed_at=now, close_reason="550 blocked"))
    ended(DeliveryState.DELIVERED, lane=make.lane("ended.test"))
    first, second = stats.waiting_lanes(now=now, with_reasons=True)
    assert (
        first["site"],
        first["waiting"],
        first["per_second"],
        first["window"],
        first["rule"],
    ) == ("slow.test", 2, 20.0, 3, "docomo")
    assert now - first["oldest"] >= timedelta(minutes=10)
    assert "the rule “docomo” allows 20 messages a second" in first["why"]
    assert second["is_closed"] and second["why"].endswith(
        "by an answer of the receiver: 550 blocked."
    )
    assert stats.waiting_lanes(now=now)[0]["why"] == ""
