"""What comes back is told apart, and each recipient's fate read from it."""

import pytest

from deliveries.bounces.parsed_report import ReportKind
from deliveries.bounces.parser import read
from suppressions.classes import Class
from tests.deliveries.bounces.sampled import SAMPLES, expected

MAILS = expected()


@pytest.mark.parametrize(("file", "kind", "fates"), MAILS, ids=[file for file, _, _ in MAILS])
def test_a_sample_is_what_it_is(file, kind, fates):
    report = read((SAMPLES / file).read_bytes())
    assert report.kind == kind
    assert [
        (fate.recipient, str(fate.classified.class_), fate.classified.is_hard)
        for fate in report.fates
    ] == fates


def test_no_sample_is_forgotten():
    assert {path.name for path in SAMPLES.glob("*.eml")} == {file for file, _, _ in MAILS}


def changed(name, *pairs):
    data = (SAMPLES / name).read_bytes()
    for old, new in pairs:
        assert old in data
        data = data.replace(old, new)
    return read(data)


def test_crlf_and_lf_read_the_same():
    assert changed("postfix-unknown.eml", (b"\n", b"\r\n")) == read(
        (SAMPLES / "postfix-unknown.eml").read_bytes()
    )


@pytest.mark.parametrize("type_", [b"multipart/mixed", b"MULTIPART/REPORT", b"multipart/x-unknown"])
def test_the_status_counts_whatever_the_mail_calls_itself(type_):
    assert (
        changed(
            "postfix-unknown.eml", (b"multipart/report; report-type=delivery-status", type_)
        ).kind
        is ReportKind.BOUNCE
    )


def test_status_fields_in_plain_text_are_read_as_well():
    report = changed("postfix-unknown.eml", (b"message/delivery-status", b"text/plain"))
    assert [(fate.recipient, fate.code, fate.enhanced) for fate in report.fates] == [
        ("hanako@example.test", 550, "5.1.1")
    ]


@pytest.mark.parametrize(("kind", "is_hard"), [("x-unix", False), ("smtp", True)])
def test_what_a_program_printed_proves_no_dead_address(kind, is_hard):
    report = read(
        b"From: MAILER-DAEMON@mx.test\nSubject: Undelivered mail\n\nReporting-MTA: dns; mx.test\n\n"
        b"Final-Recipient: rfc822; hanako@example.test\nAction: failed\nStatus: 5.1.1\n"
        b"Diagnostic-Code: " + kind.encode() + b"; id: hanako: No such user\n"
    )
    assert [fate.classified.is_hard for fate in report.fates] == [is_hard]
    assert report.fates[0].enhanced == "5.1.1"  # as the report says, whatever it proves


def test_a_stage_whose_words_a_mailer_has_broken_is_read():
    report = changed(
        "postfix-unknown.eml", (b"5.1.1", b"5.0.0"), (b"reply to RCPT TO", b"reply to\n    RCPT TO")
    )
    assert [fate.classified.is_hard for fate in report.fates] == [True]


def test_a_warning_makes_nothing_hard():
    report = changed("postfix-unknown.eml", (b"Action: failed", b"Action: delayed"))
    assert report.kind is ReportKind.DELAY and not report.fates[0].classified.is_hard


def test_the_evidence_is_one_printable_line():
    report = changed("postfix-unknown.eml", (b"Status: 5.1.1", b"Status: 5.1.1\nX-Other: \x1b[31m"))
    assert report.fates[0].text == (
        "<hanako@example.test>: Recipient address rejected: User unknown in virtual mailbox table"
    )


def test_the_host_that_answered_is_known():
    assert (
        changed("postfix-unknown.eml", (b"Remote-MTA: dns; mx.example.test\n", b"")).fates[0].host
        == "mx.example.test"
    )


def test_an_address_beyond_ascii_is_read():
    report = changed(
        "delayed.eml",
        (
            b"Final-Recipient: rfc822; hanako@example.test",
            rb"Final-Recipient: utf-8; \x{82B1}\x{5B50}@example.test",
        ),
    )
    assert report.fates[0].recipient == "花子@example.test"


def test_an_address_of_another_kind_is_found_in_the_text():
    report = changed(
        "delayed.eml",
        (
            b"Final-Recipient: rfc822; hanako@example.test",
            b"Final-Recipient: x400; /S=hanako/C=JP/",
        ),
    )
    assert report.fates[0].recipient == "hanako@example.test"


def test_the_address_that_we_wrote_to_counts_and_not_what_it_was_turned_into():
    report = changed(
        "postfix-unknown.eml",
        (
            b"Final-Recipient: rfc822; hanako@example.test",
            b"Final-Recipient: rfc822; h.suzuki@other.test",
        ),
    )
    assert [fate.recipient for fate in report.fates] == ["hanako@example.test"]
    report = changed(
        "exim.eml",
        (
            b"\n  hanako@example.test\n",
            b"\n  h.suzuki@other.test\n    (generated from hanako@example.test)\n",
        ),
    )
    assert [(fate.recipient, str(fate.classified.class_)) for fate in report.fates] == [
        ("hanako@example.test", "content")
    ]


def test_the_receiver_is_the_one_that_the_mail_was_forwarded_to():
    report = changed(
        "docomo-filter.eml",
        (
            b"Final-Recipient: rfc822; hanako@docomo.ne.jp",
            (
                b"Original-Recipient: rfc822; hanako@example.test\n"
                b"Final-Recipient: rfc822; h@docomo.ne.jp"
            ),
        ),
        (b"Remote-MTA: dns; mfsmax.docomo.ne.jp\n", b""),
    )
    assert [(fate.recipient, fate.classified.rule) for fate in report.fates] == [
        ("hanako@example.test", "recipient_refused/docomo-filtered")
    ]


def test_the_report_of_a_mail_to_oneself_is_read():
    assert (
        changed("qmail.eml", (b"To: b-abc@bounces.example.com", b"To: hanako@example.test"))
        .fates[0]
        .recipient
        == "hanako@example.test"
    )


def test_a_complaint_says_what_it_is_about():
    assert read((SAMPLES / "arf.eml").read_bytes()).fates[0].classified.detail == "abuse"
    assert (
        changed("arf.eml", (b"Feedback-Type: abuse", b"Feedback-Type: opt-out"))
        .fates[0]
        .classified.detail
        == "opt-out"
    )


def test_a_report_of_failed_authentication_names_nobody_as_a_complainer():
    report = changed("arf.eml", (b"Feedback-Type: abuse", b"Feedback-Type: auth-failure"))
    assert report.fates[0].classified.detail == "auth-failure"


def test_an_absence_note_to_a_bounce_address_is_none():
    report = changed(
        "vacation.eml",
        (b"From: hanako@example.test", b"Return-Path: <>\nFrom: hanako@example.test"),
    )
    assert (
        report.kind is ReportKind.AUTO_REPLY
        and report.fates[0].classified.class_ is Class.AUTO_REPLY
    )


@pytest.mark.parametrize(
    "subject",
    [
        b"Hello",
        b"Re: Undeliverable: Your order",
        b"AW: Mail delivery failed",
        b"My delivery is delayed",
    ],
)
def test_a_letter_is_nothing_that_came_back(subject):
    letter = (
        b"From: hanako@example.test\nTo: shop@example.com\nSubject: "
        + subject
        + b"\n\nWrite to jiro@example.test, please.\n"
    )
    assert read(letter).kind is ReportKind.NONE
