"""Body lines over 998 octets: written anew where the content says that it is text."""

from email import message_from_bytes, policy

import pytest

from deliveries.intake.long_lines import NotText, rewritten
from deliveries.message.headers import parse

LONG = b"<td>" * 1250 + b"\r\nend\r\n"
TEXT = b"Content-Type: text/html; charset=utf-8\r\n"


def rewrite(headers, body):
    found, written = rewritten(parse(headers), body)
    assert max(map(len, written.split(b"\r\n"))) <= 998
    return message_from_bytes(bytes(found) + b"\r\n" + written, policy=policy.SMTP)


def part(headers, body):
    return b"--b\r\n" + headers + b"\r\n" + body


@pytest.mark.parametrize(
    "headers",
    [
        b"",
        TEXT,
        TEXT + b"Content-Transfer-Encoding: 8bit\r\n",
        TEXT + b"Content-Transfer-Encoding: 7BIT\r\n",
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        LONG,
        LONG.removesuffix(b"\r\n"),
        b"=" * 999,
        "é".encode() * 600 + b"\r\n",
        b". \r\n" + LONG + b"From x \r\n",
    ],
)
def test_text_is_written_as_quoted_printable_and_reads_the_same(headers, body):
    message = rewrite(headers, body)
    assert message.get_payload(decode=True) == body
    assert (
        message["Content-Transfer-Encoding"] == "quoted-printable"
        and message["MIME-Version"] == "1.0"
    )


def test_what_has_no_such_line_stays_as_it_is():
    headers, body = parse(TEXT), b"a" * 998 + b"\r\n"
    assert rewritten(headers, body) == (headers, body)


def test_base64_and_quoted_printable_in_one_line_are_wrapped():
    message = rewrite(
        b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n", b"QUJD" * 500 + b"\r\n"
    )
    assert message.get_payload(decode=True) == b"ABC" * 500
    message = rewrite(
        TEXT + b"Content-Transfer-Encoding: quoted-printable\r\n", b"=C3=A9" * 300 + b"\r\n"
    )
    assert message.get_payload(decode=True) == "é".encode() * 300 + b"\r\n"


def test_of_a_message_of_parts_only_those_with_such_lines_are_written_anew():
    plain, inner = part(b"X-A: 1\r\n", b"short\r\n"), part(TEXT, LONG)
    body = b"preamble\r\n" + plain + inner.replace(b"--b", b"--b ") + b"--b--\r\nepilogue\r\n"
    headers, written = rewritten(
        parse(b"MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n"), body
    )
    assert (
        bytes(headers)
        == b"MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n"
    )
    assert written.startswith(b"preamble\r\n" + plain) and written.endswith(
        b"\r\n--b--\r\nepilogue\r\n"
    )
    _, html = message_from_bytes(
        bytes(headers) + b"\r\n" + written, policy=policy.SMTP
    ).iter_parts()
    assert html.get_payload(decode=True) + b"\r\n" == LONG


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (b"Content-Type: application/json\r\n", b"[" * 2000),
        (b"Content-Type: multipart/signed; boundary=b\r\n", part(TEXT, LONG) + b"--b--\r\n"),
        (
            b"Content-Type: multipart/mixed; boundary=b\r\n",
            LONG + part(TEXT, b"x\r\n") + b"--b--\r\n",
        ),
        (
            b"Content-Type: multipart/mixed; boundary=b\r\n",
            part(b"no field\r\n", LONG) + b"--b--\r\n",
        ),
        (
            b"Content-Type: multipart/mixed; boundary=b\r\n",
            part(b"Content-Type: message/rfc822\r\n", LONG) + b"--b--\r\n",
        ),
        (TEXT + b"Content-Transfer-Encoding: x-uuencode\r\n", LONG),
    ],
)
def test_what_is_not_ours_to_write_anew_is_refused(headers, body):
    with pytest.raises(NotText, match="over 998 bytes"):
        rewritten(parse(headers), body)


def test_parts_within_parts_end_somewhere():
    body = part(b"Content-Type: multipart/mixed; boundary=b\r\n", b"") * 50 + LONG
    with pytest.raises(NotText):
        rewritten(
            parse(b"Content-Type: multipart/mixed; boundary=b\r\n" * 1),
            body.replace(b"--b\r\n", b"--b\r\n\r\n", 1) + b"a" * 999,
        )
