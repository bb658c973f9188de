"""Hosts that flood, stay silent, or cannot be reached."""

import asyncio
import socket

import pytest

from deliveries.smtp.connection import ConnectionFailed
from deliveries.smtp.outcomes import Bounced, Delivered, FailureScope, Stage
from tests.deliveries.smtp.test_connection import ESMTP, impatient, mail
from tests.fakes.mx import FakeMx
from tests.fakes.mx_actions import Drip, Flood, Hang


async def test_a_hundred_thousand_lines_are_one_reply(session_with):
    async with FakeMx(extensions=ESMTP) as mx, session_with(mx) as connection:
        mx.on("RCPT", [Flood(b"550-5.1.1 no\r\n" * 1000, 100), "550 5.1.1 no"])
        mx.on("DATA", "503 5.5.1 no recipient")
        outcome = await connection.send(mail())
        assert (
            isinstance(outcome, Bounced) and outcome.reply.enhanced == "5.1.1" and connection.usable
        )


async def test_hostile_text_is_harmless_text(session_with):
    async with FakeMx(extensions=ESMTP) as mx, session_with(mx) as connection:
        mx.on("RCPT", b"550 \x1b[2J<script>\x00=cmd|' /C calc'!A0 \xff\r\n")
        outcome = await connection.send(mail())
    assert outcome.reply.text == r"\u001b[2J<script>\u0000=cmd|' /C calc'!A0 ÿ"


# --- opening and closing ---
async def failure(session_with, mx, **how):
    with pytest.raises(ConnectionFailed) as raised:
        async with session_with(mx, **how):
            pass
    return raised.value


@pytest.mark.parametrize("reply", ["554 5.7.1 go away", "421 4.3.2 busy", "999 what"])
async def test_an_unfriendly_greeting_is_the_sessions_trouble(session_with, reply):
    async with FakeMx() as mx:
        mx.on("GREETING", reply)
        error = await failure(session_with, mx)
    assert (
        error.stage is Stage.GREETING
        and error.outcome.scope is FailureScope.SESSION
        and not error.is_tls_broken
    )


@pytest.mark.parametrize("silence", [Hang(), Drip("220 " + "x" * 1000, pause=0.01)])
async def test_a_greeting_that_never_comes_is_cut(session_with, silence):
    async with FakeMx() as mx:
        mx.on("GREETING", silence)
        error = await failure(session_with, mx, timeouts=impatient(greeting=0.1))
    assert str(error.reply) == "421 4.4.2 timed out while waiting for the greeting"


async def test_a_closed_port_refuses_the_connection(session_with):
    async with FakeMx() as mx:
        pass
    error = await failure(session_with, mx)
    assert error.stage is Stage.CONNECT and str(error.reply) == "451 4.4.1 connection refused"


async def test_a_host_that_does_not_answer_is_given_up(session_with):
    with (
        socket.socket() as full,
        socket.socket() as waiting,
    ):  # a backlog of one, taken: further SYNs are dropped
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting.connect(full.getsockname())
        mx = FakeMx(port=full.getsockname()[1])
        error = await failure(session_with, mx, timeouts=impatient(connect=0.1))
    assert str(error.reply) == "451 4.4.1 timed out while connecting"


@pytest.mark.parametrize("source", ["192.0.2.1", "::1"])
async def test_a_source_that_cannot_be_used_is_temporary_trouble(session_with, source):
    async with FakeMx() as mx:
        assert (await failure(session_with, mx, source=source)).stage is Stage.CONNECT


async def test_a_cancelled_send_hangs_up(session_with):
    async with FakeMx() as mx, session_with(mx) as connection:
        mx.on("BODY", Hang())
        task = asyncio.create_task(connection.send(mail()))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not connection.usable


async def test_closing_waits_but_shortly_for_a_silent_peer(session_with):
    async with FakeMx() as mx, session_with(mx, timeouts=impatient(quit=0.05)) as connection:
        mx.on("QUIT", Hang())
        async with asyncio.timeout(2):
            await connection.close()
        assert not connection.usable


async def test_a_hundred_silent_peers_cost_a_task_each_and_stop_nobody(session_with):
    async with FakeMx() as tarpit, FakeMx() as mx:
        tarpit.on("GREETING", Hang())
        waiting = [
            asyncio.create_task(failure(session_with, tarpit, timeouts=impatient(greeting=5.0)))
            for _ in range(100)
        ]
        async with session_with(mx) as connection:
            assert isinstance(await connection.send(mail()), Delivered)
        async with asyncio.timeout(60):
            while tarpit.current < 100 and not any(task.done() for task in waiting):
                await asyncio.sleep(0.01)
        assert not any(task.done() for task in waiting)
        assert {str(error.reply.enhanced) for error in await asyncio.gather(*waiting)} == {"4.4.2"}
