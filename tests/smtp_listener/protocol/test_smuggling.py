"""Where a message ends, and what is believed when (hardening A1, A2, A4, A5; finding 4).

Judged by what is stored.
"""

import time

import pytest

from deliveries.message import compression
from deliveries.models import Content, Delivery, Message
from tests.smtp_listener.conftest import Running

HEAD = b"From: shop@shop.test\r\nSubject: one\r\n\r\nfirst\r\n"
SMUGGLED = (
    b"MAIL FROM:<boss@shop.test>\r\nRCPT TO:<victim@mx.test>\r\nDATA\r\n"
    b"From: boss@shop.test\r\n"
    b"\r\nsmuggled\r\n"
)

# The cases of smtpsmug and of The-Login's scanner.
FALSE_ENDS = [
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\n.\r", b"\r.\n",
    b"\n\n.\r\n", b"\r\n\0.\r\n", b"\r\n.\0\r\n",
    b"\r\n.\r\r\n", b"\r\r\n.\r\r\n", b"\n.\n\r\n", b"\r\n\n.\n\r\n", b"\r\n.\n\r\n"[:-2],
]  # fmt: skip


def contents():
    return [
        compression.decompress(bytes(row.data), most=1_000_000) for row in Content.objects.all()
    ]


@pytest.mark.parametrize("end", FALSE_ENDS)
@pytest.mark.parametrize("policy", ["refuse", "repair"])
def test_a1_no_false_end_of_data_makes_a_second_message(listener, login, end, policy):
    listener.listener.is_repairing = policy == "repair"
    with listener.raw_app(login) as app:
        app.begin()
        assert app.say(b"DATA").startswith("354")
        app.send(HEAD + end + SMUGGLED + b"\r\n.\r\n")
        reply = app.reply()
        assert app.say(b"NOOP").startswith("250")
    assert reply.startswith("550 5.6.0") or (policy == "repair" and reply.startswith("250"))
    assert Message.objects.count() == reply.startswith("250")
    assert not Delivery.objects.filter(recipient="victim@mx.test").exists()
    assert all(
        data.count(b"\n") == data.count(b"\r\n") == data.count(b"\r") and b"\0" not in data
        for data in contents()
    )


@pytest.mark.parametrize("port", ["submission", "submissions", "mx"])
@pytest.mark.parametrize("end", FALSE_ENDS[:6])
def test_a1_a_stranger_who_tries_stores_nothing(listener, port, end):
    data = (
        b"EHLO x.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n"
        + HEAD
        + end
        + SMUGGLED
        + b"\r\n.\r\n"
    )
    client = listener.connect(port, tls=port != "mx")
    client.sock.sendall(data)
    client.close()
    assert Message.objects.count() == 0


@pytest.mark.parametrize("bare", [b"a\nb", b"a\rb", b"a\n\rb", b"\n", b"a\r"])
def test_a2_bare_line_ends_are_refused_and_the_session_goes_on(listener, login, bare):
    with listener.raw_app(login) as app:
        app.begin()
        app.say(b"DATA")
        assert app.say(HEAD + bare + b"\r\n.").startswith("550 5.6.0")
        app.begin()
    assert Message.objects.count() == 0


def test_a2_bare_line_ends_are_repaired_where_an_operator_chose_that(mail_db, limits, login):
    limits.EKIDEN_BARE_NEWLINES = "repair"
    with Running(limits) as running, running.raw_app(login) as app:
        app.begin()
        app.say(b"DATA")
        assert app.say(HEAD + b"a\nb\rc\n.\nd\r\n.").startswith("250")
    assert contents()[0].endswith(b"first\r\na\r\nb\r\nc\r\n.\r\nd\r\n")


def test_dots_at_the_beginning_of_lines_are_undone_and_nothing_else(listener, login):
    with listener.raw_app(login) as app:
        app.begin()
        app.say(b"DATA")
        assert app.say(HEAD + b"..\r\n...a\r\n.b\r\nc.\r\n.").startswith("250")
    assert contents()[0].endswith(b"first\r\n.\r\n..a\r\nb\r\nc.\r\n")


@pytest.mark.parametrize(
    "after", [b"EHLO x.test\r\n", b"NOOP\r\n", b"\0", b"MAIL FROM:<shop@shop.test>\r\n"]
)
def test_a4_nothing_said_with_starttls_is_believed(listener, after):
    with listener.raw() as client:
        client.say(b"EHLO x.test")
        client.send(b"STARTTLS\r\n" + after)
        assert client.reply().startswith("554")
        assert client.is_closed()


def test_a4_nothing_said_while_our_220_waits_is_believed(listener):
    with listener.raw("mx") as client:
        client.say(b"EHLO x.test")
        channel = next(iter(listener.listener.sessions)).channel
        listener.loop.call_soon_threadsafe(
            channel.pause_writing
        )  # as the transport does when its buffer is full
        client.send(b"STARTTLS\r\n")
        assert client.reply().startswith("220")
        client.send(b"NOOP\r\n")
        time.sleep(0.1)
        listener.loop.call_soon_threadsafe(channel.resume_writing)
        assert client.reply().startswith("554")


def test_a4_what_was_said_before_tls_is_forgotten(listener):
    with listener.raw("mx") as client:
        client.say(b"EHLO x.test")
        client.say(b"MAIL FROM:<a@b.test>")
        client.start_tls()
        assert client.say(b"RCPT TO:<postmaster>").startswith("503")
        assert client.say(b"MAIL FROM:<a@b.test>").startswith("503")
        assert client.say(b"STARTTLS").startswith("503")


def test_a5_a_whole_dialogue_in_one_packet_is_cut_off(listener):
    with listener.raw("mx") as client:
        client.send(
            b"EHLO x.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<postmaster>\r\nDATA\r\n"
            + HEAD
            + b".\r\nQUIT\r\n"
        )
        assert client.reply().startswith("554")
        assert client.is_closed()


def test_a5_content_before_the_354_is_cut_off_and_nothing_is_stored(listener, login):
    with listener.raw_app(login) as app:
        app.begin()
        app.send(b"DATA\r\n" + HEAD + b".\r\n")
        assert app.reply().startswith("554")
        assert app.is_closed()
    assert Message.objects.count() == 0


def test_a5_pipelined_commands_are_answered_in_order(listener, login):
    with listener.raw_app(login) as app:
        app.send(
            b"MAIL FROM:<shop@shop.test>\r\nRCPT TO:<bad\r\nRCPT TO:<you@mx.test>\r\n"
            b"RCPT TO:<her@mx.test>\r\nNOOP\r\nDATA\r\n"
        )
        assert [app.reply()[:3] for _ in range(6)] == ["250", "501", "250", "250", "250", "354"]
        app.send(HEAD + b".\r\nMAIL FROM:<shop@shop.test>\r\nRSET\r\nQUIT\r\n")
        assert [app.reply()[:3] for _ in range(4)] == ["250", "250", "250", "221"]
    assert Delivery.objects.count() == 2


def test_a5_after_failed_recipients_pipelined_data_meets_no_content(listener, login):
    with listener.raw_app(login) as app:
        app.send(b"MAIL FROM:<boss@other.test>\r\nRCPT TO:<you@mx.test>\r\nDATA\r\n")
        assert [app.reply()[:3] for _ in range(3)] == ["550", "503", "503"]
