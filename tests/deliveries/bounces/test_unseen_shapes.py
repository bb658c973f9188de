"""Reports in the form of many programs and languages, written for these tests: none of them is a
sample that a rule was made for.
"""

import pytest

from deliveries.bounces.parsed_report import ReportKind
from deliveries.bounces.parser import read

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
