from datetime import timedelta
from email import message_from_bytes, policy

import dkim as oracle
import pytest
from django.utils import timezone, translation
from django.utils.translation import gettext

from deliveries.backends import job_queues
from deliveries.bounces import outgoing_reports
from deliveries.bounces.parser import read
from deliveries.insight import stats
from deliveries.message import compression
from deliveries.models import Attempt, Content, Delivery, Message, Tally
from deliveries.queue import expiry
from domains.foundation.secrets.keyring import KeyRing
from domains.models import Domain, SigningKey
from domains.senders import dkim
from suppressions.classes import MEANINGS, Class
from suppressions.models import Occurrence
from tests.deliveries import make

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]


def failed(of=None, state="bounced", **given):
    end = {"state": state, "ended_at": timezone.now(), "due_at": None, "owes_report": True}
    delivery = make.delivery(to="gone@mx.test", of=of, **end | given)
    Attempt.objects.create(
        delivery=delivery,
        outcome="bounced",
        stage="rcpt",
        host="mx1.mx.test",
        code=550,
        enhanced="5.1.1",
        text="no such user",
    )
    return delivery


def the_report():
    sent = Message.objects.get(origin="report")
    content = Content.objects.get(pk=sent.pk)
    return compression.decompress(bytes(content.data), most=sent.size)


def test_a_failure_is_reported_to_the_reverse_path_with_a_null_one():
    failed()
    assert outgoing_reports.issue() == 1
    queued = Delivery.objects.get(message__origin="report")
    assert (queued.recipient, queued.message.mail_from, queued.state) == (
        "shop@shop.test",
        "",
        "queued",
    )


def test_a_failure_is_reported_once():
    delivery = failed()
    assert [outgoing_reports.issue(), outgoing_reports.issue()] == [1, 0]
    delivery.refresh_from_db()
    assert not delivery.owes_report


def test_a_report_rings_for_a_drain():
    failed()
    outgoing_reports.issue()
    assert [job.func_name for job in job_queues.queue(job_queues.DELIVERIES).get_jobs()] == [
        "deliveries.jobs.drain"
    ]


def test_a_report_is_one_of_rfc_3464():
    failed(of=make.message(envid="order-7"), orcpt="rfc822;gone@mx.test")
    outgoing_reports.issue()
    report = message_from_bytes(the_report(), policy=policy.default)
    assert report.get_content_type() == "multipart/report"
    assert report["Auto-Submitted"] == "auto-replied"
    text, status, original = report.iter_parts()
    about_message, about_recipient = status.get_payload()
    assert about_message["Original-Envelope-Id"] == "order-7"
    assert about_recipient["Final-Recipient"] == "rfc822; gone@mx.test"
    assert about_recipient["Original-Recipient"] == "rfc822;gone@mx.test"
    assert (about_recipient["Action"], about_recipient["Status"]) == ("failed", "5.1.1")
    assert about_recipient["Diagnostic-Code"] == "smtp; 550 5.1.1 no such user"
    assert "お届けできませんでした" in text.get_content()
    assert original.get_content_type() == "text/rfc822-headers"


def test_our_own_reader_understands_our_reports():
    failed()
    outgoing_reports.issue()
    report = read(the_report())
    (fate,) = report.fates
    assert (report.kind, fate.recipient, fate.action) == ("bounce", "gone@mx.test", "failed")
    assert (fate.code, fate.enhanced, fate.text) == (550, "5.1.1", "no such user")


def test_the_whole_message_comes_back_where_ret_asked_for_it():
    failed(of=make.message(ret="FULL"))
    outgoing_reports.issue()
    *_, original = message_from_bytes(the_report(), policy=policy.default).iter_parts()
    assert original.get_content_type() == "message/rfc822"
    assert b"hello" in bytes(original.get_payload()[0])


def test_an_expired_delivery_says_so():
    failed(state="expired")
    outgoing_reports.issue()
    (fate,) = read(the_report()).fates
    assert fate.status == "4.4.7"


def test_a_strangers_text_cannot_add_a_field():
    delivery = failed()
    Attempt.objects.filter(delivery=delivery).update(
        text="no\r\nX-Evil: yes\u0085\u2028", host="mx\r\nEvil: 1"
    )
    outgoing_reports.issue()
    assert b"\r\nX-Evil" not in the_report()
    assert b"\r\nEvil" not in the_report()


def test_a_report_of_8_bit_headers_is_marked_so():
    failed(of=make.message(content="Subject: 日本語\r\nFrom: shop@shop.test\r\n\r\nx\r\n".encode()))
    outgoing_reports.issue()
    assert Message.objects.get(origin="report").eight_bit
    assert "日本語".encode() in the_report()


def test_a_report_lives_as_long_as_its_message_might_have():
    of = make.message()
    failed(of=of, expires_at=of.accepted_at + timedelta(hours=2))
    outgoing_reports.issue()
    left = (
        Delivery.objects.get(message=Message.objects.get(origin="report")).expires_at
        - timezone.now()
    )
    assert timedelta(minutes=119) < left <= timedelta(hours=2)


def test_every_line_of_a_report_ends_in_crlf():
    failed()
    outgoing_reports.issue()
    data = the_report()
    assert data.count(b"\n") == data.count(b"\r\n") == data.count(b"\r")
    assert data.endswith(b"\r\n")


# --- our own reports are no customer's mail -------------------------------------------------------
def a_report(to="noreply@mx.test", **given):
    failed(of=make.message(mail_from=to))
    outgoing_reports.issue()
    report = Delivery.objects.get(message__origin="report")
    Delivery.objects.filter(pk=report.pk).update(**given)
    return report


def test_a_report_whose_time_is_over_says_nothing_about_the_sender():
    report = a_report(expires_at=timezone.now() - timedelta(minutes=1))
    Attempt.objects.create(
        delivery=report, outcome="deferred", stage="rcpt", category="unknown_domain"
    )
    assert expiry.sweep() == 1
    assert not Occurrence.objects.exists() and not Tally.objects.exists()


def test_reports_stand_in_no_list_of_failures():
    report = a_report(state="bounced", ended_at=timezone.now(), due_at=None)
    Attempt.objects.create(
        delivery=report, outcome="bounced", stage="rcpt", code=550, text="no such user"
    )
    assert [each["recipient"] for each in stats.recent_failures()] == ["gone@mx.test"]
    assert list(Delivery.objects.besides_reports()) == [
        Delivery.objects.get(recipient="gone@mx.test")
    ]


def test_a_report_says_in_both_languages_what_to_do():
    delivery = failed()
    Attempt.objects.filter(delivery=delivery).update(category="unknown_user")
    outgoing_reports.issue()
    text = message_from_bytes(the_report(), policy=policy.default).get_body().get_content()
    meaning = MEANINGS[Class.UNKNOWN_USER]
    with translation.override("ja"):
        japanese = gettext(meaning.advice)
    assert meaning.advice in text and japanese in text and japanese != meaning.advice


def test_a_report_is_signed_with_the_key_of_the_host_name(settings):
    settings.EKIDEN_HOSTNAME = "relay.test"
    key = dkim.generate("ed25519")
    domain = Domain.objects.create(
        project=make.project(), name="relay.test", token="x", verified_at=timezone.now()
    )
    encrypted = KeyRing.open(settings.EKIDEN_DATA / "keys" / "ring").encrypt(
        dkim.private_bytes(key)
    )
    SigningKey.objects.create(
        domain=domain,
        selector="s1",
        algorithm="ed25519",
        private_key=encrypted,
        is_active=True,
        state="signing",
        signs_unseen=True,
    )
    failed()
    outgoing_reports.issue()
    report = the_report()
    assert (
        b"From: Mail Delivery System <postmaster@relay.test>" in report
        and b"d=relay.test;" in report
    )
    assert oracle.verify(report, dnsfunc=lambda *_, **__: dkim.txt_value(key).encode())
    (fate,) = read(report).fates
    assert fate.recipient == "gone@mx.test"


def test_a_key_that_cannot_be_read_stops_no_report(settings):
    settings.EKIDEN_HOSTNAME = "relay.test"
    domain = Domain.objects.create(
        project=make.project(), name="relay.test", token="x", verified_at=timezone.now()
    )
    SigningKey.objects.create(
        domain=domain,
        selector="s1",
        algorithm="ed25519",
        private_key=b"broken",
        is_active=True,
        state="signing",
        signs_unseen=True,
    )
    failed()
    assert outgoing_reports.issue() == 1 and b"DKIM-Signature" not in the_report()
