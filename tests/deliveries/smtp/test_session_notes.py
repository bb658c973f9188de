"""What is kept of a dialogue: each step, no content, no secret, and a bounded size."""

import json

import pytest

from deliveries.smtp.connection import Mail
from deliveries.smtp.outcomes import Bounced, Deferred, Delivered
from deliveries.smtp.session_notes import ALL, LINES
from tests.fakes.mx import FakeMx
from tests.fakes.mx_actions import Drop

CONTENT = b"Subject: my secret\r\n\r\nmy secret words\r\n"
KINDS = {
    "plain": (),
    "pipelining": ("PIPELINING", "SIZE 52428800"),
    "chunks": ("PIPELINING", "CHUNKING"),
}


def said(connection):
    return [tuple(line[1:3]) for line in json.loads(connection.notes.transcript())]


async def sent(connection, content=CONTENT, mail_from="a@a.test"):
    connection.is_noting = True
    return await connection.send(Mail(mail_from, "b@b.test", content))


@pytest.mark.parametrize("extensions", KINDS.values(), ids=KINDS)
async def test_each_step_is_there_and_no_word_of_the_content(session_with, extensions):
    async with FakeMx(extensions=extensions) as mx, session_with(mx) as connection:
        assert isinstance(await sent(connection), Delivered)
        lines = said(connection)
    assert [who for who, text in lines if text.startswith(("220", "EHLO", "MAIL", "RCPT"))] == [
        "server", "client", "client", "client",
    ]  # fmt: skip
    final_dot = 0 if "CHUNKING" in extensions else 3
    assert ("event", f"content {len(CONTENT) + final_dot}") in lines
    assert "secret" not in connection.notes.transcript()


async def test_a_refusal_stands_behind_the_command_that_it_answers(session_with):
    async with FakeMx(extensions=()) as mx, session_with(mx) as connection:
        mx.on("rcpt", "550 5.1.1 No such user")
        assert isinstance(await sent(connection), Bounced)
        lines = said(connection)
    asked = lines.index(("client", "RCPT TO:<b@b.test>"))
    assert lines[asked + 1] == ("server", "550 5.1.1 No such user")


async def test_a_lost_connection_is_an_event_that_no_host_said(session_with):
    async with FakeMx(extensions=()) as mx, session_with(mx) as connection:
        mx.on("rcpt", Drop())
        assert isinstance(await sent(connection), Deferred)
        assert said(connection)[-1][0] == "event"


async def test_our_return_path_is_cut_short(session_with):
    async with FakeMx(extensions=()) as mx, session_with(mx) as connection:
        await sent(connection, mail_from="b-abcdefghijklmnop@relay.test")
        assert ("client", "MAIL FROM:<b-abcd…@relay.test>") in said(connection)


async def test_the_message_before_is_forgotten_and_the_opening_is_not(session_with):
    async with FakeMx(extensions=()) as mx, session_with(mx) as connection:
        await sent(connection)
        await sent(connection)
        lines = [text for _who, text in said(connection)]
    assert len([text for text in lines if text.startswith("MAIL")]) == 1
    assert len([text for text in lines if text.startswith("EHLO")]) == 1


async def test_nothing_is_noted_where_nobody_wants_it(session_with):
    async with FakeMx(extensions=()) as mx, session_with(mx) as connection:
        connection.is_noting = False
        await connection.send(Mail("a@a.test", "b@b.test", CONTENT))
        assert not [text for _who, text in said(connection) if text.startswith("MAIL")]


async def test_however_much_a_host_says_the_size_is_bounded(session_with):
    many = "\r\n".join(["250-" + "x" * 400] * 150 + ["250 end"])
    async with FakeMx(extensions=()) as mx:
        mx.on("ehlo", many)
        async with session_with(mx) as connection:
            await sent(connection)
            lines = said(connection)
    assert len(lines) <= LINES + 1
    assert sum(len(text) for _who, text in lines) <= ALL + 1
    assert lines[-1] == ("event", "…")
