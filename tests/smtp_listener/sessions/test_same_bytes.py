"""What an app hands in arrives byte for byte, whatever its content and however it was cut."""

import random
from itertools import pairwise

import pytest

from deliveries.models import Delivery
from tests.deliveries.stage import play

GIVEN = b"From: shop@shop.test\r\nX-Odd:  two  blanks \t\r\n folded \r\nSubject: n%d\r\n"
PIECES = [
    b"\r\n", b"\r\n", b"\r\n.", b".\r\n", b"\r\n..", b"\r\n\r\n", b".", b"..",
    b" \r\n", b"\t\r\n", b"\r\n ", b"From ", b"\r\nFrom x", b"=", b"=20", b"\x0b", b"\x0c",
    b"\x1b[2J", b"\x7f", b"\xff\xfe", b"\x85", "日本語".encode(), "é".encode("latin-1"),
    b"QUIT\r\n", b"RSET\r\n", b"BDAT 0 LAST\r\n", b"--\r\n", b"a" * 997 + b"\r\n", b"b" * 300,
]  # fmt: skip
EXTENSIONS = (
    ("PIPELINING", "8BITMIME", "CHUNKING", "SIZE"),
    ("PIPELINING", "8BITMIME"),
    ("8BITMIME",),
)


def body(chance):
    """Make a body whose lines fit."""
    text = b"".join(chance.choices(PIECES, k=chance.randrange(60)))
    lines = [line[start : start + 998] for line in text.split(b"\r\n")
             for start in range(0, len(line) or 1, 998)]  # fmt: skip
    return b"\r\n".join(lines) + b"\r\n" * (chance.random() < 0.9) or b"\r\n"


def hand_in(app, content, chance):
    app.begin()
    if chance.random() < 0.5:
        app.say(b"DATA")
        stuffed = content.replace(b"\r\n.", b"\r\n..")
        whole = stuffed + (b"" if content.endswith(b"\r\n") else b"\r\n") + b".\r\n"
        for start, end in pairwise(cuts(len(whole), chance)):
            app.send(whole[start:end])
        return app.reply()
    reply = ""
    marks = cuts(len(content), chance)
    for start, end in pairwise(marks):
        last = b" LAST" if end == len(content) else b""
        app.send(b"BDAT %d%b\r\n" % (end - start, last) + content[start:end])
        reply = app.reply()
    return reply


def cuts(size, chance):
    inner = sorted(chance.sample(range(1, size), min(chance.randrange(6), size - 1)))
    return [0, *inner, size]


@pytest.mark.parametrize("extensions", EXTENSIONS)
def test_bodies_arrive_as_they_were_given(listener, login, settings, extensions):
    chance = random.Random(",".join(extensions))
    given = [GIVEN % number + b"\r\n" + body(chance) for number in range(40)]
    with listener.raw_app(login) as app:
        for content in given:
            assert hand_in(app, content, chance).startswith("250"), content

    def script(mx):
        mx.extensions = extensions

    mx = play(settings, script, seconds=60)
    assert Delivery.objects.filter(state="delivered").count() == len(given) and not mx.violations
    arrived = {content.split(b"Subject: ")[1].split(b"\r\n")[0]: content
               for content in (message.content for message in mx.messages)}  # fmt: skip
    for number, content in enumerate(given):
        fields, _, text = content.partition(b"\r\n\r\n")
        got, _, got_text = arrived[b"n%d" % number].partition(b"\r\n\r\n")
        assert fields in got and got_text == (text if text.endswith(b"\r\n") else text + b"\r\n")
