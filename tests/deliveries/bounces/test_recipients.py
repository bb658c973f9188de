"""Whom a report is about: aliases, masks, and the stage that a program names in its own manner."""

import pytest

from deliveries.bounces.parser import read
from deliveries.bounces.wording import is_masked, stage_of
from deliveries.smtp.outcomes import Stage

HEADER = "From: MAILER-DAEMON@mx.example.org\nTo: b@bounces.example.com\nSubject: failure notice\n"
MASKED = (
    HEADER + "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\n"
    "  hana...@example.test\n    550 5.7.1 likely unsolicited\n--b\n"
    "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.org\n\n"
    "Action: failed\nFinal-Recipient: rfc822;hana...@example.test\nStatus: 5.0.0\n--b--\n"
)


def recipients(text):
    return [fate.recipient for fate in read(text.encode()).fates if fate.recipient]


def test_the_mailbox_behind_an_alias_is_told_as_well():
    text = (
        "Unable to deliver your message to shop@example.test:\n\n"
        " 552 Quota violation for hanako@example.test\n"
    )
    report = read(f"{HEADER}\n{text}".encode())
    assert [fate.recipient for fate in report.fates] == ["shop@example.test", "hanako@example.test"]
    assert {str(fate.classified.class_) for fate in report.fates} == {"mailbox_full"}


def test_the_same_address_in_the_reply_is_told_once():
    text = (
        "Unable to deliver your message to hanako@example.test:\n\n"
        " 552 Quota violation for hanako@example.test\n"
    )
    assert recipients(f"{HEADER}\n{text}") == ["hanako@example.test"]


def test_a_masked_address_names_nobody():
    assert recipients(MASKED) == []
    assert recipients(MASKED.replace("hana...@", "hanako@")) == ["hanako@example.test"]


@pytest.mark.parametrize(
    ("address", "is_hidden"),
    [
        ("hana...@example.test", True),
        ("h***@example.test", True),
        ("hana..ko@example.test", False),
        ("hana....@example.test", False),
        ("hana...@docomo.ne.jp", False),
        ("hana...@ezweb.ne.jp", False),
    ],
)
def test_dots_hide_an_address_except_where_addresses_end_in_dots(address, is_hidden):
    assert is_masked(address) is is_hidden


@pytest.mark.parametrize(
    ("text", "stage"),
    [
        ("The program sent: RCPT TO:<a@b.test>\nRemote server replied: 550 no", Stage.RCPT),
        ("--> RCPT To:<a@b.test>\n<-- 550 no", Stage.RCPT),
        ("550 no, in response to RCPT", Stage.RCPT),
        ("C: MAIL FROM:<c@d.test>\nS: 550 no", Stage.MAIL),
        ("The failing command: DATA\n554 no", Stage.BODY),
        ("--> RCPT To:<a@b.test>\n<-- 250 OK\n--> DATA\n<-- 354 go\n<-- 550 no user", Stage.BODY),
        ("Your message about our data base: MAIL and more", None),
    ],
)
def test_a_command_is_known_by_the_words_around_it(text, stage):
    assert stage_of(text) is stage


def test_a_report_that_names_nobody_still_says_what_happened():
    """The return path that it came to names whom."""
    report = read(f"{HEADER}\nWe could not deliver your message: the mailbox is full.\n".encode())
    (fate,) = report.fates
    assert (fate.recipient, str(fate.classified.class_)) == ("", "mailbox_full")


def test_words_tell_more_than_a_code_of_the_same_weight():
    """5.1.10 is a null MX (RFC 7505), and Exchange's word for a recipient that it cannot find."""
    text = (
        "Your message to hanako@example.test couldn't be delivered.\n\nStatus code: 550 5.1.10\n\n"
        "Reported error:    550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient "
        "hanako@example.test not found by SMTP address lookup\n"
    )
    (fate,) = read(f"{HEADER}\n{text}".encode()).fates
    assert (str(fate.classified.class_), fate.classified.is_hard) == ("unknown_user", True)


def test_a_dropped_connection_says_nothing_of_our_reputation():
    text = "Delivery to hanako@example.test failed:\n\n[mx.example.test (1): Connection dropped]\n"
    (fate,) = read(f"{HEADER}\n{text}".encode()).fates
    assert str(fate.classified.class_) == "network"
