import pytest

from deliveries.message.readable import HEADERS_MOST, SHOWN_MOST, read


def test_the_text_part_is_read_and_the_html_is_not():
    data = (
        b"Subject: hi\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n"
        b"Content-Type: text/html\r\n\r\n<b>loud</b>\r\n"
    )
    reading = read(data + b"--b\r\nContent-Type: text/plain\r\n\r\nquiet\r\n--b--\r\n")
    assert (reading.subject, reading.text.strip(), reading.is_cut) == ("hi", "quiet", False)
    assert "<b>loud</b>" in reading.source


def test_japanese_is_read_in_its_charset():
    data = (
        b"Subject: =?iso-2022-jp?B?GyRCRnxLXBsoQg==?=\r\n"
        b"Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n\x1b$BF|K\\\x1b(B\r\n"
    )
    assert (read(data).subject, read(data).text.strip()) == ("日本", "日本")


def test_a_mail_of_html_alone_has_no_text():
    assert read(b"Content-Type: text/html\r\n\r\n<p>x</p>").text == ""


@pytest.mark.parametrize(
    "charset", ["zlib_codec", "unicode_escape", "hex", "../../x", "utf-7", "\xff"]
)
def test_a_hostile_charset_leaves_the_source(charset):
    data = (
        f"Subject: =?{charset}?b?AAAA?=\r\nContent-Type: text/plain; charset={charset}\r\n\r\n"
        "+AD\\x\r\n"
    ).encode("latin-1")
    assert "Content-Type" in read(data).source


def test_what_is_too_long_is_cut():
    reading = read(b"X: y\r\n" * 300 + b"\r\n" + b"a" * SHOWN_MOST)
    assert (
        reading.is_cut
        and len(reading.source) == SHOWN_MOST - 301
        and len(reading.headers) == HEADERS_MOST
    )


def test_deep_nesting_is_survived():
    data = b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (level, level)
        for level in range(2000)
    )
    assert read(data).source


def test_what_is_shown_holds_no_control_but_line_ends():
    reading = read(
        (
            "Subject: =?utf-8?b?YeKAqGI=?=\r\nX: a\x0bb\u202e\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n\r\na\x1b[2J\u2028b\r\nc"
        ).encode()
    )
    assert reading.subject == r"a\u2028b"
    assert dict(reading.headers)["X"] == r"a\u000bb\u202e"
    assert reading.text == "a\\u001b[2J\\u2028b\nc"
    assert reading.source.splitlines()[-1] == "c"
