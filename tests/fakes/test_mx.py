import asyncio
import smtplib

import pytest

from tests.fakes.mx import FakeMx


async def tell(mx, *lines: bytes) -> None:
    """Send each piece after the reply to the one before it, and hang up."""
    reader, writer = await asyncio.open_connection(mx.host, mx.port)
    await reader.readline()
    for line in lines:
        writer.write(line)
        while (await reader.readline())[3:4] == b"-":
            pass
    writer.close()
    await writer.wait_closed()


ENVELOPE = (b"EHLO x\r\n", b"MAIL FROM:<a@a.test>\r\n", b"RCPT TO:<b@b.test>\r\n", b"DATA\r\n")


@pytest.mark.parametrize(
    ("content", "violation"),
    [
        (b"a\nb\r\n.\r\n", "bare CR or LF in the content"),
        (b"a\rb\r\n.\r\n", "bare CR or LF in the content"),
        (b"a\r\n.b\r\n.\r\n", "a dot was not doubled"),
    ],
)
async def test_content_that_is_not_as_it_must_be_is_noted(content, violation):
    async with FakeMx() as mx:
        await tell(mx, *ENVELOPE, content)
    assert mx.violations == [violation] and len(mx.messages) == 1


async def test_pipelining_without_leave_is_noted():
    async with FakeMx(extensions=()) as mx:
        await tell(mx, b"EHLO x\r\n", b"MAIL FROM:<a@a.test>\r\nRCPT TO:<b@b.test>\r\n")
    assert mx.violations == ["spoke on before the reply to MAIL"]


async def test_parameters_that_were_not_offered_are_noted():
    async with FakeMx(extensions=()) as mx:
        await tell(mx, b"EHLO x\r\n", b"MAIL FROM:<a@a.test> SIZE=1 BODY=8BITMIME\r\n")
    assert mx.violations == ["SIZE=1 was not offered", "BODY=8BITMIME was not offered"]


async def test_the_last_answer_stays():
    async with FakeMx() as mx:
        mx.on("NOOP", "450 a", "451 b")
        assert [mx.next_answer("NOOP", "") for _ in range(3)] == ["450 a", "451 b", "451 b"]


def test_on_a_thread_it_serves_an_ordinary_client():
    with FakeMx() as mx, smtplib.SMTP(mx.host, mx.port) as client:
        mx.on("RCPT", None, "550 5.1.1 no")
        refused = client.sendmail("a@a.test", ["b@b.test", "c@c.test"], b"Subject: x\r\n\r\n.x\r\n")
        assert refused == {"c@c.test": (550, b"5.1.1 no")}
    assert (
        mx.messages[0].recipients == ["b@b.test"]
        and mx.messages[0].content == b"Subject: x\r\n\r\n.x\r\n"
    )
