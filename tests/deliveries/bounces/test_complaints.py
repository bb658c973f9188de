"""What a complaint does, and what is none."""

from datetime import timedelta

import pytest
from django.utils import timezone

from deliveries.bounces import learning
from deliveries.models import Attempt, InboundMail
from domains.models import ReturnPath
from suppressions.models import Occurrence, Suppression
from tests.deliveries import make
from tests.deliveries.bounces.test_consequences import (
    complained,
    delivered,
    nothing_moved,
    shared,
    state,
    tallies,
    verp,
)
from tests.deliveries.bounces.test_receive import arrives

pytestmark = pytest.mark.usefixtures("mail_db")


# --- complaints ---
def test_a_complaint_finds_its_message_by_our_field_and_suppresses_the_recipient():
    delivery = delivered()
    assert arrives(complained(delivery), kind="feedback") == "the recipient has complained: abuse"
    assert state(delivery) == "delivered"
    event = Attempt.objects.get(delivery=delivery)
    assert (event.outcome, event.stage, event.category) == ("complained", "report", "complaint")
    assert tallies() == {"complaint": 1}
    learning.take_turn(now=timezone.now())
    row = Suppression.objects.get()
    assert (row.project, row.address_key, row.source) == (
        delivery.project,
        "you@mx.test",
        "complaint",
    )


def test_a_complaint_by_the_return_path_names_one_of_many_recipients():
    message = make.message(recipient_count=2)
    mine, _ = delivered(of=message), delivered("other@mx.test", of=message)
    arrives(complained(mine, named=verp(mine)), kind="abuse")
    assert Occurrence.objects.get().address_key == "you@mx.test"


@pytest.mark.parametrize("domain", [b"relay.test", b"rp.shop.test"])
def test_a_complaint_by_the_return_path_matches_under_every_name_in_use(settings, domain):
    settings.EKIDEN_HOSTNAME = "relay.test"
    now = timezone.now()
    ReturnPath.objects.create(
        name="rp.shop.test", state="former", found_since=now, stopped_at=now, changed_at=now
    )
    mine = delivered()
    named = verp(mine).replace(b"@relay.test", b"@" + domain)
    arrives(complained(mine, named=named, fields=b""), kind="abuse")
    assert Occurrence.objects.get().address_key == "you@mx.test"


def test_a_complaint_by_a_name_that_is_nobodys_proves_nothing():
    mine = delivered()
    named = verp(mine).replace(b"@relay.test", b"@rp.other.test")
    arrives(complained(mine, named=named, fields=b""), kind="abuse")
    assert not Occurrence.objects.exists()


def test_a_complaint_with_a_shared_token_that_hides_one_of_many_recipients_is_left_to_a_person():
    message = make.message(recipient_count=2)
    mine, _ = delivered(of=message), delivered("other@mx.test", of=message)
    assert "several" in arrives(complained(mine, fields=shared(mine)), kind="feedback")
    assert not Occurrence.objects.exists()


HOLIDAY = (
    b"From: you@mx.test\r\nSubject: %s\r\n%sContent-Type: text/plain; charset=utf-8\r\n\r\n"
    b"I am away.\r\n"
)


SUBJECTS = [
    "Unsubscribe confirmation", "unsubscribe", "Opt-out", "配信停止のお知らせ", "購読解除",
    "Out of office: Unsubscribe",
    "Complaint about message from 192.0.2.1",
]  # fmt: skip


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize(
    "mark",
    [
        b"",
        b"Auto-Submitted: auto-replied\r\n",
        b"Precedence: auto_reply\r\n",
        b"X-Autoreply: yes\r\n",
    ],
)
@pytest.mark.parametrize("kind", ["report", "abuse"])
def test_b8_what_an_answer_says_in_the_apps_own_words_is_no_complaint(subject, mark, kind):
    delivery = delivered()
    arrives(HOLIDAY % (subject.encode(), mark), delivery if kind == "report" else None, kind=kind)
    assert nothing_moved(delivery)


def test_b8_an_absence_note_that_encloses_a_complaint_of_the_apps_own_is_none():
    delivery = delivered()
    note = complained(delivery).replace(
        b"Content-Type: multipart/report",
        b"Auto-Submitted: auto-replied\r\nContent-Type: multipart/mixed",
    )
    note = note.replace(b"message/feedback-report", b"text/plain").replace(
        b"\r\n\r\nspam\r\n", b"\r\n\r\nFeedback-Type: abuse\r\nUser-Agent: x\r\n"
    )
    arrives(note, delivery)
    assert nothing_moved(delivery)


@pytest.mark.parametrize("kind", [b"not-spam", b"auth-failure", b"virus"])
def test_a_feedback_report_that_is_no_complaint_suppresses_nobody(kind):
    delivery = delivered()
    assert arrives(complained(delivery, kind=kind), kind="feedback").startswith(
        "a feedback report that is no user's complaint"
    )
    assert not Occurrence.objects.exists()


def test_b7_a_forged_complaint_is_kept_and_does_nothing():
    delivery = delivered()
    forged = (
        b"X-Feedback-Token: "
        + b"a" * 39
        + b"\r\nMessage-ID: %s\r\n" % delivery.message.message_id.encode()
    )
    data = complained(delivery, named=b"Original-Rcpt-To: <you@mx.test>\r\n", fields=forged)
    assert arrives(data, kind="abuse").startswith("a claim without a proof")
    assert nothing_moved(delivery)
    assert Attempt.objects.get().text == "Not proven: somebody claims a complaint (abuse)"


def test_b7_an_expired_return_path_in_a_complaint_proves_nothing():
    delivery = delivered()
    old = verp(delivery, now=timezone.now() - timedelta(days=40))
    assert arrives(complained(delivery, named=old, fields=b""), kind="abuse").startswith(
        "a report about no delivery"
    )
    assert nothing_moved(delivery)


def test_who_complains_twice_of_one_mail_is_counted_once():
    delivery = delivered()
    arrives(complained(delivery), kind="feedback")
    InboundMail.objects.all().delete()
    assert arrives(complained(delivery), kind="feedback") == "the recipient has complained before"
    assert Occurrence.objects.count() == 1
