"""Failures at a real MX, at once and later: what the sender is told, and what the delivery
becomes.
"""

import uuid
from email import message_from_bytes, policy

import pytest

from tests.journeys.rig import SENDER, wait_until

pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]


def send(rig, to):
    token = uuid.uuid4().hex
    with rig.client() as client:
        client.sendmail(
            f"box-sender@{SENDER}",
            [to],
            f"From: box-sender@{SENDER}\r\nMessage-ID: <{token}@shop.test>\r\n\r\nhello\r\n",
        )
    return token


@pytest.fixture
def reported(recorder):
    """Return the report about a message, which goes to its reverse-path: the sending domain's mail
    is at the recorder.
    """

    def look(token):
        found = [
            mail
            for mail in recorder.messages
            if mail.reverse_path == "" and token.encode() in mail.content
        ]
        return found[0] if found else None

    return lambda token: wait_until(lambda: look(token), "the sender has been told")


def test_a_user_that_postfix_does_not_know_bounces_and_the_sender_is_told(rig, postfix, reported):
    token = send(rig, "stranger@postfix.test")
    shown = rig.wait_for_state("stranger@postfix.test", "bounced")
    [attempt] = shown["deliveries"][0]["attempts"]
    assert (attempt["stage"], attempt["code"], attempt["enhanced"]) == ("rcpt", 550, "5.1.1")
    report = reported(token)
    assert report.recipients == [f"box-sender@{SENDER}"]
    assert_report(report.content, "stranger@postfix.test", token)


def assert_report(content, recipient, token):
    """Check the report as Python's email package reads it (RFC 3464)."""
    report = message_from_bytes(content, policy=policy.default)
    assert (report.get_content_type(), report.get_param("report-type")) == (
        "multipart/report",
        "delivery-status",
    )
    _, status, original = report.iter_parts()
    about_message, about_recipient = status.get_payload()
    assert about_message["Reporting-MTA"] == "dns; relay.test"
    assert (about_recipient["Final-Recipient"], about_recipient["Action"]) == (
        f"rfc822; {recipient}",
        "failed",
    )
    assert (about_recipient["Status"], about_recipient["Remote-MTA"]) == (
        "5.1.1",
        "dns; mx.postfix.test",
    )
    assert about_recipient["Diagnostic-Code"].startswith("smtp; 550 5.1.1 ")
    assert token in original.as_string()


def test_what_postfix_sends_back_later_moves_the_delivery_to_bounced(rig, postfix, reported):
    token = send(rig, "late@postfix.test")
    shown = rig.wait_for_state("late@postfix.test", "bounced")
    accepted, came_back = shown["deliveries"][0]["attempts"]
    assert (accepted["stage"], accepted["code"]) == ("body", 250)
    assert (came_back["stage"], came_back["host"], came_back["enhanced"]) == (
        "report",
        "mx.postfix.test",
        "5.1.1",
    )
    assert reported(token).reverse_path == ""
    assert rig.manage_json("conservation")["missing"] == 0


def test_an_unknown_user_at_exim_bounces_and_the_others_are_served(rig, exim):
    token = uuid.uuid4().hex
    with rig.client() as client:
        client.sendmail(f"shop@{SENDER}", ["stranger@exim.test", "box-known@exim.test"],
                        f"From: shop@{SENDER}\r\nMessage-ID: <{token}@shop.test>\r\n\r\n"
                            "hello\r\n")  # fmt: skip
    rig.wait_for_state("stranger@exim.test", "bounced")
    rig.wait_for_state("box-known@exim.test", "delivered")
    assert len(exim.wait_for(token.encode())) == 1
