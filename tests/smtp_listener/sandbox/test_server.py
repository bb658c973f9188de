"""The sandbox MX, tried with our own agent's client."""

import asyncio
import smtplib
from datetime import UTC, datetime

import pytest

from deliveries.backends.database import Database
from deliveries.bounces.parsed_report import ReportKind
from deliveries.bounces.parser import read
from deliveries.models import InboundMail
from smtp_listener.models import SandboxMessage
from smtp_listener.sandbox import answers as sandbox_rules
from smtp_listener.sandbox import complaint
from smtp_listener.sandbox import server as sandbox
from smtp_listener.sandbox.answers import RULES, rule_for
from tests.ports import free_port

pytestmark = pytest.mark.usefixtures("mail_db")
MAIL = "Subject: hello\r\n\r\nhello\r\n"


@pytest.fixture
def play(limits, monkeypatch):
    """Send one mail to the sandbox; the reply's code and text, or the exception."""
    monkeypatch.setattr(sandbox, "GREYLISTED_FOR", 0.3)
    monkeypatch.setattr(sandbox, "SLOW", 0.1)
    monkeypatch.setattr(sandbox, "BOUNCED_AFTER", 0.1)
    limits.EKIDEN_SANDBOX_PORT = free_port()

    def run(*tries, wait=0.0):
        async def main():
            database = Database("test")
            server = await sandbox.start(database)
            answers = []
            for address in tries:
                answers.append(await asyncio.to_thread(send, limits.EKIDEN_SANDBOX_PORT, address))
                await asyncio.sleep(wait)
            server.close()
            await database.close()
            return answers

        return asyncio.run(main())

    return run


def send(port, address):
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
            client.ehlo("client.test")
            client.mail("b-x@relay.test")
            code, text = client.rcpt(address)
            if code == 250:
                code, text = client.data(MAIL)
            return f"{code} {text.decode()}"
    except smtplib.SMTPServerDisconnected:
        return "dropped"


def test_ordinary_mail_is_taken_and_kept(play):
    assert play("you@mx.test") == ["250 2.0.0 OK taken by the sandbox"]
    kept = SandboxMessage.objects.get()
    assert (kept.recipient, kept.mail_from, bytes(kept.data)) == (
        "you@mx.test",
        "b-x@relay.test",
        MAIL.encode(),
    )


@pytest.mark.parametrize(
    "rule",
    [rule for rule in RULES.values() if rule.reply and rule.play == "reply"],
    ids=lambda rule: rule.name,
)
def test_a_local_part_plays_its_receiver(play, rule):
    assert play(f"{rule.name}+7@mx.test") == [rule.reply]
    assert not SandboxMessage.objects.exists()


@pytest.mark.parametrize("name", ["greylist", "rate-limit", "new-owner"])
def test_a_later_try_is_taken(play, name):
    first, second = play(f"{name}@mx.test", f"{name}@mx.test", wait=0.4)
    assert first == RULES[name].reply
    assert second.startswith("250")


def test_a_dropped_connection_has_taken_the_mail(play):
    assert play("drop@mx.test") == ["dropped"]
    assert SandboxMessage.objects.count() == 1


def test_a_complaint_is_a_feedback_report_that_names_the_delivery():
    given = complaint.compose(
        "b-x@relay.test",
        "complaint@mx.test",
        MAIL.encode(),
        hostname="sandbox.invalid",
        now=datetime.now(UTC),
    )
    found = read(given)
    assert (found.kind, [fate.recipient for fate in found.fates]) == (
        ReportKind.COMPLAINT,
        ["complaint@mx.test"],
    )
    assert b"Original-Mail-From: <b-x@relay.test>" in given


def test_slow_answers_come(play):
    assert play("slow@mx.test")[0].startswith("250")


def test_only_the_last_messages_are_kept(play, monkeypatch):
    monkeypatch.setattr(sandbox, "KEPT", 2)
    monkeypatch.setattr(sandbox, "PRUNE_EVERY", 1)
    play(*[f"you{number}@mx.test" for number in range(4)])
    assert sorted(SandboxMessage.objects.values_list("recipient", flat=True)) == [
        "you2@mx.test",
        "you3@mx.test",
    ]


def test_the_kept_messages_are_limited_in_bytes(play, monkeypatch):
    monkeypatch.setattr(sandbox, "PRUNE_EVERY_BYTES", 1)
    play("you1@mx.test")
    monkeypatch.setattr(sandbox, "KEPT_BYTES", len(SandboxMessage.objects.get().data) * 5 // 2)
    play(*[f"you{number}@mx.test" for number in range(2, 5)])
    assert sorted(SandboxMessage.objects.values_list("recipient", flat=True)) == [
        "you3@mx.test",
        "you4@mx.test",
    ]


def test_the_rules_have_texts_for_people():
    assert all(rule.meaning.endswith(".") for rule in RULES.values())
    assert rule_for('"unknown-user"@mx.test') is RULES["unknown-user"]
    assert rule_for("you@mx.test") is None
    assert sandbox_rules.rule_for("Greylist+a+b@mx.test") is RULES["greylist"]


def test_a_late_bounce_really_comes_back(listener, play, limits):
    from deliveries.bounces import return_path
    from deliveries.bounces.keys import return_path_key
    from tests.deliveries import make

    delivery = make.delivery()
    local_part = return_path.make(delivery.pk, key=return_path_key(), now=datetime.now(UTC))

    async def main():
        report = sandbox.compose(
            failure(f"{local_part}@relay.test"), hostname="sandbox.invalid", now=datetime.now(UTC)
        )
        await sandbox.send_report(f"{local_part}@relay.test", report)

    asyncio.run(main())
    assert InboundMail.objects.get().delivery_id == delivery.pk


def failure(sender):
    from deliveries.bounces.report_text import ReportedFailure
    from smtp_listener.sandbox.server import NO_ID

    now = datetime.now(UTC)
    return ReportedFailure(
        NO_ID,
        NO_ID,
        sender,
        "late@mx.test",
        "",
        "",
        now,
        now,
        False,
        "mx",
        550,
        "5.1.1",
        "gone",
        b"Subject: x\r\n",
        False,
    )


def test_the_sandbox_is_for_this_machine_only(limits):
    limits.EKIDEN_BIND, limits.EKIDEN_SANDBOX_PORT = "0.0.0.0", free_port()

    async def main():
        database = Database("test")
        server = await sandbox.start(database)
        addresses = [listening.getsockname()[0] for listening in server.sockets]
        server.close()
        await database.close()
        return addresses

    assert asyncio.run(main()) == ["127.0.0.1"]
