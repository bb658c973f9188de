"""What leaves is in order, whatever the app wrote, and the signature holds at a host that wraps
what is too long.
"""

import re

import dkim as oracle
import pytest
from django.conf import settings

from deliveries.message import compression
from deliveries.models import Content, Message
from domains.foundation.secrets.keyring import KeyRing
from domains.models import SigningKey
from domains.senders import dkim

HEAD = b"From: Shop <shop@shop.test>\r\nTo: you@mx.test\r\nSubject: s\r\n"
WHOLE = (
    HEAD + b"Date: Thu, 26 Nov 2026 00:00:00 +0000\r\nMessage-ID: <1@shop.test>\r\n"
)  # nothing is missing
LONG_TO = (
    b"Cc: "
    + b", ".join(b"recipient-%03d@example-company.test" % number for number in range(60))
    + b"\r\n"
)


@pytest.fixture
def key(domain):
    private = dkim.generate("ed25519")
    encrypted = KeyRing.open(settings.EKIDEN_DATA / "keys" / "ring").encrypt(
        dkim.private_bytes(private)
    )
    SigningKey.objects.create(
        domain=domain,
        selector="s1",
        algorithm="ed25519",
        private_key=encrypted,
        is_active=True,
        state="signing",
        signs_unseen=True,
    )
    return private


@pytest.fixture
def submit(listener, login):
    def send(content):
        with listener.raw_app(login) as app:
            app.begin()
            assert app.say(b"DATA").startswith("354")
            return app.say(content.replace(b"\r\n.", b"\r\n..") + b".")

    return send


def stored():
    message = Message.objects.get()
    return compression.decompress(bytes(Content.objects.get().data), most=message.size)


def count(name):
    return stored().partition(b"\r\n\r\n")[0].lower().count(b"\r\n" + name.lower() + b":")


@pytest.mark.parametrize("name", [b"Message-ID", b"Date"])
def test_an_empty_field_is_replaced(submit, name):
    assert submit(HEAD + name + b": \r\n\r\nx\r\n").startswith("250")
    assert count(name) == 1 and b"\r\n" + name + b": \r\n" not in stored()
    assert Message.objects.get().message_id


@pytest.mark.parametrize("field", [b"Subject: other", b"To: eve@mx.test", b"From: b@shop.test"])
def test_a_second_field_is_refused_by_its_name(submit, field):
    name = field.partition(b":")[0].decode()
    assert f"more than one {name} field" in submit(HEAD + field + b"\r\n\r\nx\r\n")
    assert not Message.objects.exists()


def test_a_field_that_says_the_same_twice_leaves_once(submit):
    assert submit(HEAD + b"Subject: s\r\nto: you@mx.test\r\n\r\nx\r\n").startswith("250")
    assert count(b"Subject") == count(b"To") == 1


@pytest.mark.parametrize(
    "first", [b"From shop@shop.test Thu Nov 26 00:00:00 2026\r\n", b">From shop@shop.test\r\n"]
)
def test_the_first_line_of_a_mailbox_file_is_dropped(submit, first):
    assert submit(first + HEAD + b"\r\nFrom here on\r\n").startswith("250")
    assert first.strip() not in stored() and stored().endswith(b"\r\n\r\nFrom here on\r\n")


def test_a_return_path_of_the_app_is_dropped(submit):
    assert submit(b"Return-Path: <other@else.test>\r\n" + HEAD + b"\r\nx\r\n").startswith("250")
    assert count(b"Return-Path") == 0


def test_long_lines_are_folded_and_encoded_before_the_message_is_signed(submit, key):
    body = b"<td>" * 1250 + b"\r\n.\r\n"
    assert submit(HEAD + LONG_TO + b"Content-Type: text/html\r\n\r\n" + body).startswith("250")
    content = stored()
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert Message.objects.get().size == len(content)
    assert oracle.verify(content, dnsfunc=lambda *_, **__: dkim.txt_value(key).encode())


def test_a_long_line_is_noticed_however_the_bytes_come(listener, login):
    content = HEAD + b"Content-Type: application/json\r\n\r\n" + b"x" * 999 + b"\r\n"
    for size in (1, 500, 998, 1000, len(content)):
        with listener.raw_app(login) as app:
            app.begin()
            for start in range(0, len(content), size):
                piece = content[start : start + size]
                app.send(b"BDAT %d\r\n" % len(piece) + piece)
                assert app.reply().startswith("250")
            assert app.say(b"BDAT 0 LAST").startswith(
                "550 5.6.0 A part of type application/json has a line over 998 bytes"
            )


def signed(content, selector):
    private = dkim.generate("ed25519")
    signer = dkim.Signer("shop.test", selector, private)
    head, _, body = content.partition(b"\r\n\r\n")
    fields = [(line.partition(b":")[0], line + b"\r\n") for line in head.split(b"\r\n")]
    return (
        dkim.sign(
            fields, dkim.body_hash(body, relaxed=True), signers=[signer], now=1, relaxed_body=True
        )
        + content
    )


def test_a_dead_signature_of_the_domain_is_removed_and_one_that_lives_stays(submit, key):
    foreign = b"DKIM-Signature: v=1; a=rsa-sha256; d=other.test; s=x; h=from; bh=x; b=x\r\n"
    alive, dead = signed(WHOLE + b"\r\nx \r\n", "alive"), signed(WHOLE + b"\r\nother\r\n", "dead")
    dead = dead[: dead.index(b"From:")]
    assert submit(foreign + dead + alive).startswith("250")
    head = stored().partition(b"\r\n\r\n")[0]
    assert [b"s=%b;" % name in head for name in (b"s1", b"alive", b"dead", b"x")] == [
        True,
        True,
        False,
        True,
    ]


DEAD = {
    "it covers a field that was missing": signed(HEAD + b"\r\nx\r\n", "old"),
    "it covers a field that is removed": signed(
        WHOLE + b"Bcc: a@mx.test\r\n\r\nx\r\n", "old"
    ).replace(b"\th=", b"\th=bcc:", 1),
    "it is over": signed(WHOLE + b"\r\nx\r\n", "old").replace(b"t=1;", b"t=1; x=2;"),
    "it is cut short": re.sub(
        rb"\tb=[^:]*?\r\n(?=From)", b"\tb=abc\r\n", signed(WHOLE + b"\r\nx\r\n", "old")
    ),
}


@pytest.mark.parametrize("why", DEAD)
def test_a_signature_of_the_domain_that_is_false_without_a_look_at_its_key_is_removed(submit, why):
    assert submit(DEAD[why]).startswith("250")
    assert count(b"DKIM-Signature") == 0 and b"s=old" not in stored()
