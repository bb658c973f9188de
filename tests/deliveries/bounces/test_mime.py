"""A message of any shape is taken apart, in bounded time and memory."""

import time
import tracemalloc

import pytest

from deliveries.bounces.charsets import decode, decode_words
from deliveries.bounces.mime import MAX_PARTS, header, mails, take_apart, without_tags
from deliveries.bounces.parsed_report import ReportKind
from deliveries.bounces.parser import read


def texts(data):
    return [part.text.strip() for part in take_apart(data)[1]]


def multipart(*parts, boundary=b"b"):
    lines = b"".join(b"--" + boundary + b"\n" + part + b"\n" for part in parts)
    return (
        b'Content-Type: multipart/mixed; boundary="'
        + boundary
        + b'"\n\n'
        + lines
        + b"--"
        + boundary
        + b"--\n"
    )


def nested(depth):
    return b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (n, n) for n in range(depth)
    )


def test_the_leaves_come_in_order():
    assert texts(
        multipart(b"\none", multipart(b"\ntwo", b"\nthree", boundary=b"c"), b"\nfour")
    ) == ["one", "two", "three", "four"]


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (b"base64", b"ZXhhbXBsZQ=="),
        (b"base64", b"ZXhh*bXBs\nZQ"),
        (b"quoted-printable", b"ex=61mple"),
        (b"7bit", b"example"),
    ],
)
def test_a_transfer_encoding_is_undone(encoding, body):
    assert texts(b"Content-Transfer-Encoding: " + encoding + b"\n\n" + body) == ["example"]


def test_a_multipart_without_its_boundary_is_text():
    assert texts(b"Content-Type: multipart/mixed; boundary=x\n\nuser unknown") == ["user unknown"]


def test_html_is_read_without_its_tags_and_keeps_addresses():
    assert without_tags(
        "<style>p {}</style><p>To <hanako@example.test>:<br>a &lt; b</p>"
    ).split() == [
        "To",
        "<hanako@example.test>:",
        "a",
        "<",
        "b",
    ]


@pytest.mark.parametrize(
    ("charset", "data"),
    [
        ("iso-2022-jp", "宛先".encode("iso2022_jp")), ("us-ascii", "宛先".encode("iso2022_jp")),
        ("Shift_JIS", "宛先".encode("cp932")),
        ("euc-jp", "宛先".encode("euc_jp")), ("utf-8", "宛先".encode()),
        ("no-such-charset", "宛先".encode()), ("", "宛先".encode()),
        ("unicode-1-1-utf-7", "宛先".encode("utf-7")), ("gb2312", "宛先".encode("gb18030")),
    ],
)  # fmt: skip
def test_text_is_read_in_its_charset_or_by_a_guess(charset, data):
    assert decode(data, charset) == "宛先"


@pytest.mark.parametrize(
    "charset",
    [
        "unicode_escape",
        "zlib_codec",
        "hex",
        "rot13",
        "idna",
        "punycode",
        "undefined",
        "../../x",
        "a" * 5000,
    ],
)
def test_a_codec_that_is_no_charset_is_not_called(charset):
    assert decode(b"\\x41 4142", charset) == "\\x41 4142"


def test_encoded_words_are_read_by_the_same_list():
    assert decode_words("=?ISO-2022-JP?B?GyRCMDhAaBsoQg==?= =?utf-8?Q?=E5=AE=9B?=") == "宛先宛"
    assert decode_words("=?unicode_escape?Q?=5Cx41?=") == "\\x41"
    assert decode_words("=?utf-8?B?*?=") == ""


def test_an_mbox_is_split_at_its_own_lines_only():
    first = b"From a@example.test  Wed Nov 25 00:00:00 2026\nSubject: 1\n\nFrom here on\n"
    data = first + b"From b@example.test Wed Nov 25 00:00:00 2026\nSubject: 2\n\n"
    assert [header(take_apart(each)[0], "subject") for each in mails(data)] == ["1", "2"]
    assert mails(b"Subject: 1\n\nFrom a@example.test Wed Nov 25\n") == [
        b"Subject: 1\n\nFrom a@example.test Wed Nov 25\n"
    ]


HUGE = {
    "nested ten thousand deep": nested(10_000),
    "a million parts": multipart(*[b"\nx"] * 100_000),
    "a million header fields": b"X-Y: z\n" * 1_000_000,
    "one header of ten megabytes": b"Subject: " + b"undeliverable " * 800_000,
    "a boundary of seventy thousand octets": multipart(b"\nx", boundary=b"b" * 70_000),
    "one line without end": b"From: MAILER-DAEMON@x.test\n\n" + b"550 5.1.1 user@" * 4_000_000,
    "fifty megabytes of addresses": b"From: MAILER-DAEMON@x.test\n\n" + b"<a@b.test>\n" * 5_000_000,
    "tags that never close": b"From: MAILER-DAEMON@x.test\nContent-Type: text/html\n\n"
    + b"<style><p <" * 1_000_000,
    "json nested deep": b"\n" + b'{"notificationType":' * 500_000,
    "status groups": b"Content-Type: message/delivery-status\n\n"
    + b"Final-Recipient: rfc822; a@b.test\nAction: failed\n\n" * 500_000,
    "encoded words": b"From: MAILER-DAEMON@x.test\nSubject: " + b"=?utf-8?B?" * 100_000,
    "spaces": b"From: MAILER-DAEMON@x.test\n\n" + b" \n\t" * 3_000_000,
}


@pytest.mark.parametrize("data", HUGE.values(), ids=HUGE)
def test_what_is_huge_takes_bounded_time_and_memory(data):
    tracemalloc.start()
    begin = time.process_time()
    report = read(data)
    seconds, (_, peak) = time.process_time() - begin, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert report.kind in ReportKind
    assert seconds < 60 and peak < 50_000_000 and len(report.fates) <= MAX_PARTS
