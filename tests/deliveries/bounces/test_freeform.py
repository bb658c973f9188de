"""Reports that are only a text for people: whom they are about, and what happened."""

import pytest

from deliveries.bounces.freeform import mentions
from deliveries.bounces.parser import read
from deliveries.bounces.wording import host_in, notice, stage_of
from deliveries.smtp.outcomes import Stage

HEADER = (
    "From: MAILER-DAEMON@mx.example.org\nTo: b-abc@bounces.example.com\nSubject: Returned mail\n\n"
)
SENDMAIL = "   ----- Transcript of session follows -----\n"

TEXTS = {
    "a program's quota": (("<a@b.test>: permission denied. Command output: maildrop: maildir "
        "over quota.\n"), "mailbox_full"),
    "a program that died": ('<a@b.test>: Command died with status 1: "/usr/local/bin/filter"\n',
        "system"),
    "CommuniGate Pro": (
        ("Failed to deliver to 'a@b.test'\nLOCAL module(account a) reports:\n"
            " account is full (quota exceeded)\n"), "mailbox_full",
    ),
    "a module that cannot connect": (
        ("Failed to deliver to 'a@b.test'\nSMTP module(domain b.test) reports:\n"
            " connection with mx.b.test is broken\n"), "network",
    ),
    "the reason before the address": (
        ("This Message was undeliverable due to the following reason:\n\n"
            "The user(s) account is temporarily over quota.\n\n<a@b.test>\n"),
        "mailbox_full",
    ),
    "a status in a list": (("- These have been processed:\na@b.test; Failed; 5.1.1 (bad "
        "destination mailbox address)\n"), "unknown_user"),
    "sendmail that gave up": (
        (f"{SENDMAIL}a@b.test... Deferred: Connection refused by mx.b.test.\n"
            "Message could not be delivered for 5 days\n"), "network",
    ),
    "sendmail without a host": ((f"{SENDMAIL}550 5.1.2 a@b.test... Host unknown (Name server: "
        "b.test: not found)\n"), "unknown_domain"),
    "sendmail's own fault": ((f"{SENDMAIL}554 5.0.0 MX list for b.test. points back to "
        "mx.example.org\n<a@b.test>\n"), "system"),
    "sendmail's pipelined answer": (
        (f"<a@b.test>\n\n{SENDMAIL}>>> DATA\n<<< 550 No such user\n"
            "550 5.1.1 <a@b.test>... User unknown\n<<< 503 Need RCPT\n"),
        "unknown_user",
    ),
    "sendmail's answer to the content": (
        (f"<a@b.test>\n\n{SENDMAIL}>>> DATA\n<<< 550 No such user\n"
            "554 5.0.0 Service unavailable\n"), "recipient_refused",
    ),
    "a transcript with two sides": (("Sent >>> RCPT TO: <a@b.test>\nReceived <<< 550 "
        "a@b.test... No such user\n"), "unknown_user"),
    "Postfix, refused at the greeting": (("<a@b.test>: host mx.b.test[192.0.2.1] refused to "
        "talk to me: 554 Access Denied\n"), "reputation"),
    "Postfix, a size": (("<a@b.test>: message size 26372032 exceeds size limit 20971520 of server "
        "mx.b.test[192.0.2.1]\n"), "too_large"),
    "Postfix, null MX": ("<a@b.test>: Domain b.test does not accept mail (nullMX)\n", "network"),
    "Postfix, TLS": (("<a@b.test>: TLS is required, but was not offered by host "
        "mx.b.test[192.0.2.1]\n"), "network"),
    "Postfix, a callout": (
        "<a@b.test>: host mx.b.test[192.0.2.1] said: 550-Verification failed for <x@y.test>\n"
        "    550-No Such User Here 550 Sender verify failed (in reply to RCPT TO command)\n",
        "sender_refused",
    ),
    "a reason without a code": ("<a@b.test>:\nThis address no longer accepts mail.\n",
        "recipient_refused"),
    "InterScan, with its arrows the other way": (
        "Sent <<< RCPT TO:<a@b.test>\nReceived >>> 550 <a@b.test>... user unknown\n",
        "unknown_user",
    ),
    "Gmail, with the state at RCPT": (
        ("Delivery failed permanently:\n\n     a@b.test\n\nThe error that the other server gave:\n"
            "550 550 No such user (state 14).\n"),
        "unknown_user",
    ),
    "Gmail, with the state after DATA": (
        ("Delivery failed permanently:\n\n     a@b.test\n\nThe error that the other server gave:\n"
            "550 550 No such user (state 18).\n"),
        "recipient_refused",
    ),
    "a reply in brackets": (
        ("Server <mx.b.test> rejected recipient <a@b.test>\n  (following RCPT command). It said: "
            "[550 5.1.1 User unknown]\n"), "unknown_user",
    ),
    "a program's count": ("Delivery failed 20 attempts: a@b.test\n", "network"),
    "nothing but the failure": (("Delivery to the following recipients failed.\n\n"
        "       a@b.test\n"), "other"),
    "Japanese": (("以下のアドレスへの送信に失敗しました。\na@b.test\n\n"
        "相手先のサーバーに接続できませんでした。\n"), "network"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "class_"), TEXTS.values(), ids=TEXTS)
def test_a_text_tells_whom_it_is_about_and_what_happened(text, class_):
    fates = read((HEADER + text).encode()).fates
    assert [(fate.recipient, str(fate.classified.class_)) for fate in fates] == [
        ("a@b.test", class_)
    ]


@pytest.mark.parametrize(
    "text",
    [
        (
            f"<a@b.test>\n\n{SENDMAIL}>>> DATA\n<<< 450 4.7.1 Greylisted, come back later\n"
            "<<< 554 5.5.1 Error: no valid recipients\n"
        ),
        (
            "a@b.test\nYour message was rejected. Please check the recipient's email address and "
            "try "
            "again.\n550 5.7.1 Denied [xyz]\n"
        ),
        "The e-mail message to a@b.test could not be delivered because of the weather.\n",
        (
            "<a@b.test>: host mx.b.test[192.0.2.1] said: 550 The address might be misspelled (in "
            "reply to end of DATA command)\n"
        ),
    ],
)
def test_words_about_the_address_alone_make_nothing_hard(text):
    assert [
        (fate.recipient, fate.classified.is_hard) for fate in read((HEADER + text).encode()).fates
    ] == [("a@b.test", False)]


def test_each_recipient_has_its_own_reason():
    text = (
        "<a@b.test>:\nRemote host said: 552 5.2.2 Mailbox full\n\n<c@d.test>:\n"
        "Remote host said: 550 5.1.1 User unknown\n"
    )
    assert [str(fate.classified.class_) for fate in read((HEADER + text).encode()).fates] == [
        "mailbox_full",
        "unknown_user",
    ]


def test_an_address_told_of_by_the_way_is_no_recipient():
    text = (
        "Your message could not be delivered.\n\n  a@b.test\n\n"
        "Please contact help@example.org.\n"
        "From: shop@example.com\n"
    )
    assert [each.recipient for each in mentions(text)] == ["a@b.test"]


def test_the_original_is_no_part_of_the_notice():
    said, rest = notice(
        "It failed.\n\n--- Below this line is a copy of the message.\n\nReceived: from x\n"
        "To: a@b.test\n"
    )
    assert said == "It failed.\n\n" and "a@b.test" in rest


def test_the_originals_recipient_counts_where_the_notice_names_none():
    text = (
        "It could not be delivered: no such user.\n\n--- Below this line is a copy of the "
        "message.\nFrom: x@y.test\nTo: a@b.test\n"
    )
    assert [fate.recipient for fate in read((HEADER + text).encode()).fates] == ["a@b.test"]


@pytest.mark.parametrize(
    ("text", "stage"),
    [
        ("(in reply to RCPT TO command)", Stage.RCPT),
        ("(in reply to end of DATA command)", Stage.BODY),
        ("192.0.2.1 does not like recipient.", Stage.RCPT),
        ("SMTP error from remote mail server after MAIL FROM:<a@b.test>:", Stage.MAIL),
        ("Connected to 192.0.2.1 but my name was rejected.", Stage.EHLO),
        ("host mx.b.test[192.0.2.1] refused to talk to me: 421", Stage.GREETING),
        ("it failed", None),
    ],
)
def test_the_stage_is_read_from_the_words_of_the_big_mail_systems(text, stage):
    assert stage_of(text) is stage


@pytest.mark.parametrize(
    "text",
    [
        "host mx.b.test[192.0.2.1] said: 550",
        "... while talking to mx.b.test.:",
        "Remote system: dns;mx.b.test (TCP)",
    ],
)
def test_the_host_is_read_as_well(text):
    assert host_in(text) == "mx.b.test"
