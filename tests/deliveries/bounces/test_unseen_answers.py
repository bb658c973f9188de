"""Answers of programs and people, and notices of services, in shapes that no test was made of."""

import json

import pytest

from deliveries.bounces.parsed_report import ReportKind
from deliveries.bounces.parser import read
from suppressions.classes import Class
from tests.deliveries.bounces.test_unseen_shapes import mail

ANSWERS = {
    "German": mail("Ich bin im Urlaub.", sender="hanako@example.test", subject="Abwesenheitsnotiz: "
                                                                               "Bestellung"),
    "French": mail("Je suis absent.", sender="hanako@example.test", subject="Absence du bureau : "
                                                                            "Commande"),
    "Spanish": mail("Estoy de vacaciones.", sender="hanako@example.test", subject="Respuesta "
                                                                                  "automática: "
                                                                                  "Pedido"),
    "Portuguese": mail("Estou de férias.", sender="hanako@example.test", subject="Resposta "
                                                                                 "automática: "
                                                                                 "Pedido"),
    "Italian": mail("Sono fuori sede.", sender="hanako@example.test", subject="Risposta "
                                                                              "automatica: Ordine"),
    "Russian": mail("Я в отпуске.", sender="hanako@example.test", subject="Автоматический ответ: "
                                                                          "Заказ"),
    "Chinese": mail("我在休假。", sender="hanako@example.test", subject="自动回复: 订单"),
    "Korean": mail("휴가 중입니다.", sender="hanako@example.test", subject="자동 회신: 주문"),
    "Japanese": mail("休暇をいただいております。", sender="hanako@example.test",
        subject="自動応答: ご注文"),
    "English": mail("I am away.", sender="hanako@example.test", subject="Out of Office: Order"),
    "marked": mail("Thank you.", sender="hanako@example.test", subject="Your message",
        more="Auto-Submitted: auto-replied\n"),
    "challenge": mail("Please confirm your message by clicking the link.",
        sender="hanako@example.test",
                      subject="Confirm your message to hanako"),
    "null path": mail("Thank you for your letter. I answer soon.", sender="hanako@example.test",
        subject="Thank you"),
    "Polish": mail("Lorem ipsum.", sender="hanako@example.test",
        subject="[Automatyczna =?utf-8?q?odpowied=C5=BA?=] test"),
    "allowed list": mail("This account is protected. Follow the link to have your\naddress added "
        "to the recipient's allowed list.\n", sender="hanako@example.test", subject="RE: Order"),
    "read receipt": (
        b"From: hanako@example.test\nTo: shop@example.com\nSubject: Read: Order\nMIME-Version: "
        b"1.0\nContent-Type: multipart/report;"
        b" report-type=disposition-notification; boundary=b\n\n--b\n\nYour message was read.\n--b\n"
        b"Content-Type:"
        b" message/disposition-notification\n\nFinal-Recipient: rfc822; hanako@example.test\n"
        b"Disposition: manual-action/MDN-sent-manually;"
        b" displayed\n--b--\n"
    ),
    "calendar": (
        b"From: hanako@example.test\nTo: shop@example.com\nSubject: Accepted: Visit\nMIME-Version: "
        b"1.0\nContent-Type: text/calendar;"
        b" method=REPLY\n\nBEGIN:VCALENDAR\nMETHOD:REPLY\nEND:VCALENDAR\n"
    ),
}  # fmt: skip


@pytest.mark.parametrize("data", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_of_a_program_is_no_bounce(data):
    report = read(data)
    assert report.kind is ReportKind.AUTO_REPLY
    assert not any(fate.classified.is_hard for fate in report.fates)


def test_a_null_path_alone_makes_no_answer_of_what_quotes_a_reply():
    text = "Sorry.\n550 5.7.1 no mail from you\n"
    assert read(mail(text, sender="hanako@example.test", subject="Hm")).kind is ReportKind.NONE


LETTERS = {
    "about a bounce": "Hi,\n\nI got this when I wrote to hanako:\n> 550 5.1.1 User unknown\n> (in "
    "reply to RCPT TO)\n> it failed\n\nWhat now?\n",
    "about a code": "Hello,\nwhat does 550 mean? My friend hanako@example.test asked.\nRegards\n",
    "about a failure": (
        "Dear shop,\nyour parcel could not be delivered to me. Please write to jiro@example.test.\n"
    ),
}


@pytest.mark.parametrize("text", LETTERS.values(), ids=LETTERS)
def test_a_letter_about_mail_is_no_bounce(text):
    assert (
        read(
            mail(text, sender="jiro@example.test", subject="Re: Order").replace(
                b"Return-Path: <>\n", b""
            )
        ).kind
        is ReportKind.NONE
    )


PASSED_ON = (
    "-------- Original-Nachricht --------\nBetreff: Undelivered Mail Returned to Sender\n"
    "Von: MAILER-DAEMON@mx.example.org (Mail Delivery System)\nAn: jiro@example.test\n\n"
    "I'm sorry to have to inform you that your message could not\nbe delivered to one or more "
    "recipients.\n\nhanako@example.test: host mx.example.test[192.0.2.1] said:\n"
    "    550 5.1.1 hanako@example.test: Recipient address rejected: User\n"
    "    unknown in virtual alias table (in reply to RCPT TO command)\n"
)


def test_a_report_that_a_person_passed_on_in_a_letter_is_read():
    report = read(mail(PASSED_ON, sender="jiro@example.test", subject="Fwd: Undelivered"))
    assert report.kind is ReportKind.BOUNCE
    (fate,) = report.fates
    assert (fate.recipient, str(fate.classified.class_)) == ("hanako@example.test", "unknown_user")


def test_a_report_that_is_passed_on_without_its_subject_is_read():
    report = read(mail(PASSED_ON, sender="jiro@example.test", subject="Fwd: help"))
    assert report.kind is ReportKind.BOUNCE


def test_what_a_list_sends_about_bounces_is_none():
    text = (
        "An e-mail that cannot be delivered comes back: the mailbox does not exist "
        '("550 User unknown"), or it is full.\n'
    )
    letter = mail(
        text,
        sender="news@example.test",
        subject="Why did my message bounce?",
        more="List-Id: <news.example.test>\n",
    )
    assert read(letter.replace(b"Return-Path: <>\n", b"")).kind is ReportKind.NONE


NOTICE = {
    "notificationType": "Bounce",
    "bounce": {
        "bounceType": "Permanent",
        "bouncedRecipients": [{"emailAddress": "hanako@example.test", "action": "failed",
        "status": "5.1.1",
                               "diagnosticCode": "smtp; 550 5.1.1 user unknown"}],
    },
}  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(NOTICE),
        json.dumps({"Type": "Notification", "Message": json.dumps(NOTICE)}, indent=2),
    ],
    ids=["SES", "SNS"],
)
def test_the_body_of_an_http_call_is_a_report(body):
    fates = read(body.encode()).fates
    assert [
        (fate.recipient, fate.classified.class_, fate.classified.is_hard) for fate in fates
    ] == [("hanako@example.test", Class.UNKNOWN_USER, True)]


def test_a_notice_whose_lines_a_mailer_has_broken_is_read():
    body = json.dumps({"Type": "Notification", "Message": json.dumps(NOTICE)})
    broken = "\n ".join(body[at : at + 70] for at in range(0, len(body), 70))
    assert (
        read(mail(broken, sender="no-reply@sns.amazonaws.com", subject="AWS Notification Message"))
        .fates[0]
        .classified.is_hard
    )


def test_a_complaint_by_json_names_who_complained():
    body = {
        "eventType": "Complaint",
        "complaint": {"complainedRecipients": [{"emailAddress": "hanako@example.test"}]},
    }
    report = read(json.dumps(body).encode())
    assert (report.kind, report.complaint, report.fates[0].classified.class_) == (
        ReportKind.COMPLAINT,
        "abuse",
        Class.COMPLAINT,
    )


def test_a_refused_message_names_whom_it_was_for():
    body = {
        "eventType": "Reject",
        "mail": {"destination": ["hanako@example.test"]},
        "reject": {"reason": "Bad content"},
    }
    assert [fate.recipient for fate in read(json.dumps(body).encode()).fates] == [
        "hanako@example.test"
    ]


def test_names_without_their_domain_are_the_reporters_own_people():
    data = mail("Your mail to the following recipients could not be delivered because\nthey are "
                "not accepting mail from list@example.com:\n\tjiro\n",
                sender="MAILER-DAEMON@example.test")  # fmt: skip
    assert [fate.recipient for fate in read(data).fates] == ["jiro@example.test"]


def test_a_report_without_a_reason_has_the_one_of_the_transcript_that_it_returns():
    inner = (
        "From: shop@example.com\nTo: hanako@example.test\n\n----- Transcript of the session "
        "follows -----\n>>> RCPT To:<hanako@example.test>\n"
        "<<< 550 5.1.1 <hanako@example.test>... User unknown\n"
    )
    data = (
        "From: postmaster@gateway.test\nTo: shop@example.com\nSubject: Mail could not be "
        "delivered\nMIME-Version: 1.0\nContent-Type:"
        " multipart/mixed; boundary=b\n\n--b\n\nThe mail could not be delivered.\nReason: Unable "
        "to deliver message to <hanako@example.test>\n--b\n"
        f"Content-Type: message/rfc822\n\n{inner}\n--b--\n"
    )
    assert [(fate.recipient, fate.classified.is_hard) for fate in read(data.encode()).fates] == [
        ("hanako@example.test", True)
    ]


def test_a_code_may_stand_on_a_line_of_its_own():
    data = mail("Your message could not be delivered.\n\n  Recipient:     hanako@example.test\n"
                "  Reason:        mailbox unavailable: no such user here\n"
                "  Remote server: mx.example.test\n  SMTP code:     550\n"
                "  Status code:   5.1.1\n")  # fmt: skip
    fate = read(data).fates[0]
    assert (fate.recipient, fate.classified.class_, fate.classified.is_hard) == (
        "hanako@example.test",
        Class.UNKNOWN_USER,
        True,
    )


@pytest.mark.parametrize(
    "words",
    [
        "The email address you entered couldn't be found. Please check the recipient's address.",
        "Die eingegebene E-Mail-Adresse konnte nicht gefunden werden.",
        "No se encontró la dirección de correo electrónico que especificó.",
    ],
)
def test_exchange_says_in_words_that_it_knows_no_such_address(words):
    data = mail("Delivery has failed to these recipients or groups:\n\nhanako@example.test "
                f"(hanako@example.test)\n{words}\n")  # fmt: skip
    assert [(fate.recipient, fate.classified.is_hard) for fate in read(data).fates] == [
        ("hanako@example.test", True)
    ]
