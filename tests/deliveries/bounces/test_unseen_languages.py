"""Reports in languages and character sets of their own, and proofs that stand beside the words."""

import pytest

from deliveries.bounces.parser import read
from suppressions.classes import Class


def report(text, charset="utf-8", *, sender="MAILER-DAEMON@example.com"):
    header = (
        f"Return-Path: <>\nFrom: {sender}\nTo: shop@example.com\nSubject: Undeliverable\n"
        f"MIME-Version: 1.0\nContent-Type: text/plain; charset={charset}\n"
        "Content-Transfer-Encoding: 8bit\n\n"
    )
    return header.encode() + text.encode(charset)


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("iso-8859-1", "Mottagarens postlåda är full."),
        ("iso-8859-1", "Modtagerens postkasse er fuld."),
        ("iso-8859-1", "Mottakerens innboks er full."),
        ("iso-8859-1", "Vastaanottajan postilaatikko on täynnä."),
        ("iso-8859-2", "A címzett postafiókja megtelt."),
        ("iso-8859-9", "Alıcının posta kutusu dolu."),
        ("iso-8859-16", "Căsuța poștală a destinatarului este plină."),
        ("koi8-u", "Поштова скринька одержувача переповнена."),
    ],
)
def test_a_full_mailbox_is_understood(charset, text):
    data = report(f"hanako@example.test\n\n{text}\n", charset)
    assert [(fate.recipient, fate.classified.class_) for fate in read(data).fates] == [
        ("hanako@example.test", Class.MAILBOX_FULL)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Användaren finns inte (550 5.1.1)",
        "A címzett nem létezik (550 5.1.1)",
        "Kullanıcı bulunamadı (550 5.1.1)",
        "O endereço de e-mail não existe ou está desativado. (550 5.1.1)",
        "존재하지 않는 사용자입니다. (550 5.1.1)",
        "User not found. Status code: 550 5.1.1",
    ],
)
def test_a_code_behind_the_words_proves_them(text):
    data = report(f"hanako@example.test\n\n{text}\n")
    assert [(fate.recipient, fate.classified.is_hard) for fate in read(data).fates] == [
        ("hanako@example.test", True)
    ]


def test_a_code_of_a_rule_behind_the_words_proves_nothing():
    fates = read(report("hanako@example.test\n\nUser unknown (550 5.7.1)\n")).fates
    assert [fate.classified.is_hard for fate in fates] == [False]


def test_the_command_before_an_answer_is_its_stage():
    data = report(
        "收件人 hanako@example.test\n退信原因:收件人邮件地址不存在\n"
        "SMTP error, RCPT TO: 550 User not found\n",
        "gb2312",
    )
    assert [(fate.recipient, fate.classified.is_hard) for fate in read(data).fates] == [
        ("hanako@example.test", True)
    ]
    after = report("hanako@example.test\nSMTP error, DOT: 550 User not found\n")
    assert [fate.classified.is_hard for fate in read(after).fates] == [False]


def test_sendmails_list_names_whom_its_transcript_leaves_out():
    data = report(
        "   ----- The following addresses had permanent fatal errors -----\n"
        "<hanako@example.test>\n    (reason: 550 5.1.1 <hanako@example.test>... User unknown)\n"
        "<jiro@example.org>\n    (reason: 552 5.2.2 Over quota)\n\n"
        "   ----- Transcript of session follows -----\n... while talking to mx.example.test.:\n"
        ">>> DATA\n<<< 550 5.1.1 <hanako@example.test>... User unknown\n"
        "550 5.1.1 <hanako@example.test>... User unknown\n... while talking to mx.example.org.:\n"
        ">>> RCPT To:<jiro@example.org>\n<<< 552 5.2.2 Over quota\n554 5.0.0 Service unavailable\n"
    )
    assert {fate.recipient: fate.classified.class_ for fate in read(data).fates} == {
        "hanako@example.test": Class.UNKNOWN_USER,
        "jiro@example.org": Class.MAILBOX_FULL,
    }
