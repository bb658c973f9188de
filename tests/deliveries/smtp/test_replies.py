import tracemalloc
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliveries.smtp.replies import MAX_LINE, MAX_TEXT, ProtocolError, Reply, ReplyParser


def parse(*pieces: bytes) -> list[Reply]:
    parser = ReplyParser()
    return [reply for piece in pieces for reply in parser.feed(piece)]


def parse_one(data: bytes) -> Reply:
    (reply,) = parse(data)
    return reply


def test_a_reply_has_its_code_its_enhanced_code_and_its_text():
    assert parse_one(b"550 5.1.1 No such user\r\n") == Reply(550, "5.1.1", "No such user")


def test_a_multi_line_reply_becomes_one_line_of_text():
    reply = parse_one(
        b"550-5.7.26 This mail is\r\n550-5.7.26 not authenticated\r\n550 5.7.26 abc\r\n"
    )
    assert reply == Reply(550, "5.7.26", "This mail is not authenticated abc")


def test_the_lines_of_a_positive_reply_are_kept_for_ehlo():
    assert parse_one(b"250-mx.test\r\n250-SIZE 1\r\n250 DSN\r\n").lines == (
        "mx.test",
        "SIZE 1",
        "DSN",
    )


@pytest.mark.parametrize(
    "text", ["4.1.1 other class", "5.1 two numbers", "5.1.1000 too large", "5.1.1.1 four", ""]
)
def test_an_enhanced_code_that_is_none_is_left_in_the_text(text):
    assert parse_one(f"550 {text}\r\n".encode()) == Reply(550, None, text)


@pytest.mark.parametrize(
    "data", [b"250\r\n", b"250 \r\n", b"250\n", b"250-\n250\n", b"250-\r\n250 \r\r\n"]
)
def test_text_may_be_missing_and_lines_may_end_in_a_bare_lf(data):
    assert parse_one(data) == Reply(250, None, "")


def test_the_last_line_decides_where_codes_differ():
    assert parse_one(b"250-fine\r\n550 not fine\r\n").code == 550


def test_a_missing_space_after_the_code_is_forgiven():
    assert parse_one(b"250ok\r\n") == Reply(250, None, "ok")


@pytest.mark.parametrize(
    "data",
    [b"999 no\r\n", b"150 no\r\n", b"abc\r\n", b"\r\n", b"25\r\n", b"2500 ok\r\n", b"\xff\xfe\r\n"],
)
def test_what_is_no_reply_is_a_protocol_error(data):
    with pytest.raises(ProtocolError):
        parse(b"220 mx.test\r\n" + data)


def test_replies_before_a_protocol_error_are_still_given():
    replies, parser = [], ReplyParser()
    with pytest.raises(ProtocolError):
        replies.extend(parser.feed(b"250 ok\r\n999 no\r\n"))
    assert replies == [Reply(250, None, "ok")]


def test_text_of_any_charset_is_readable():
    assert parse_one("550 宛先不明\r\n".encode()).text == "宛先不明"
    assert parse_one("550 Empfänger unbekannt\r\n".encode("latin-1")).text == "Empfänger unbekannt"


@pytest.mark.parametrize("charset", ["shift_jis", "euc_jp", "iso2022_jp"])
@pytest.mark.parametrize(
    "text",
    ["宛先のメールボックスはありません", "メールを受け取れません (user unknown)", "宛先不明"],
)
def test_replies_in_the_charsets_of_japan_are_readable(charset, text):
    assert parse_one(b"550 5.1.1 " + text.encode(charset) + b"\r\n") == Reply(550, "5.1.1", text)


def test_text_of_the_west_is_not_taken_for_japanese():
    for text in (
        "Adresse inconnue, refusée à la réception",
        "Größe überschritten",
        "Usuario desconocido: señor Muñoz, ¡adiós!",
    ):
        assert parse_one(b"550 " + text.encode("latin-1") + b"\r\n").text == text


def test_a_line_without_a_code_inside_the_banner_is_passed_over():
    (greeting,) = parse(b"220-mx.test ESMTP\r\n*** authorised use only ***\r\n\r\n220 ready\r\n")
    assert greeting.code == 220 and "ready" in greeting.text


def test_a_line_without_a_code_before_the_banner_is_passed_over():
    (greeting,) = parse(b"\r\n*** authorised use only ***\r\n220 mx.test ESMTP\r\n")
    assert greeting == Reply(220, None, "mx.test ESMTP")


def test_lines_without_a_code_and_without_an_end_are_a_protocol_error():
    with pytest.raises(ProtocolError, match="not SMTP"):
        parse(b"no mail here\r\n" * 1000)


def test_a_line_without_a_code_after_the_banner_is_a_protocol_error():
    with pytest.raises(ProtocolError):
        parse(b"220 mx.test\r\n250-mx.test\r\nPIPELINING\r\n250 SIZE\r\n")


def test_the_enhanced_code_may_stand_in_any_line():
    assert parse_one(b"550-We are sorry:\r\n550 5.1.1 no such user\r\n") == Reply(
        550, "5.1.1", "We are sorry: no such user"
    )


def test_control_characters_and_terminal_escapes_are_shown():
    hostile = (
        b"550 "
        b"a\tb\x1b[31mred\x1b[0m\x00\r\x07\x1b]0;"
        b"title\x07c\xe2\x80\xaed\xe2\x80\xa8e\xc2\x9b2Jf\r\n"
    )
    assert (
        parse_one(hostile).text
        == r"a b\u001b[31mred\u001b[0m\u0000\r\u0007\u001b]0;title\u0007c\u202ed\u2028e\u009b2Jf"
    )


def test_a_long_text_is_capped():
    assert len(parse_one(b"550 " + b"x" * 3000 + b"\r\n").text) == MAX_TEXT


def test_only_the_beginning_of_a_long_line_is_kept():
    (reply,) = parse(b"250-", b"x" * 30_000, b"x" * 30_000, b"\r\n250 ok\r\n")
    assert len(reply.lines[0]) == MAX_LINE - len("250-")


def test_a_line_that_never_ends_is_a_protocol_error():
    with pytest.raises(ProtocolError, match="line without end"):
        parse(*[b"2" * 1000] * 1000)


def test_a_hundred_thousand_lines_take_little_memory():
    parser = ReplyParser()
    tracemalloc.start()
    for _ in range(100_000):
        assert not [*parser.feed(b"250-" + b"x" * 70 + b"\r\n")]
    (reply,) = parser.feed(b"250 end\r\n")
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    assert (reply.code, len(reply.lines)) == (250, 200)


def test_a_reply_that_never_ends_is_a_protocol_error():
    with pytest.raises(ProtocolError, match="no end"):
        parse(*[b"250-" + b"x" * 4000 + b"\r\n"] * 5000)


def test_the_parser_knows_whether_a_reply_is_half_read():
    parser = ReplyParser()
    assert [*parser.feed(b"250 ok\r\n")] and parser.is_idle
    assert not [*parser.feed(b"2")] and not parser.is_idle
    assert not [*parser.feed(b"50-a\r\n")] and not parser.is_idle


@given(
    st.lists(
        st.sampled_from([b"250 ok", b"250-", b"550-5.1.1 x", b"\r\n", b"\n", b"\xe5", b"\x1b["]),
        max_size=30,
    )
)
def test_how_the_bytes_are_cut_makes_no_difference(pieces):
    data = b"".join(pieces)

    def outcome(chunks: list[bytes]) -> tuple[list[Reply], bool]:
        replies, parser = [], ReplyParser()
        try:
            for chunk in chunks:
                replies.extend(parser.feed(chunk))
        except ProtocolError:
            return replies, True
        return replies, False

    assert outcome([data]) == outcome([data[at : at + 1] for at in range(len(data))])


@given(st.binary(max_size=2000))
def test_no_bytes_surprise_the_parser(data):
    try:
        replies = parse(data)
    except ProtocolError:
        return
    for reply in replies:
        assert len(reply.text) <= MAX_TEXT
        assert not [character for character in reply.text if category(character) == "Cc"]
