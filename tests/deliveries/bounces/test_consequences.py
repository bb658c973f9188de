"""Reports with and without a token of ours: which delivery they are about, what becomes of it,
what is learned.
"""

from datetime import timedelta

import pytest
from django.db.models import Sum
from django.utils import timezone

from deliveries.backends.job_queues import MAINTENANCE, queue
from deliveries.bounces import feedback_id, learning, receive, return_path
from deliveries.bounces.keys import feedback_key, return_path_key
from deliveries.models import Attempt, Delivery, InboundMail, Message, Tally
from domains.foundation.secrets import tokens
from suppressions.models import Occurrence, Suppression
from tests.deliveries import make
from tests.deliveries.bounces.test_receive import REPORT, arrives

pytestmark = pytest.mark.usefixtures("mail_db")

BOUNCE = (
    b"From: MAILER-DAEMON@mx.test\r\nContent-Type: multipart/report; "
    b"report-type=delivery-status; boundary=x\r\n\r\n"
    b"--x\r\n\r\nsorry\r\n--x\r\nContent-Type: message/delivery-status\r\n\r\n"
    b"Reporting-MTA: dns; mx.test\r\n\r\n"
    b"Final-Recipient: rfc822; %s\r\nAction: failed\r\nStatus: 5.1.1\r\n"
    b"Diagnostic-Code: smtp; 550 no such user\r\n\r\n"
    b"--x\r\nContent-Type: text/rfc822-headers\r\n\r\n%s\r\n--x--\r\n"
)
COMPLAINT = (
    b"From: fbl@provider.test\r\nContent-Type: multipart/report; report-type=feedback-report; "
    b"boundary=x\r\n\r\n"
    b"--x\r\n\r\nspam\r\n--x\r\nContent-Type: message/feedback-report\r\n\r\n"
    b"Feedback-Type: %s\r\nUser-Agent: X/1\r\nVersion: 1\r\n%s\r\n"
    b"--x\r\nContent-Type: message/rfc822\r\n\r\n%s\r\nhello\r\n--x--\r\n"
)


def delivered(to="you@mx.test", **given):
    return make.delivery(
        to, **{"state": "delivered", "ended_at": timezone.now(), "due_at": None, "flow": 7} | given
    )


def returned(delivery, *, to=None, fields=None):
    about = (
        fields
        if fields is not None
        else b"Message-ID: %s\r\n" % delivery.message.message_id.encode()
    )
    return BOUNCE % ((to or delivery.recipient).encode(), about)


def complained(delivery, *, kind=b"abuse", named=b"", fields=None):
    about = fields if fields is not None else token(delivery)
    return COMPLAINT % (kind, named, b"Subject: hello\r\n" + about)


def token(delivery, *, now=None):
    return feedback_id.field(delivery.pk, key=feedback_key(), now=now or timezone.now())


def shared(delivery):
    """Make the token as older versions gave it to all recipients of a message."""
    return (
        b"X-Feedback-Token: %s\r\n"
        % tokens.make(delivery.message_id.bytes, key=feedback_key(), use=b"feedback-id").encode()
    )


def verp(delivery, *, now=None):
    local_part = return_path.make(delivery.pk, key=return_path_key(), now=now or timezone.now())
    return b"Original-Mail-From: <%s@%s>\r\n" % (local_part.encode(), HOST)


HOST = b"relay.test"


@pytest.fixture(autouse=True)
def host(settings):
    settings.EKIDEN_HOSTNAME = HOST.decode()


def state(delivery):
    return Delivery.objects.values_list("state", flat=True).get(pk=delivery.pk)


def tallies():
    sums = Tally.objects.values("category", "credential_id").annotate(amount=Sum("amount"))
    return {row["category"]: row["amount"] for row in sums}


# --- late bounces ---
def test_a_late_bounce_by_the_return_path_teaches_and_suppresses():
    delivery = delivered()
    arrives(REPORT % b"failed", delivery)
    known = Occurrence.objects.get()
    assert (known.kind, known.category, known.is_hard, known.code) == (
        "report",
        "unknown_user",
        True,
        550,
    )
    assert (known.credential_id, known.delivery_id, known.inbound_id) == (
        7,
        delivery.pk,
        InboundMail.objects.get().pk,
    )
    assert tallies() == {"delivered": -1, "unknown_user": 1}
    assert Attempt.objects.get(delivery=delivery).category == "unknown_user"
    assert "deliveries.jobs.learn" in [job.func_name for job in queue(MAINTENANCE).get_jobs()]
    learning.take_turn(now=timezone.now())
    assert Suppression.objects.get().evidence["inbound"] == str(known.inbound_id)


def nothing_moved(*deliveries):
    """Check that no state, tally, lesson or report has come of it."""
    rows = Delivery.objects.filter(pk__in=[delivery.pk for delivery in deliveries])
    assert {(row.state, row.owes_report) for row in rows} == {("delivered", False)}
    assert not Tally.objects.exists()
    assert not Occurrence.objects.exists()
    learning.take_turn(now=timezone.now())
    assert not Suppression.objects.exists()
    return True


@pytest.mark.parametrize("kind", ["postmaster", "abuse", "feedback"])
def test_b6_a_bounce_that_only_knows_a_message_id_is_a_claim(kind):
    delivery = delivered()
    assert (
        arrives(returned(delivery), kind=kind)
        == "a claim without a proof, kept with the delivery for a person to read: bounce"
    )
    assert nothing_moved(delivery)
    [claim] = Attempt.objects.filter(delivery=delivery)
    assert (claim.stage, claim.outcome, claim.category, claim.code) == (
        "claim",
        "claimed",
        "",
        None,
    )
    assert claim.text == "Not proven: somebody claims a bounce: 550 5.1.1 no such user"


@pytest.mark.parametrize("what", ["shared", "expired token", "expired path", "forged"])
def test_what_is_shared_old_or_forged_proves_no_more_than_a_message_id(what):
    message = make.message(recipient_count=2)
    mine, other = delivered(of=message), delivered("other@mx.test", of=message)
    long_ago = timezone.now() - timedelta(days=40)
    fields = {
        "shared": shared(mine),
        "expired token": token(mine, now=long_ago),
        "expired path": verp(mine, now=long_ago).replace(b"Original-Mail-From", b"Return-Path"),
        "forged": shared(mine)[:-4] + b"\r\n",
    }[what]
    fields += b"Message-ID: %s\r\n" % message.message_id.encode()
    arrives(returned(mine, fields=fields), kind="postmaster")
    InboundMail.objects.all().delete()
    arrives(
        complained(mine, named=b"Original-Rcpt-To: <you@mx.test>\r\n", fields=fields), kind="abuse"
    )
    assert nothing_moved(mine, other)
    assert Attempt.objects.filter(delivery=mine, stage="claim").count() == 2


def test_the_token_of_one_recipient_says_nothing_of_another():
    message = make.message(recipient_count=2)
    mallory, victim = (
        delivered("mallory@mx.test", of=message),
        delivered("victim@mx.test", of=message),
    )
    arrives(returned(victim, fields=token(mallory)), kind="postmaster")
    InboundMail.objects.all().delete()
    arrives(
        complained(victim, named=b"Original-Rcpt-To: <victim@mx.test>\r\n", fields=token(mallory)),
        kind="abuse",
    )
    assert (state(mallory), state(victim)) == ("bounced", "delivered")
    assert set(Occurrence.objects.values_list("address_key", flat=True)) == {"mallory@mx.test"}
    assert not Attempt.objects.filter(delivery=victim).exists()


def test_a_bounce_that_returns_our_signed_field_counts_fully():
    delivery = delivered()
    arrives(returned(delivery, fields=token(delivery)), kind="postmaster")
    assert state(delivery) == "bounced"
    assert Occurrence.objects.get().is_hard


def test_the_return_path_in_the_returned_header_names_the_delivery():
    delivery = delivered()
    path = verp(delivery).replace(b"Original-Mail-From", b"Return-Path")
    arrives(returned(delivery, to="somebody-else@forwarded.test", fields=path), kind="postmaster")
    assert state(delivery) == "bounced"
    assert Occurrence.objects.get().address_key == "you@mx.test"


def test_of_several_recipients_of_a_message_only_the_named_one_bounces():
    message = make.message(recipient_count=2)
    mine, other = delivered(of=message), delivered("other@mx.test", of=message)
    arrives(returned(mine, fields=token(mine)), kind="postmaster")
    assert (state(mine), state(other)) == ("bounced", "delivered")


@pytest.mark.parametrize("to", ["stranger@mx.test", "not an address"])
def test_a_bounce_of_somebody_else_is_kept_for_a_person(to):
    delivery = delivered()
    assert "no delivery that is known" in arrives(returned(delivery, to=to), kind="postmaster")
    assert state(delivery) == "delivered"


def test_two_messages_with_the_same_message_id_are_left_to_a_person():
    deliveries = [delivered(of=make.message(message_id="<1@shop.test>")) for _ in range(2)]
    assert "several" in arrives(returned(deliveries[0]), kind="postmaster")
    assert [state(delivery) for delivery in deliveries] == ["delivered", "delivered"]


def test_what_is_older_than_the_projects_log_is_not_matched():
    delivery = delivered()
    Message.objects.update(accepted_at=timezone.now() - timedelta(days=91))
    assert "no delivery that is known" in arrives(returned(delivery), kind="postmaster")


def test_a_delivery_that_has_not_been_delivered_is_not_matched_by_message_id():
    delivery = make.delivery()
    arrives(returned(delivery), kind="postmaster")
    assert state(delivery) == "queued"


def test_b6_nothing_that_came_back_is_answered():
    delivery = delivered()
    for data, kind in ((complained(delivery), "abuse"), (returned(delivery), "postmaster")):
        InboundMail.objects.all().delete()
        arrives(data, kind=kind)
    assert Message.objects.count() == 1
    assert Delivery.objects.count() == 1


def test_the_token_of_a_message_that_is_gone_is_told_so():
    delivery = delivered()
    data = complained(delivery)
    Delivery.objects.all().delete()
    assert arrives(data, kind="feedback") == "the delivery it names is no longer stored"


def test_handling_stops_at_nothing():
    delivery = delivered()
    arrives(
        complained(delivery, fields=b"X-Feedback-Token:" + b" \xff\0" * 3000 + b"\r\n"),
        kind="feedback",
    )
    receive.handle_all()
    assert InboundMail.objects.get().handled_at is not None
