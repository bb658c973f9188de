"""Nobody relays through us who may not (hardening B1, B3, B6, B7)."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from deliveries.bounces import return_path
from deliveries.bounces.keys import return_path_key
from deliveries.models import Delivery, InboundMail, Message
from smtp_listener.admission.limits import FORGED_RETURN_PATHS
from tests.deliveries import make
from tests.smtp_listener.sessions.test_session import MAIL, stored

TRICKS = [
    "u@d.test", "@a.test,@b.test:u@d.test", "u%d.test@relay.test", '"u@d.test"@relay.test',
    "d.test!u@relay.test",
    "u@[127.0.0.1]", "u@[192.0.2.1]", "u@relay.test", " u@d.test ", "u@d.test@relay.test",
    '"postmaster"@d.test',
    "postmaster@d.test", "postmaster%d.test@relay.test", "abuse", "b-x", "@relay.test:u@d.test",
    "u@relay.test.d.test", "u@", "",
]  # fmt: skip
SENDERS = ["", "postmaster@relay.test", "a@shop.test", "a@b.test"]


def refused(client, sender, recipient):
    client.send(f"MAIL FROM:<{sender}>\r\nRCPT TO:<{recipient}>\r\nRSET\r\n".encode())
    replies = [client.reply() for _ in range(3)]
    return next((reply for reply in replies[:2] if not reply.startswith("250")), None)


@pytest.mark.parametrize("sender", SENDERS)
def test_b1_port_25_relays_for_nobody(listener, sender):
    for recipient in TRICKS:
        with listener.raw("mx") as client:
            client.say(b"EHLO x.test")
            assert refused(client, sender, recipient)[:3] in ("501", "550"), recipient


@pytest.mark.parametrize("port", ["submission", "submissions"])
def test_b1_without_auth_nothing_goes(listener, port):
    client = listener.connect(port)
    for sender in SENDERS:
        assert client.mail(sender)[0] == 530
    client.close()


def test_b1_with_auth_no_trick_makes_another_destination(listener, login):
    with listener.raw_app(login) as app:
        for trick in TRICKS[1:]:
            reply = refused(app, "shop@shop.test", trick)
            plain_address = trick.strip() in (
                "u@d.test",
                "u@relay.test",
                '"postmaster"@d.test',
                "postmaster@d.test",
                "u@relay.test.d.test",
            )
            assert (reply is None) if plain_address else reply[:3] in ("501", "550"), trick


def test_b1_with_auth_only_own_senders_and_the_null_one_are_taken(listener, login):
    with listener.raw_app(login) as app:
        assert refused(app, "", "you@mx.test") is None
        for sender in ("postmaster@relay.test", "a@b.test", "a@sub.shop.test", "b-x@relay.test"):
            assert refused(app, sender, "you@mx.test").startswith("550 5.7.1")


@pytest.mark.parametrize(
    "recipient",
    [
        "postmaster",
        "Postmaster@Relay.Test",
        "abuse@relay.test.",
        "feedback@relay.test",
        "FBL@relay.test",
    ],
)
def test_postmaster_and_abuse_are_heard(listener, recipient):
    with listener.raw("mx") as client:
        client.say(b"EHLO x.test")
        client.begin(recipient, mail_from="a@b.test")
        client.say(b"DATA")
        assert client.say(b"Subject: hello\r\n\r\nhello\r\n.").startswith(
            "250 2.0.0 OK received as "
        )
    assert InboundMail.objects.get().kind == recipient.lower().partition("@")[0].replace(
        "fbl", "feedback"
    )
    assert Message.objects.count() == 0


def path_of(delivery, *, now=None):
    return return_path.make(delivery, key=return_path_key(), now=now or timezone.now())


def test_a_return_path_of_ours_is_taken_in_any_case(listener):
    delivery = make.delivery()
    with listener.raw("mx") as client:
        client.say(b"HELO x.test")
        client.begin(f"{path_of(delivery.pk).upper()}@RELAY.test", mail_from="")
        client.say(b"DATA")
        assert client.say(b"Subject: failed\r\n\r\nno\r\n.").startswith("250")
    assert InboundMail.objects.get().delivery_id == delivery.pk


def test_b7_forged_and_old_return_paths_are_counted_and_change_nothing(listener, caplog, valkey):
    delivery = make.delivery(state="delivered", ended_at=timezone.now(), due_at=None)
    good = path_of(delivery.pk)
    forged = [
        "b-" + "a" * 42,
        good[:-1] + ("a" if good[-1] != "a" else "b"),
        good + "aa",
        path_of(delivery.pk, now=timezone.now() - timedelta(days=40)),
    ]
    with listener.raw("mx") as client:
        client.say(b"EHLO x.test")
        for local_part in forged:
            assert refused(client, "", f"{local_part}@relay.test").startswith("550 5.1.1")
    assert caplog.text.count("event=forged-return-path") == len(forged)
    assert int(valkey.get(FORGED_RETURN_PATHS)) == len(forged)
    assert InboundMail.objects.count() == 0
    delivery.refresh_from_db()
    assert delivery.state == "delivered"


def test_b7_a_flood_of_forged_return_paths_ends_the_session(listener):
    with listener.raw("mx") as client:
        client.say(b"EHLO x.test")
        client.say(b"MAIL FROM:<>")
        client.send(b"".join(b"RCPT TO:<b-%040d@relay.test>\r\n" % number for number in range(100)))
        replies = [client.reply() for _ in range(21)]
    assert [reply[:3] for reply in replies] == ["550"] * 20 + ["421"]


def test_b6_what_comes_in_is_never_answered_by_mail(listener):
    delivery = uuid4()
    with listener.raw("mx") as client:
        client.say(b"EHLO x.test")
        for to in ("postmaster", f"{path_of(delivery)}@relay.test"):
            client.begin(to, mail_from="victim@b.test")
            client.say(b"DATA")
            client.say(b"Subject: out of office\r\n\r\nhello\r\n.")
    assert (InboundMail.objects.count(), Message.objects.count(), Delivery.objects.count()) == (
        2,
        0,
        0,
    )


@pytest.mark.parametrize("parameter", ["NOTIFY=NEVER", "ORCPT=rfc822;a@b.test", "FOO=bar"])
def test_a8_port_25_offers_no_dsn_and_takes_none(listener, parameter):
    with listener.raw("mx") as client:
        assert "DSN" not in client.say(b"EHLO x.test")
        assert client.say(b"MAIL FROM:<> RET=HDRS").startswith("555")
        client.say(b"MAIL FROM:<>")
        assert client.say(f"RCPT TO:<postmaster> {parameter}".encode()).startswith("555")


def test_b5_a_mail_that_goes_in_circles_is_refused(listener, login):
    looped = b"Received: from a.test by b.test; now\r\n" * 30 + MAIL
    with listener.raw_app(login) as app:
        app.begin()
        app.say(b"DATA")
        assert app.say(looped + b".").startswith("554 5.4.6")
    with listener.raw("mx") as client:
        client.say(b"EHLO x.test")
        client.begin("postmaster", mail_from="")
        client.say(b"DATA")
        assert client.say(looped + b".").startswith("554 5.4.6")


def test_b5_a_mail_that_comes_back_through_its_own_credential_is_not_sent_again(listener, login):
    answers = []
    with listener.raw_app(login) as app:
        for trace in (b"", b"Received: from relay.test by list.test; now\r\nX-Loop: list\r\n"):
            app.begin("list@mx.test")
            app.say(b"DATA")
            answers.append(app.say(trace + MAIL + b"."))
    assert answers[0] == answers[1] and answers[0].startswith("250")
    assert Delivery.objects.count() == 1


def test_b5_a_mail_that_comes_back_with_the_trace_of_its_first_time_is_a_loop(listener, login):
    answers = []
    with listener.raw_app(login) as app:
        for trace in (b"", b"Received: by relay.test with ESMTPSA id %s; now\r\n", b""):
            app.begin("list@mx.test")
            app.say(b"DATA")
            first = answers[0].split()[-1].encode() if answers else b""
            answers.append(app.say((trace % first if trace else b"") + MAIL + b"."))
    assert answers[1].startswith("554 5.4.6")
    assert answers[0] == answers[2] and answers[0].startswith("250")


def test_b3_fields_that_would_steer_us_are_not_sent_on(listener, login):
    with listener.raw_app(login) as app:
        app.begin()
        app.say(b"DATA")
        app.say(
            b"X-Ekiden-Priority: urgent\r\nx-ekiden-pool: b\r\nBcc: secret@mx.test\r\n"
            + MAIL
            + b"."
        )
    assert not any(word in stored().lower() for word in (b"x-ekiden", b"bcc", b"secret"))
