"""A refused recipient leaves a trace: a row, a line of the log, `trace`; bounded, whatever a
client does.
"""

import asyncio
import json
import smtplib
from dataclasses import fields
from email.message import EmailMessage
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from deliveries.backends.database import DatabaseUnavailable
from deliveries.models import Refusal
from domains.models import Credential
from domains.senders.credentials import issue
from smtp_listener.admission.accounts import Account
from smtp_listener.admission.refusals import OF_A_MESSAGE, PER_HOUR, WAITING_MOST, Refusals
from smtp_listener.protocol.replies import OUR_FAULT, SUPPRESSED
from suppressions.models import Suppression
from tests.smtp_listener.sessions.test_session import MAIL


def rows(listener):
    listener.run(listener.listener.refusals.write())
    return [
        (row.command, row.mail_from, row.recipient, row.code)
        for row in Refusal.objects.order_by("id")
    ]


def traced(address, **given):
    out = StringIO()
    call_command("trace", address, stdout=out, **given)
    return out.getvalue()


@pytest.fixture
def suppressed(mail_db):
    """Suppress before the listener starts, so that it knows."""
    Suppression.objects.create(address_key="gone@mx.test", reason="Unknown user")


def test_one_of_two_recipients_that_smtplib_calls_sent_leaves_a_trace(
    suppressed, listener, login, caplog
):
    message = EmailMessage()
    message["From"], message["To"] = "shop@shop.test", "you@mx.test, Gone@mx.test"
    message.set_content("x")
    with caplog.at_level("INFO", logger="ekiden.mail"), listener.connect(login=login) as client:
        client.send_message(message)  # no exception: `smtplib` calls it sent
    assert rows(listener) == [("RCPT", "shop@shop.test", "Gone@mx.test", 550)]
    credential = Credential.objects.get()
    assert (
        f"credential={credential.pk} from=<shop@shop.test> to=<Gone@mx.test> recipients=1"
        in caplog.text
    )
    text = traced("gone@mx.test")
    assert (
        "550 5.1.1 The recipient is suppressed: Unknown user" in text
        and "from shop@shop.test" in text
    )
    assert (
        json.loads(traced("GONE@mx.test", as_json=True))["refused"]["credential"] == credential.pk
    )
    with pytest.raises(CommandError):
        traced("nobody@mx.test")


def test_malformed_and_too_many_recipients_leave_a_trace(listener, domain):
    credential, secret = issue(domain.project, "limited", max_recipients=1)
    with listener.raw_app((credential.username, secret)) as app:
        app.begin("you@mx.test")
        app.say(b"RCPT TO:<two@mx.test>")
        app.say(b"RSET")
        app.say(b"MAIL FROM:<boss@other.test>")
        app.begin("you@mx.test")
        app.say(b"RCPT TO:<no address>")
    assert rows(listener)[:2] == [
        ("RCPT", "shop@shop.test", "two@mx.test", 452),
        ("MAIL", "boss@other.test", "", 550),
    ]
    assert "no address" in traced("no address")


def test_recipients_that_are_pipelined_after_a_refused_mail_are_found_with_its_reason(
    listener, login
):
    with listener.raw_app(login) as app:
        app.send(b"MAIL FROM:<a@other.test>\r\nRCPT TO:<you@mx.test>\r\nDATA\r\n")
        assert [app.reply()[:3] for _ in range(3)] == ["550", "503", "503"]
        app.say(b"NOOP")
        app.say(b"RCPT TO:<me@mx.test>")
    assert rows(listener) == [
        ("MAIL", "a@other.test", "", 550),
        ("RCPT", "a@other.test", "you@mx.test", 550),
        ("RCPT", "", "me@mx.test", 503),
    ]
    assert "may not send as other.test" in traced("you@mx.test")


def test_each_recipient_of_a_refused_message_leaves_a_trace(listener, login):
    with listener.connect(login=login) as client, pytest.raises(smtplib.SMTPDataError):
        client.sendmail(
            "shop@shop.test",
            ["a@mx.test", "b@mx.test"],
            MAIL.replace(b"Subject: hi", b"Subject: hi\r\nSubject: two"),
        )
    assert rows(listener) == [
        ("DATA", "shop@shop.test", "a@mx.test", 550),
        ("DATA", "shop@shop.test", "b@mx.test", 550),
    ]
    assert "more than one Subject field" in traced("b@mx.test")


def test_strangers_and_good_mail_leave_none(listener, login):
    with listener.raw("mx") as host:
        host.say(b"EHLO host.test")
        host.say(b"MAIL FROM:<a@b.test>")
        assert host.say(b"RCPT TO:<you@mx.test>").startswith("550")
    with listener.connect(login=login) as client:
        client.sendmail("shop@shop.test", ["you@mx.test"], MAIL)
    assert rows(listener) == []


ACCOUNT = Account(**{field.name: 1 for field in fields(Account)})


class Table:
    """A database that is away or not."""

    def __init__(self):
        self.written, self.while_away = [], None

    async def fetch(self, _, columns):
        if self.while_away is not None:
            self.while_away()
            raise DatabaseUnavailable("away")
        self.written += columns["recipient"]


def test_a_client_that_tries_on_and_on_fills_no_table():
    table, now = Table(), [0.0]
    refusals = Refusals(table, clock=lambda: now[0])

    def note(times, **given):
        for _ in range(times):
            refusals.note(
                ACCOUNT,
                SUPPRESSED,
                command="RCPT",
                mail_from="a@b.test",
                **{"recipients": ["x@y.test"]} | given,
            )
            if len(refusals._waiting) > WAITING_MOST // 2:
                asyncio.run(refusals.write())
        asyncio.run(refusals.write())

    note(1, recipients=[f"{number}@y.test" for number in range(1000)])
    assert len(table.written) == OF_A_MESSAGE
    note(PER_HOUR * 2)
    assert len(table.written) == PER_HOUR
    now[0] += 3601
    note(1)
    assert len(table.written) == PER_HOUR + 1
    for _ in range(3):  # nobody writes: the latest are kept
        now[0] += 3601
        for _ in range(PER_HOUR):
            refusals.note(ACCOUNT, OUR_FAULT, command="RCPT", mail_from="", recipients=["z@y.test"])
    assert len(refusals._waiting) == WAITING_MOST


def test_while_postgresql_is_away_the_latest_are_kept():
    table = Table()
    refusals = Refusals(table)

    def note(*recipients):
        for recipient in recipients:
            refusals.note(ACCOUNT, SUPPRESSED, command="RCPT", mail_from="", recipients=[recipient])

    note("first@y.test", *["x@y.test"] * (WAITING_MOST - 2), "last@y.test")
    table.while_away = lambda: note("meanwhile@y.test")
    refusals._noted.clear()
    asyncio.run(refusals.write())
    table.while_away = None
    asyncio.run(refusals.write())
    assert len(table.written) == WAITING_MOST
    assert table.written[-2:] == ["last@y.test", "meanwhile@y.test"]
