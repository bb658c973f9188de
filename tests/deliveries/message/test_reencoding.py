"""A message with 8-bit content in ASCII: everybody reads the same as before, and nothing that is
signed changes.
"""

import email.policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliveries.message.headers import parse, split
from deliveries.message.reencoding import seven_bit

TEXT = "ご注文ありがとうございます。\r\n.\r\nFrom us\r\n"
HEAD = "From: shop@shop.test\r\nMIME-Version: 1.0\r\n"


def read(content):
    return email.message_from_bytes(content, policy=email.policy.default)


def again(text):
    content = seven_bit(text.encode() if isinstance(text, str) else text)
    assert (
        b"\n" not in content.replace(b"\r\n", b"") and max(map(len, content.split(b"\r\n"))) <= 998
    )
    return content


@pytest.mark.parametrize("encoding", ["8bit", "binary", ""])
@pytest.mark.parametrize(
    "text", [TEXT, "Prix : 10 € la pièce, trop long pour une seule ligne " * 3 + "\r\n"]
)
def test_a_text_is_read_as_before(text, encoding):
    given = f"Content-Transfer-Encoding: {encoding}\r\n" if encoding else ""
    content = again(f"{HEAD}Content-Type: text/plain; charset=utf-8\r\n{given}\r\n{text}")
    assert content.isascii()
    assert read(content).get_payload(decode=True) == text.encode()


def test_a_body_that_says_nothing_of_itself_is_declared():
    content = again(f"From: shop@shop.test\r\n\r\n{TEXT}")
    assert content.isascii() and read(content).get_payload(decode=True) == TEXT.encode()
    assert b"charset=unknown-8bit" in again(b"From: a@b.test\r\n\r\n\x82\xb2\r\n")


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        ("Subject: Re: ご注文 No. 5 確認 (copy)", "Re: ご注文 No. 5 確認 (copy)"),
        ("Subject: " + "長い件名" * 40, "長い件名" * 40),
        (
            "To: 山田 太郎 <you@mx.test>, Anna <a@mx.test>",
            "山田 太郎 <you@mx.test>, Anna <a@mx.test>",
        ),
        ('To: "山田, 太郎" <you@mx.test>', '"山田, 太郎" <you@mx.test>'),
    ],
)
def test_a_field_is_shown_as_before(field, shown):
    content = again(f"{field}\r\n{HEAD}\r\nhello\r\n")
    assert content.isascii()
    assert str(read(content)[field.partition(":")[0]]) == shown


def test_the_name_of_a_file_is_kept():
    head = (
        f'{HEAD}Content-Type: application/pdf; name="請求書.pdf"\r\n'
        'Content-Disposition: attachment; filename="請求書.pdf"\r\n'
    )
    content = again(f"{head}\r\n%PDF é\r\n")
    assert content.isascii() and read(content).get_filename() == "請求書.pdf"


def multipart(*parts, kind="mixed"):
    body = "".join(f"--b1\r\n{part}\r\n" for part in parts)
    return (
        f'{HEAD}Content-Type: multipart/{kind}; boundary="b1"\r\n'
        f"Content-Transfer-Encoding: 8bit\r\n\r\npreamble é\r\n{body}--b1--\r\n"
    )


PART = f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{TEXT}"


def test_each_part_is_encoded_for_itself():
    message = (
        "Content-Type: message/rfc822\r\n\r\nSubject: 転送\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n{TEXT}"
    )
    content = again(multipart(PART, "Content-Type: text/plain\r\n\r\nplain", message))
    assert content.isascii()
    first, second, third = read(content).iter_parts()
    assert first.get_payload(decode=True) == TEXT.encode()
    assert second.get_content() == "plain" and "content-transfer-encoding" not in second
    assert (
        third.get_content()["Subject"] == "転送"
        and third.get_content().get_payload(decode=True) == TEXT.encode()
    )


@pytest.mark.parametrize("kind", ["signed", "encrypted"])
def test_what_is_signed_stays_byte_for_byte(kind):
    given = multipart(
        PART, "Content-Type: application/pgp-signature\r\n\r\nxyz", kind=kind
    ).encode()
    assert seven_bit(given) == given


def test_what_cannot_be_understood_stays():
    for broken in (
        b"no colon \xe9\r\n\r\n\xe9\r\n",
        b'Content-Type: multipart/mixed; boundary="\xe9"\r\n\r\n--\xe9\r\n\r\n\xe9\r\n',
    ):
        assert seven_bit(broken).count(b"\xe9") >= 1


@given(
    st.binary(max_size=300),
    st.sampled_from(
        ["text/plain", "multipart/mixed; boundary=b", "message/rfc822", "image/png", "x"]
    ),
)
def test_anything_ends_in_lines_that_can_be_sent(body, kind):
    lines = body.replace(b"\r", b"").replace(b"\n", b"\r\n--b\r\n")
    content = seven_bit(f"Subject: é\r\nContent-Type: {kind}\r\n\r\n".encode() + lines + b"\r\n")
    assert content.endswith(b"\r\n") and content.count(b"\r") == content.count(
        b"\n"
    ) == content.count(b"\r\n")
    parse(split(content)[0])
