"""The ordinary life of a session, with Python's own client."""

import smtplib

import pytest

from deliveries.message import compression
from deliveries.models import Content, Delivery, Message

MAIL = (
    b"From: Shop <shop@shop.test>\r\nTo: you@mx.test\r\nSubject: hi\r\n"
    b"Message-ID: <1@shop.test>\r\n"
    b"Date: Tue, 24 Nov 2026 00:00:00 +0000\r\n\r\nhello\r\n"
)


def stored():
    message = Message.objects.get()
    return compression.decompress(bytes(Content.objects.get().data), most=message.size)


@pytest.mark.parametrize("port", ["submission", "submissions"])
def test_an_app_hands_in_a_message_over_tls(listener, login, port):
    with listener.connect(port, login=login) as client:
        code, text = client.mail("shop@shop.test"), client.rcpt("you@mx.test")
        code, text = client.data(MAIL)
    message = Message.objects.get()
    assert (code, text.decode()) == (250, f"2.0.0 OK queued as {message.id}")
    assert message.client_tls.startswith("TLSv1.3")
    assert Delivery.objects.get().recipient == "you@mx.test"
    assert stored().endswith(MAIL)


def test_login_works_as_well_as_plain(listener, login):
    client = listener.connect()
    client.user, client.password = login
    assert client.auth("LOGIN", client.auth_login)[0] == 235
    client.close()


def test_what_is_offered_depends_on_port_and_tls(listener, login):
    plain, secure, mx = (
        listener.connect(tls=False),
        listener.connect(),
        listener.connect("mx", tls=False),
    )
    everywhere = {"pipelining", "size", "8bitmime", "smtputf8", "enhancedstatuscodes", "chunking"}
    assert set(plain.esmtp_features) == everywhere | {"dsn", "mt-priority", "starttls"}
    assert set(secure.esmtp_features) == everywhere | {"dsn", "mt-priority", "auth"}
    assert set(mx.esmtp_features) == everywhere | {"starttls"}
    for client in (plain, secure, mx):
        client.close()


def test_without_tls_there_is_neither_auth_nor_mail(listener):
    client = listener.connect(tls=False)
    assert client.docmd("AUTH", "PLAIN AGEAYg==")[0] == 538
    assert client.mail("shop@shop.test")[0] == 530
    client.close()


def test_without_auth_there_is_no_mail(listener):
    client = listener.connect()
    assert client.mail("shop@shop.test")[0] == 530
    client.close()


def test_several_messages_go_over_one_session(client):
    for number in range(3):
        client.sendmail("shop@shop.test", ["you@mx.test"], MAIL.replace(b"<1@", b"<%d@" % number))
    assert Message.objects.count() == 3


def test_all_recipients_of_the_envelope_are_served_and_repeats_are_one(client):
    client.sendmail("shop@shop.test", ["you@mx.test", "YOU@mx.test", "secret@other.test"], MAIL)
    assert sorted(Delivery.objects.values_list("recipient", flat=True)) == [
        "secret@other.test",
        "you@mx.test",
    ]


def test_the_parameters_of_rfc_3461_are_kept(client):
    client.mail("shop@shop.test", ["RET=HDRS", "ENVID=order+2B7"])
    client.rcpt("you@mx.test", ["NOTIFY=success,failure", "ORCPT=rfc822;you+2Bme@mx.test"])
    client.data(MAIL)
    delivery = Delivery.objects.select_related("message").get()
    assert (delivery.message.ret, delivery.message.envid) == ("HDRS", "order+7")
    assert (delivery.notify, delivery.orcpt) == ("SUCCESS,FAILURE", "rfc822;you+me@mx.test")


@pytest.mark.parametrize(
    "parameters",
    [
        "RET=ALL",
        "ENVID=a=b",
        "ENVID=+zz",
        "SIZE=-1",
        "SIZE=x",
        "BODY=9BIT",
        "FOO=bar",
        "SIZE=1 SIZE=2",
        "ENVID=" + "x" * 101,
    ],
)
def test_a_bad_parameter_of_mail_is_refused_with_a_5xx(client, parameters):
    assert client.mail("shop@shop.test", [parameters])[0] in (501, 555)


@pytest.mark.parametrize(
    "parameters",
    ["NOTIFY=NEVER,SUCCESS", "NOTIFY=", "ORCPT=nobody", "ORCPT=rfc822;+0D+0A", "SIZE=1"],
)
def test_a_bad_parameter_of_rcpt_is_refused_with_a_5xx(client, parameters):
    client.mail("shop@shop.test")
    assert client.rcpt("you@mx.test", [parameters])[0] in (501, 555)


def test_binarymime_is_refused_politely(client):
    assert client.mail("shop@shop.test", ["BODY=BINARYMIME"])[0] == 555
    assert client.mail("shop@shop.test", ["BODY=8BITMIME"])[0] == 250


@pytest.mark.parametrize(
    ("given", "sent", "key"),
    [
        ("A..b@docomo.ne.jp", '"A..b"@docomo.ne.jp', "a..b@docomo.ne.jp"),
        ('"a..b"@docomo.ne.jp', '"a..b"@docomo.ne.jp', "a..b@docomo.ne.jp"),
        (".a@docomo.ne.jp", '".a"@docomo.ne.jp', ".a@docomo.ne.jp"),
        ("a.@ezweb.ne.jp", '"a."@ezweb.ne.jp', "a.@ezweb.ne.jp"),
        ('"a."@ezweb.ne.jp', '"a."@ezweb.ne.jp', "a.@ezweb.ne.jp"),
        ('"plain"@mx.test', "plain@mx.test", "plain@mx.test"),
        ("you@日本.test", "you@xn--wgv71a.test", "you@xn--wgv71a.test"),
        ("あ@mx.test", "あ@mx.test", "あ@mx.test"),
    ],
)
def test_legacy_and_international_addresses_are_taken_and_sent_in_one_form(
    client, given, sent, key
):
    client.mail("shop@shop.test", ["SMTPUTF8"])
    client.send(f"RCPT TO:<{given}>\r\n".encode())
    assert client.getreply()[0] == 250
    client.data(MAIL)
    delivery = Delivery.objects.select_related("message").get()
    assert (delivery.recipient, delivery.recipient_key, delivery.message.smtputf8) == (
        sent,
        key,
        not sent.isascii(),
    )


@pytest.mark.parametrize(("to", "asked"), [("you@mx.test", False), ("あ@mx.test", True)])
def test_smtputf8_by_habit_is_not_asked_of_the_next_host(client, to, asked):
    """As Go's net/smtp says it whenever it is offered."""
    client.mail("shop@shop.test", ["BODY=8BITMIME", "SMTPUTF8"])
    client.rcpt("you@mx.test")
    client.data(f"From: shop@shop.test\r\nTo: {to}\r\nSubject: ご注文\r\n\r\nhello\r\n".encode())
    assert Delivery.objects.select_related("message").get().message.smtputf8 is asked


@pytest.mark.parametrize(
    "address",
    [
        "you",
        "you@",
        "@mx.test",
        "y u@mx.test",
        "you@mx",
        "you@[127.0.0.1]",
        "you@-.test",
        "あ@mx.test",
    ],
)
def test_a_malformed_address_is_refused(client, address):
    client.mail("shop@shop.test")
    client.send(f"RCPT TO:<{address}>\r\n".encode())
    assert client.getreply()[0] in (501, 550, 553)


def test_a_message_larger_than_allowed_is_refused_at_mail_or_at_the_end(client, listener):
    listener.listener.max_size = 1000
    assert client.mail("shop@shop.test", ["SIZE=1001"])[0] == 552
    client.mail("shop@shop.test", ["SIZE=10"])
    client.rcpt("you@mx.test")
    assert client.data(MAIL + b"x" * 998 + b"\r\n")[0] == 552
    client.sendmail("shop@shop.test", ["you@mx.test"], MAIL)
    assert Message.objects.count() == 1


def test_rset_forgets_the_message(client):
    client.mail("shop@shop.test")
    client.rset()
    assert client.rcpt("you@mx.test")[0] == 503


def test_vrfy_and_expn_tell_nothing(client):
    assert (client.verify("you@mx.test")[0], client.expn("all")[0]) == (252, 502)


def test_smtplibs_login_with_a_wrong_secret_gets_its_reply(listener, login):
    client = listener.connect()
    with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
        client.login(login[0], "wrong")
    assert caught.value.smtp_code == 535
    client.close()
