from datetime import timedelta

import pytest
from django.core.management.color import no_style
from django.utils import timezone

from deliveries.insight.tracing import trace
from deliveries.management.commands.trace import lines
from deliveries.models import Attempt, Lane, Stop
from deliveries.models.states import DeliveryState
from tests.deliveries import make

pytestmark = pytest.mark.usefixtures("mail_db")


def attempt(delivery, **given):
    facts = {
        "outcome": "deferred",
        "stage": "rcpt",
        "host": "mx.test",
        "source": "192.0.2.1",
        "tls": "TLSv1.3",
        "code": 451,
    }
    return Attempt.objects.create(
        delivery=delivery, **facts | {"enhanced": "4.7.1", "text": "Come back later"} | given
    )


def waiting(delivery):
    [found] = trace(str(delivery.message_id))
    return found["deliveries"][0]["waiting"]


def test_the_shape_is_what_programs_rely_on():
    sent = make.message(message_id="<1@shop.test>")
    attempt(
        make.delivery(
            of=sent, state=DeliveryState.DEFERRED, due_at=timezone.now() + timedelta(hours=1)
        )
    )
    [found] = trace(str(sent.pk))
    assert found.keys() == {"message", "deliveries"}
    about = {"id", "message_id", "from", "size", "accepted_at", "resent_from", "resent_as"}
    assert found["message"].keys() == about
    [delivery] = found["deliveries"]
    assert delivery.keys() == {"recipient", "state", "due_at", "waiting", "attempts"}
    [event] = delivery["attempts"]
    assert event.keys() == {
        "at",
        "stage",
        "host",
        "source",
        "tls",
        "code",
        "enhanced",
        "text",
        "class",
        "rule",
        "return_path",
        "transcript",
    }
    assert (event["stage"], event["host"], event["code"], event["enhanced"]) == (
        "rcpt",
        "mx.test",
        451,
        "4.7.1",
    )


@pytest.mark.parametrize("written", ["{id}", "<1@shop.test>", "1@shop.test", " 1@shop.test\n"])
def test_a_message_is_found_by_queue_id_and_message_id(written):
    sent = make.message(message_id="<1@shop.test>")
    make.delivery("a@mx.test", sent)
    make.delivery("b@mx.test", sent)
    make.delivery("c@mx.test")
    [found] = trace(written.format(id=sent.pk))
    assert [delivery["recipient"] for delivery in found["deliveries"]] == ["a@mx.test", "b@mx.test"]


@pytest.mark.parametrize("written", ["you@mx.test", "<You@MX.test>", '"you"@mx.test'])
def test_a_recipient_is_found_however_it_is_written_and_alone(written):
    sent = make.message()
    make.delivery("other@mx.test", sent)
    make.delivery("you@mx.test", sent)
    [found] = trace(written)
    assert [delivery["recipient"] for delivery in found["deliveries"]] == ["you@mx.test"]


def test_a_legacy_recipient_is_found():
    make.delivery('"a..b"@docomo.ne.jp', recipient_key="a..b@docomo.ne.jp")
    assert trace("a..b@docomo.ne.jp")


def test_the_newest_20_messages_of_a_recipient_come_first():
    for _ in range(22):
        make.delivery()
    found = trace("you@mx.test")
    ids = [each["message"]["id"] for each in found]
    assert len(ids) == 20
    assert ids == sorted(ids, reverse=True)


@pytest.mark.parametrize(
    "written",
    ["", "nobody@mx.test", "not an address", "\0", "<>", "0190f0f0-0000-7000-8000-000000000000"],
)
def test_what_names_nothing_finds_nothing(written):
    make.delivery()
    assert trace(written) == []


def test_what_an_attempt_does_not_have_is_null():
    expired = make.delivery(state=DeliveryState.EXPIRED, due_at=None, ended_at=timezone.now())
    attempt(expired, stage="expiry", host="", source="", tls="", code=None, enhanced="")
    [found] = trace("you@mx.test")
    [event] = found["deliveries"][0]["attempts"]
    assert [event[name] for name in ("host", "source", "tls", "code", "enhanced")] == [None] * 5


def test_what_has_ended_does_not_wait():
    make.delivery(state=DeliveryState.DELIVERED, due_at=None, ended_at=timezone.now())
    [found] = trace("you@mx.test")
    assert (found["deliveries"][0]["waiting"], found["deliveries"][0]["due_at"]) == (None, None)


def test_a_new_domain_is_being_looked_up():
    assert waiting(make.delivery()) == "The mail hosts of mx.test are being looked up."


def test_a_delivery_in_a_couriers_hands_says_so():
    lane = make.lane(epoch=4, leased_until=timezone.now() + timedelta(seconds=20))
    assert waiting(make.delivery(lane=lane, claim=4)) == "It is being delivered now."
    assert "gone" in waiting(make.delivery("b@mx.test", lane=lane, claim=3))


def test_a_paused_lane_is_named_by_its_host():
    lane = make.lane(
        "a.test b.test",
        hosts=[[10, "a.test", 25]],
        paused_until=timezone.now() + timedelta(minutes=5),
        pause_reason="421 Busy",
    )
    said = waiting(make.delivery(lane=lane))
    assert said.startswith("a.test is paused until")
    assert said.endswith(": 421 Busy.")


def test_a_deferral_is_told_with_the_last_answer():
    deferred = make.delivery(
        lane=make.lane(),
        state=DeliveryState.DEFERRED,
        due_at=timezone.now() + timedelta(minutes=30),
    )
    attempt(deferred, text="The first")
    attempt(deferred, text="The last")
    assert waiting(deferred).endswith("after: 451 4.7.1 The last (mx.test).")


def test_those_before_it_in_its_lane_are_counted():
    lane, now = make.lane(), timezone.now()
    make.delivery("urgent@mx.test", lane=lane, priority=2, due_at=now - timedelta(seconds=1))
    make.delivery("earlier@mx.test", lane=lane, due_at=now - timedelta(seconds=9))
    make.delivery("not-due@mx.test", lane=lane, due_at=now + timedelta(hours=1))
    make.delivery("bulk@mx.test", lane=lane, priority=0, due_at=now - timedelta(seconds=9))
    make.delivery(
        "elsewhere@other.test",
        lane=Lane.objects.get(pk=Lane.ROUTING),
        due_at=now - timedelta(seconds=9),
    )
    assert "with 2 before it" in waiting(
        make.delivery(lane=lane, due_at=now - timedelta(seconds=5))
    )


def test_what_a_person_stopped_is_named_with_its_reason():
    credential = make.credential()
    delivery = make.delivery(
        of=make.message(of=credential.project), flow=credential.pk, lane=make.lane()
    )
    Stop.objects.create(
        scope="credential", credential=credential, reason="A complaint.", created_by="operator"
    )
    assert waiting(delivery).startswith(
        f"Delivery for the credential {credential} has been stopped by operator"
    )
    delivery.hold = delivery.Hold.RELEASED
    delivery.save()
    assert "stopped" not in waiting(delivery)


def test_the_emergency_stop_goes_before_every_other_reason():
    Stop.objects.create(scope="domain", domain="mx.test", reason="one", created_by="operator")
    Stop.objects.create(scope="all", reason="fire", created_by="operator")
    assert waiting(make.delivery()).startswith("All delivery has been stopped by operator")


def test_a_lane_that_an_answer_closed_says_whose_and_waits_for_a_person():
    lane = make.lane(closed_at=timezone.now(), close_reason="550 5.7.1 blocked")
    assert waiting(make.delivery(lane=lane)).endswith(
        "until somebody looks, by an answer of the receiver: 550 5.7.1 blocked."
    )


def test_the_limit_that_holds_a_line_back_is_named():
    lane = make.lane(rate=20.0, provider="docomo", pace={"limit": "per_second"})
    assert "the rule “docomo” allows 20 messages a second" in waiting(make.delivery(lane=lane))
    lane.pace = {"limit": "learned"}
    lane.save()
    assert "is found to take 20 messages a second" in waiting(make.delivery(lane=lane))


def test_what_an_answer_means_is_told_with_it_and_what_to_do_at_the_end():
    delivery = make.delivery(state=DeliveryState.BOUNCED, due_at=None, ended_at=timezone.now())
    attempt(delivery, category="rate_limited", rule="rate_limited/greylist")
    attempt(delivery, category="unknown_user", rule="unknown_user/no-such")
    [found] = trace(str(delivery.message_id))
    assert [(each["class"], each["rule"]) for each in found["deliveries"][0]["attempts"]] == [
        ("rate_limited", "rate_limited/greylist"), ("unknown_user", "unknown_user/no-such"),
    ]  # fmt: skip
    told = [line.strip() for line in lines(found, no_style()) if line.strip().startswith("=")]
    assert told[0] == "= Too much at once."
    assert told[1].startswith("= Unknown recipient. Check the spelling")
