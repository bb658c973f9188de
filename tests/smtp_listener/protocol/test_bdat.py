"""CHUNKING (RFC 3030; hardening A8)."""

import pytest

from deliveries.message import compression
from deliveries.models import Content, Message

HEAD = b"From: shop@shop.test\r\n\r\n"


@pytest.fixture
def app(listener, login):
    with listener.raw_app(login) as connected:
        yield connected


def bdat(app, data, *, last=False, size=None):
    app.send(
        b"BDAT %d%b\r\n" % (len(data) if size is None else size, b" LAST" if last else b"") + data
    )
    return app.reply()


def stored():
    return compression.decompress(bytes(Content.objects.get().data), most=1_000_000)


def test_chunks_become_one_message_whose_dots_mean_nothing(app):
    app.begin()
    assert bdat(app, HEAD + b".\r").startswith("250 2.0.0 26 bytes")
    assert bdat(app, b"").startswith("250")
    assert bdat(app, b"\n..a\r\n.\r\n", last=True).startswith("250 2.0.0 OK queued")
    assert stored().endswith(b"\r\n\r\n.\r\n..a\r\n.\r\n")


def test_a_last_chunk_may_be_empty_and_the_last_line_open(app):
    app.begin()
    bdat(app, HEAD + b"no line end")
    assert bdat(app, b"", last=True).startswith("250")
    assert stored().endswith(b"\r\n\r\nno line end\r\n")


def test_everything_may_come_in_one_packet(app):
    app.send(
        b"MAIL FROM:<shop@shop.test>\r\nRCPT TO:<you@mx.test>\r\nBDAT 24\r\n"
        + HEAD
        + b"BDAT 3 LAST\r\na\r\nNOOP\r\n"
    )
    assert [app.reply()[:3] for _ in range(5)] == ["250"] * 5
    assert stored().endswith(b"\r\n\r\na\r\n")


def test_rset_in_the_middle_forgets_the_chunks(app):
    app.begin()
    bdat(app, HEAD + b"forgotten\r\n")
    app.say(b"RSET")
    app.begin()
    assert bdat(app, HEAD + b"kept\r\n", last=True).startswith("250")
    assert b"forgotten" not in stored()


def test_a_chunk_after_failed_recipients_is_read_and_never_taken_for_commands(app):
    app.say(b"MAIL FROM:<shop@shop.test>")
    app.say(b"RCPT TO:<bad>")
    assert bdat(app, b"QUIT\r\n" + HEAD, last=True).startswith("503")
    assert app.say(b"NOOP").startswith("250")
    assert Message.objects.count() == 0


def test_data_and_recipients_are_refused_once_the_content_has_begun(app):
    app.begin()
    bdat(app, HEAD)
    assert app.say(b"DATA").startswith("503")
    assert app.say(b"RCPT TO:<her@mx.test>").startswith("503")
    assert bdat(app, b"a\r\n", last=True).startswith("250")
    assert Message.objects.get().recipient_count == 1


def test_a_bare_cr_across_chunks_is_refused(app):
    app.begin()
    bdat(app, HEAD + b"a\r")
    assert bdat(app, b"b\r\n", last=True).startswith("550 5.6.0")


def test_an_oversized_message_is_refused_with_its_chunk_and_the_session_goes_on(app, listener):
    listener.listener.max_size = 1000
    app.begin()
    assert bdat(app, HEAD + b"x" * 1000).startswith("552 5.3.4")
    assert bdat(app, b"more", last=True).startswith("503")
    app.begin()


@pytest.mark.parametrize("chunk", [b"BDAT 99999999999999999999 LAST", b"BDAT 3000000"])
def test_a_hopeless_chunk_is_not_read_at_all(app, listener, chunk):
    listener.listener.max_size = 1000
    app.begin()
    assert app.say(chunk).startswith("552")
    assert app.is_closed()


@pytest.mark.parametrize(
    "argument", [b"", b"x", b"-1", b"5 FIRST", b"5 LAST x", "５".encode(), b"1" * 21]
)
def test_a_chunk_of_unknown_size_ends_the_session(app, argument):
    app.begin()
    assert app.say(b"BDAT " + argument).startswith("501")
    assert app.is_closed()


def test_chunks_without_end_are_cut_off(app, listener):
    listener.listener.max_size = 100_000
    app.begin()
    app.socket.settimeout(5)
    assert bdat(app, b"x" * 150_000).startswith("552")
    assert bdat(app, b"", size=1_300_000).startswith("552")
    assert app.is_closed()
