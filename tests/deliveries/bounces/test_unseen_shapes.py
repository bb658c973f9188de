"""Reports in the form of many programs and languages, written for these tests: none of them is a
sample that a rule was made for.
"""

import json

import pytest

from deliveries.bounces.parsed_report import ReportKind
from deliveries.bounces.parser import read
from suppressions.classes import Class

ORIGINAL = (
    "Received: from app.test by relay.test\nMessage-ID: <1@app.test>\nFrom: "
    "shop@example.com\nTo: hanako@example.test\nSubject: Order\n\nHello\n"
)


def mail(
    text,
    *,
    sender="Mail Delivery System <MAILER-DAEMON@mx.example.test>",
    subject="Undelivered mail",
    more="",
):
    head = f"Return-Path: <>\nFrom: {sender}\nTo: shop@example.com\nSubject: {subject}\n"
    head += f"MIME-Version: 1.0\n{more}Content-Type: text/plain; charset=utf-8\n\n"
    return f"{head}{text}".encode()


BOUNCES = {
    "Apache James": (
        mail(
            "Hi. This is the James mail server at mx.example.test.\nI'm afraid I wasn't able to "
            "deliver your message to the following addresses.\n"
            "This is a permanent error; I've given up. Sorry it didn't work out.  Below\nI "
            "include the list of recipients and the reason why I was unable"
            " to deliver your\nmessage.\n\nFailed recipient(s):\nhanako@example.test\n\nError "
            "message:\n550 5.2.2 Mailbox full\n\n",
            sender="postmaster@mx.example.test",
            subject="[ERROR] Order",
        ),
        "mailbox_full",
    ),
    "James, as an answer": (
        mail(
            "Error message below:\n552 Message size exceeds the limit\n\nMessage details:\n  "
            "Subject: Order\n  Sent date: Wed Apr 29\n"
            "  MAIL FROM: shop@example.com\n  RCPT TO: hanako@example.test\n  From: "
            "shop@example.com\n  Size (in bytes): 222\n",
            sender="robot@example.test",
            subject="Re: Order",
        ),
        "too_large",
    ),
    "IMail": (
        mail(
            "Unknown user: hanako@example.test\n\nOriginal message follows.\n\n" + ORIGINAL,
            sender="Postmaster <postmaster@mail.example.test>",
            subject="Undeliverable Mail",
        ),
        "unknown_user",
    ),
    "MailEnable": (
        mail(
            "MailEnable: Message could not be delivered to some recipients.\n\nThe following "
            "recipient(s) could not be reached:\n\n"
            "    Recipient: [SMTP:hanako@example.test]\n    Reason: 452 4.2.2 The mailbox is over "
            "its quota\n\n\nMessage headers follow:\n\n" + ORIGINAL,
            sender="postmaster@mail.example.test",
            subject="Message Delivery Failure",
        ),
        "mailbox_full",
    ),
    "hMailServer": (
        mail(
            "Your message did not reach some or all of the intended recipients.\n\n   Sent: Wed, "
            "25 Nov 2026\n   Subject: Order\n\n"
            "The following recipient(s) could not be reached:\n\nhanako@example.test\n   Error "
            "Type: SMTP\n   Remote server (192.0.2.1) issued"
            " an error.\n   hMailServer sent: RCPT TO:<hanako@example.test>\n   Remote server "
            "replied: 550 5.1.1 User unknown\n\n\n"
            "hMailServer\n",
            sender="mailer-daemon@mail.example.test",
            subject="Message undeliverable: Order",
        ),
        "unknown_user",
    ),
    "GroupWise": (
        mail(
            "The message that you sent was undeliverable to the following:\n\thanako@example.test "
            "(552 mailbox full)\n\n"
            "Possibly truncated original message follows:\n\n" + ORIGINAL,
            sender="Mailer-Daemon@mx.example.test",
            subject="Message status - undeliverable",
        ),
        "mailbox_full",
    ),
    "Notes": (
        mail(
            "------- Failure Reasons  --------\n\nUser hanako (hanako@example.test) not listed in "
            "Domino Directory\n\n"
            "------- Returned Message --------\n\n" + ORIGINAL,
            sender="Postmaster@example.test",
            subject="DELIVERY FAILURE: User not listed",
        ),
        "unknown_user",
    ),
    "MDaemon": (
        mail(
            "hanako@example.test - no such user here.\n\nThere is no user by that name at this "
            "server.\n",
            sender="MDaemon@mx.example.test",
            subject="Warning: hanako@example.test - User unknown!",
        ),
        "recipient_refused",
    ),
    "qmail behind a filter": (
        mail(
            "Hi. This is the qmail-send program at mx.example.test.\nI'm afraid I wasn't able to "
            "deliver your message to the following addresses.\n"
            "This is a permanent error; I've given up. Sorry it didn't work out.\n\n"
            "<hanako@example.test>:\n192.0.2.1 failed after I sent the"
            " message.\nRemote host said: 554 5.7.1 Message identified as spam\n\n--- Below this "
            "line is a copy of the message.\n\n" + ORIGINAL,
            subject="failure notice",
        ),
        "content",
    ),
    "Exim, quota": (
        mail(
            "This message was created automatically by mail delivery software.\n\nA message that "
            "you sent could not be delivered to one or more of"
            " its\nrecipients. This is a permanent error. The following address(es) failed:\n\n  "
            "hanako@example.test\n    mailbox is full:"
            " retry timeout exceeded\n\n------ This is a copy of the message, including all the "
            "headers. ------\n\n" + ORIGINAL,
            subject="Mail delivery failed: returning message to sender",
            more="X-Failed-Recipients: hanako@example.test\n",
        ),
        "mailbox_full",
    ),
    "German Exchange": (
        mail(
            "Ihre Nachricht hat einige oder alle Empfänger nicht erreicht.\n\n      "
            "Betreff:\tBestellung\n      Gesendet am:\t25.11.2026 10:00\n\n"
            "Folgende(r) Empfänger kann/können nicht erreicht werden:\n\n      "
            "hanako@example.test am 25.11.2026 10:00\n            Das Postfach"
            " des Empfängers hat sein Kontingent überschritten.\n",
            sender="Systemadministrator <postmaster@example.test>",
            subject="Unzustellbar: Bestellung",
        ),
        "mailbox_full",
    ),
    "French": (
        mail(
            "Votre message n'a pas pu être remis aux destinataires suivants :\n\n  "
            "hanako@example.test\n\nCette adresse est désactivée.\n",
            sender="robot@example.test",
            subject="Échec de la remise : Commande",
        ),
        "mailbox_disabled",
    ),
    "Spanish": (
        mail(
            "No se pudo entregar su mensaje a:\n\n  hanako@example.test\n\nEl buzón del "
            "destinatario ha excedido la cuota.\n",
            sender="correo@example.test",
            subject="Error de entrega",
        ),
        "mailbox_full",
    ),
    "Portuguese": (
        mail(
            "A sua mensagem não foi entregue:\n\n  hanako@example.test\n\nA mensagem é muito "
            "grande.\n",
            sender="robo@example.test",
            subject="Falha na entrega",
        ),
        "too_large",
    ),
    "Russian": (
        mail(
            "Письмо не может быть доставлено следующему получателю:\n\n  hanako@example.test\n\n"
            "Квота почтового ящика превышена.\n",
            sender="mailer@example.test",
            subject="Недоставленное сообщение",
        ),
        "mailbox_full",
    ),
    "Chinese": (
        mail(
            "很抱歉，您的邮件无法投递到以下地址：\n\n  hanako@example.test\n\n对方邮箱容量不足。\n",
            sender="postmaster@example.test",
            subject="系统退信",
        ),
        "mailbox_full",
    ),
    "Traditional Chinese": (
        mail(
            "您的郵件無法送達：\n\n  hanako@example.test\n\n該帳號已停用。\n",
            sender="postmaster@example.test",
            subject="郵件退回通知",
        ),
        "mailbox_disabled",
    ),
    "Korean": (
        mail(
            "메일이 다음 주소로 전송되지 못했습니다.\n\n  hanako@example.test\n\n수신자가 수신을 "
            "거부하였습니다.\n",
            sender="postmaster@example.test",
            subject="메일 반송",
        ),
        "recipient_refused",
    ),
    "Japanese": (
        mail(
            "次の宛先に配信できませんでした。\n\n  hanako@example.test\n\n受信トレイの上限に達して"
            "いるため、受け取れません。\n",
            sender="mail@example.test",
            subject="メール配信エラーのお知らせ",
        ),
        "mailbox_full",
    ),
    "a program without a name": (
        mail(
            "The following message could not be delivered.\nhanako@example.test\n550 5.7.1 "
            "Message refused: blocked using bl.example.org\n\n"
            "---- Original message ----\n\n" + ORIGINAL,
            sender="relay@example.test",
            subject="Order",
        ),
        "reputation",
    ),
    "a list server": (
        mail(
            "Duplicated Message-ID in <list@example.test>.\n\nOriginal mail as follows:\n\n"
            + ORIGINAL,
            sender="list-admin@example.test",
            subject="Loop Alert: Duplicated Message-ID (list)",
            more="X-MLServer: fml [fml 4.0.3]\n",
        ),
        "system",
    ),
}


@pytest.mark.parametrize(("data", "class_"), BOUNCES.values(), ids=BOUNCES)
def test_a_bounce_of_another_program_is_read(data, class_):
    report = read(data)
    assert report.kind is ReportKind.BOUNCE
    assert {str(fate.classified.class_) for fate in report.fates} == {class_}


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
