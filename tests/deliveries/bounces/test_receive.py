import asyncio
import os
from datetime import timedelta

import pytest
from django.utils import timezone

from deliveries.backends.database import Database
from deliveries.bounces import receive
from deliveries.models import Attempt, Delivery, InboundMail
from tests.deliveries import make
from tests.deliveries.bounces.sampled import SAMPLES

pytestmark = pytest.mark.usefixtures("mail_db")

REPORT = (
    b"From: MAILER-DAEMON@mx.test\r\nContent-Type: multipart/report; "
    b"report-type=delivery-status; boundary=x\r\n\r\n"
    b"--x\r\n\r\nsorry\r\n--x\r\nContent-Type: message/delivery-status\r\n\r\n"
    b"Reporting-MTA: dns; mx.test\r\n\r\n"
    b"Final-Recipient: rfc822; you@mx.test\r\nAction: %s\r\nStatus: 5.1.1\r\n"
    b"Diagnostic-Code: smtp; 550 no such user\r\n\r\n--x--\r\n"
)


def delivered():
    return make.delivery(state="delivered", ended_at=timezone.now(), due_at=None)


def arrives(data, delivery=None, kind="report"):
    async def main():
        database = Database("test")
        given = {"kind": kind, "mail_from": "", "client_address": "127.0.0.1"}
        stored = await receive.compressed(data)
        await receive.receive(
            database, delivery_id=delivery and delivery.pk, compressed=stored, **given
        )
        await database.close()

    asyncio.run(main())
    receive.handle_all()
    return InboundMail.objects.get().finding


def test_a_large_mail_is_compressed_beside_the_other_sessions():
    async def main():
        compressing = asyncio.create_task(receive.compressed(os.urandom(10_000_000)))
        turns = 0
        while not compressing.done():
            turns += 1
            await asyncio.sleep(0)
        return turns

    assert asyncio.run(main()) > 10


def test_a_failure_report_moves_the_delivery_it_names():
    delivery = delivered()
    assert "has bounced" in arrives(REPORT % b"failed", delivery)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.owes_report) == ("bounced", True)
    attempt = Attempt.objects.get(delivery=delivery)
    assert (attempt.stage, attempt.host) == ("report", "mx.test")
    assert (attempt.code, attempt.enhanced, attempt.text) == (550, "5.1.1", "no such user")


def test_a_report_that_is_faster_than_the_ledger_waits_for_it():
    """The receiver has answered before it is written down that it took the mail."""
    delivery = make.delivery(claim=3)
    assert arrives(REPORT % b"failed", delivery) == ""
    assert InboundMail.objects.get().handled_at is None
    Delivery.objects.update(state="delivered", ended_at=timezone.now(), due_at=None, claim=0)
    receive.handle_all()
    assert "has bounced" in InboundMail.objects.get().finding
    assert Delivery.objects.get().state == "bounced"


def test_a_report_waits_no_longer_for_a_delivery_than_one_is_in_hand():
    delivery = make.delivery(claim=3)
    assert arrives(REPORT % b"failed", delivery) == ""
    InboundMail.objects.update(received_at=timezone.now() - timedelta(minutes=36))
    receive.handle_all()
    assert InboundMail.objects.get().finding == "the delivery is in another state: queued"


def test_a_report_in_free_form_moves_it_as_well():
    delivery = delivered()
    assert (
        arrives((SAMPLES / "qmail.eml").read_bytes(), delivery)
        == "the delivery has bounced: unknown_user"
    )


def test_of_several_recipients_the_one_of_the_delivery_counts():
    delivery = delivered()
    data = (
        (SAMPLES / "two-fates.eml")
        .read_bytes()
        .replace(b"jiro@example.test", delivery.recipient.encode())
    )
    assert arrives(data, delivery) == "a report of another kind: delivered"
    delivery.refresh_from_db()
    assert delivery.state == "delivered"


@pytest.mark.parametrize(
    ("name", "kind"), [("vacation.eml", "auto_reply"), ("exim-warning.eml", "delay")]
)
def test_what_is_no_failure_is_named(name, kind):
    assert (
        arrives((SAMPLES / name).read_bytes(), delivered()) == f"a report of another kind: {kind}"
    )


@pytest.mark.parametrize("action", [b"delayed", b"relayed", b"delivered", b"expanded"])
def test_a_report_of_no_failure_moves_nothing(action):
    delivery = delivered()
    arrives(REPORT % action, delivery)
    delivery.refresh_from_db()
    assert delivery.state == "delivered"


def test_a_report_moves_only_what_was_delivered():
    delivery = make.delivery()
    arrives(REPORT % b"failed", delivery)
    delivery.refresh_from_db()
    assert delivery.state == "queued"


@pytest.mark.parametrize(
    "data", [b"", b"\0\xff" * 500, b"Content-Type: multipart/report\r\n\r\n", REPORT[:200]]
)
def test_anything_else_at_a_return_path_is_kept_and_moves_nothing(data):
    delivery = delivered()
    assert arrives(data, delivery) == "no delivery report"
    delivery.refresh_from_db()
    assert delivery.state == "delivered"


def test_mail_to_postmaster_is_kept_for_a_person():
    assert arrives(b"Subject: hello\r\n\r\n", kind="postmaster") == "kept for a person to read"


def test_reading_a_report_twice_is_harmless():
    delivery = delivered()
    arrives(REPORT % b"failed", delivery)
    receive.handle(InboundMail.objects.get().pk)
    assert Attempt.objects.filter(delivery=delivery).count() == 1
