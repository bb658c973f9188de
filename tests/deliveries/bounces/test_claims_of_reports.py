"""What proves nothing is kept as a claim, bounded, and moves nothing."""

import pytest

from deliveries.bounces import outgoing_reports
from deliveries.models import Attempt, Delivery, InboundMail
from tests.deliveries import make
from tests.deliveries.bounces.test_consequences import (
    complained,
    delivered,
    nothing_moved,
    returned,
    state,
    tallies,
    token,
)
from tests.deliveries.bounces.test_receive import arrives

pytestmark = pytest.mark.usefixtures("mail_db")


def test_the_return_path_of_one_recipient_says_nothing_of_another():
    message = make.message(recipient_count=2)
    mallory, victim = (
        delivered("mallory@mx.test", of=message),
        delivered("victim@mx.test", of=message),
    )
    arrives(returned(victim), mallory)
    assert (state(mallory), state(victim)) == ("bounced", "delivered")


def test_forty_forged_bounces_move_nothing():
    message = make.message(recipient_count=40)
    staff = [delivered(f"s{number}@mx.test", of=message) for number in range(40)]
    forged = returned(staff[0]).replace(
        b"Final-Recipient: rfc822; s0@mx.test\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n",
        b"",
    )
    groups = b"".join(
        b"Final-Recipient: rfc822; s%d@mx.test\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n" % n
        for n in range(40)
    )
    forged = forged.replace(
        b"Final-Recipient: rfc822; s0@mx.test", groups + b"Final-Recipient: rfc822; s0@mx.test"
    )
    arrives(forged, kind="postmaster")
    assert Attempt.objects.filter(stage="claim").count() == 40
    assert nothing_moved(*staff)


def test_claims_of_one_delivery_are_bounded():
    delivery = delivered()
    for _ in range(9):
        arrives(returned(delivery), kind="postmaster")
        InboundMail.objects.all().delete()
    assert Attempt.objects.filter(delivery=delivery).count() == 5


def test_one_token_has_one_bounce_and_one_complaint_in_it():
    delivery = delivered()
    for _ in range(4):
        arrives(returned(delivery, fields=token(delivery)), kind="postmaster")
        InboundMail.objects.all().delete()
        arrives(complained(delivery), kind="abuse")
        InboundMail.objects.all().delete()
    assert sorted(Attempt.objects.values_list("outcome", flat=True)) == ["bounced", "complained"]
    assert tallies() == {"delivered": -1, "unknown_user": 1, "complaint": 1}


@pytest.mark.parametrize("make_report", [lambda to: returned(to, fields=token(to)), complained])
def test_a_letter_that_proves_something_is_kept_as_a_report(make_report):
    mail = delivered()
    arrives(make_report(mail), kind="feedback")
    assert InboundMail.objects.get().delivery_id == mail.pk


def test_a_letter_that_proves_nothing_new_is_kept_as_a_letter():
    mail = delivered()
    arrives(complained(mail), kind="feedback")
    InboundMail.objects.all().delete()
    arrives(complained(mail), kind="feedback")
    assert InboundMail.objects.get().delivery_id is None


def test_a_claim_is_not_what_a_later_report_to_the_sender_says():
    delivery = delivered()
    Attempt.objects.create(delivery=delivery, outcome="bounced", stage="rcpt", text="the truth")
    Attempt.objects.create(delivery=delivery, outcome="claimed", stage="claim", text="a lie")
    assert (
        outgoing_reports._failure(Delivery.objects.select_related("message").get()).text
        == "the truth"
    )
