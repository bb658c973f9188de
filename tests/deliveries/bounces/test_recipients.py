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


@pytest.mark.parametrize(
    "text",
    [
        "<box@inside.test> (expanded from <hanako@example.test>): host a.test[192.0.2.1]\n",
        "<box@inside.test> (expanded from\n    <hanako@example.test>): host a.test[192.0.2.1]\n",
        "  box@inside.test\n    (generated from hanako@example.test)\n    550 no\n",
        " Recipient address: box@inside\n Original address: hanako@example.test\n Reason: full\n",
    ],
    ids=["Postfix", "Postfix, broken", "Exim", "Sun"],
)
def test_who_was_written_to_is_named_and_not_what_an_alias_made_of_it(text):
    assert recipients(f"{HEADER}\n{text}") == ["hanako@example.test"]


def test_a_role_is_a_recipient_where_nobody_else_is():
    text = "Unable to send to abuse@example.test\n\n550 No such user\n"
    assert recipients(f"{HEADER}\n{text}") == ["abuse@example.test"]


def test_a_role_that_one_may_ask_is_no_recipient():
    text = "Something went wrong.\n\nFor further assistance, send mail to postmaster@example.org.\n"
    assert recipients(f"{HEADER}\n{text}") == []


def test_a_warning_that_tells_of_a_problem_only_says_that_it_waits():
    text = (
        "** Delivery incomplete **\n\nThere was a temporary problem while delivering your message "
        "to hanako@example.test. We will retry for 47 more hours.\n"
    )
    (fate,) = read(f"{HEADER}\n{text}".encode()).fates
    assert (str(fate.classified.class_), fate.classified.rule) == ("network", "delay")


def test_a_warning_keeps_the_reason_that_a_server_gave():
    text = (
        "Your message could not be delivered for more than 2 hour(s).\nIt will be retried until it "
        "is 5 day(s) old.\n\n<hanako@example.test>: host mx.example.test[192.0.2.1] said: 451 "
        "4.3.0\n    <hanako@example.test>: Temporary lookup failure (in reply to RCPT TO)\n"
    )
    (fate,) = read(f"{HEADER}\n{text}".encode()).fates
    assert str(fate.classified.class_) == "system"


def test_a_virus_scanners_stamp_is_no_reason():
    text = (
        "  hanako@example.test\n    mailbox is full: retry timeout exceeded\n\n"
        "Este mensaje ha sido analizado con el sistema antivirus\n"
    )
    (fate,) = read(f"{HEADER}\n{text}".encode()).fates
    assert str(fate.classified.class_) == "mailbox_full"
