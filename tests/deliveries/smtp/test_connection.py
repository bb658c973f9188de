import asyncio
import dataclasses
import tracemalloc

import pytest

from deliveries.smtp.connection import Mail
from deliveries.smtp.outcomes import Bounced, Deferred, Delivered, FailureScope, InDoubt, Stage
from deliveries.smtp.timeouts import RFC_5321
from tests.deliveries.smtp.conftest import QUICK
from tests.fakes.mx import FakeMx
from tests.fakes.mx_actions import Drip, Drop, Flood, Freeze, Hang, Reset, TakeAndDrop, Wait

CONTENT = b"Subject: x\r\n\r\n.\r\n..dots\r\n.\r\nend.\r\n"
LARGE = (b"." + b"x" * 75 + b"\r\n") * 400_000  # 31 MB: more than any socket buffer
ESMTP = ("PIPELINING", "SIZE 52428800", "8BITMIME")
KINDS = {
    "plain": (),
    "pipelining": ESMTP,
    "chunking": (*ESMTP, "CHUNKING"),
    "chunks": ("CHUNKING",),
}


def mail(content=CONTENT, recipient="b@b.test"):
    return Mail("a@a.test", recipient, content)


def impatient(**seconds):
    return dataclasses.replace(QUICK, **seconds)


# --- it arrives ---
@pytest.mark.parametrize("extensions", KINDS.values(), ids=KINDS)
async def test_messages_arrive_byte_for_byte_one_after_the_other(session_with, extensions):
    async with FakeMx(extensions=extensions) as mx, session_with(mx) as connection:
        outcomes = [
            await connection.send(mail(CONTENT + b"%d\r\n" % number)) for number in range(3)
        ]
        await connection.close()
    assert all(isinstance(outcome, Delivered) for outcome in outcomes)
    assert [message.content for message in mx.messages] == [
        CONTENT + b"%d\r\n" % number for number in range(3)
    ]
    assert mx.violations == [] and mx.sessions[0].ended_by == "quit" and len(mx.sessions) == 1


@pytest.mark.parametrize("extensions", [ESMTP, (*ESMTP, "CHUNKING")])
async def test_large_content_arrives(session_with, extensions):
    async with FakeMx(extensions=extensions) as mx, session_with(mx) as connection:
        assert isinstance(await connection.send(mail(LARGE)), Delivered)
    assert mx.messages[0].content == LARGE and mx.violations == []


async def test_a_smuggling_content_is_one_message_on_the_wire(session_with):
    smuggled = b"x\r\n.\r\nMAIL FROM:<evil@a.test>\r\nRCPT TO:<c@c.test>\r\nDATA\r\n.\r\nQUIT\r\n"
    async with FakeMx(extensions=ESMTP) as mx, session_with(mx) as connection:
        await connection.send(mail(smuggled))
    assert [message.content for message in mx.messages] == [smuggled] and mx.violations == []
    assert mx.raw.count(b"\r\n.\r\n") == 1


async def test_replies_may_come_byte_by_byte(session_with):
    async with FakeMx() as mx, session_with(mx) as connection:
        mx.on("MAIL", Drip("250 2.1.0 ok"))
        mx.on("BODY", Drip("250 2.0.0 taken\nas 1"))
        outcome = await connection.send(mail())
    assert str(outcome.reply) == "250 2.0.0 taken as 1"


async def test_helo_is_enough(session_with):
    async with FakeMx() as mx:
        mx.on("EHLO", "502 5.5.1 what?")
        async with session_with(mx) as connection:
            assert isinstance(await connection.send(mail()), Delivered)
    assert mx.violations == []


async def test_our_address_is_the_source_that_was_asked_for(session_with):
    async with FakeMx() as mx, session_with(mx, source="127.0.0.9") as connection:
        assert connection.local_address == "127.0.0.9" and mx.sessions[0].peer == "127.0.0.9"


async def test_an_ipv6_host_is_reached_from_an_ipv6_source(session_with):
    async with FakeMx(host="::1") as mx, session_with(mx, source="::1") as connection:
        assert connection.local_address == "::1" and isinstance(
            await connection.send(mail()), Delivered
        )


# --- refusals, and what follows them ---
async def test_each_recipient_has_its_own_outcome(session_with):
    answers = {"no": "550 5.1.1 no", "full": "452 4.2.2 full"}
    async with FakeMx() as mx, session_with(mx) as connection:
        mx.on("RCPT", lambda argument: answers.get(argument.partition("<")[2].partition("@")[0]))
        outcomes = [
            await connection.send(mail(recipient=f"{name}@b.test"))
            for name in ("no", "yes", "full", "yes")
        ]
    assert [type(outcome) for outcome in outcomes] == [Bounced, Delivered, Deferred, Delivered]
    assert len(mx.messages) == 2 and mx.violations == []


@pytest.mark.parametrize("extensions", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("moment", ["MAIL", "RCPT", "DATA", "BODY"])
async def test_the_next_mail_is_not_harmed_by_a_refused_one(session_with, extensions, moment):
    async with FakeMx(extensions=extensions) as mx, session_with(mx) as connection:
        mx.on(moment, "550 5.0.0 no", None)
        first, second = await connection.send(mail()), await connection.send(mail())
    assert isinstance(
        first, Delivered if moment == "DATA" and "CHUNKING" in extensions else Bounced
    )
    assert isinstance(second, Delivered) and mx.violations == []


async def test_a_data_command_that_goes_ahead_without_recipients_delivers_nothing(session_with):
    async with FakeMx(extensions=ESMTP) as mx, session_with(mx) as connection:
        mx.on("RCPT", "550 5.1.1 no", None)
        mx.on("DATA", "354 go ahead")
        assert isinstance(await connection.send(mail()), Bounced)
        assert isinstance(await connection.send(mail()), Delivered)
    assert len(mx.messages) == 1 and mx.violations == []


@pytest.mark.parametrize("extensions", [ESMTP, (*ESMTP, "CHUNKING")])
@pytest.mark.parametrize("refusal", ["552 5.3.4 too much", "421 4.3.2 closing"])
async def test_a_refusal_amid_the_content_is_heard_by_one_who_is_stuck(
    session_with, extensions, refusal
):
    async with FakeMx(extensions=extensions) as mx, session_with(mx) as connection:
        mx.on("DATA", ["354 go ahead", refusal, Freeze()])
        mx.on("BDAT", [refusal, Freeze()])
        outcome = await connection.send(mail(LARGE))
        assert (
            str(outcome.reply) == refusal and outcome.stage is Stage.DATA and not connection.usable
        )


# --- losses ---
@pytest.mark.parametrize("end", [Drop(), Reset()])
@pytest.mark.parametrize("moment", ["MAIL", "RCPT", "DATA"])
async def test_a_loss_before_the_content_defers(session_with, moment, end):
    async with FakeMx(extensions=ESMTP) as mx, session_with(mx) as connection:
        mx.on(moment, end)
        outcome = await connection.send(mail())
        assert (
            isinstance(outcome, Deferred)
            and outcome.scope is FailureScope.SESSION
            and outcome.reply.local
        )
        assert "connection lost" in outcome.reply.text and not connection.usable


@pytest.mark.parametrize("end", [Drop(), Reset(), TakeAndDrop(), b"\r\n", "999 what"])
@pytest.mark.parametrize("extensions", [ESMTP, (*ESMTP, "CHUNKING")])
async def test_a_loss_after_the_content_leaves_it_in_doubt(session_with, extensions, end):
    async with FakeMx(extensions=extensions) as mx, session_with(mx) as connection:
        mx.on("BODY", end)
        outcome = await connection.send(mail())
        assert isinstance(outcome, InDoubt) and outcome.reply.local and not connection.usable


async def test_a_loss_amid_large_content_defers(session_with):
    async with FakeMx(extensions=ESMTP) as mx, session_with(mx) as connection:
        mx.on("DATA", ["354 go ahead", Wait(0.05), Reset()])
        outcome = await connection.send(mail(LARGE))
    assert (
        isinstance(outcome, Deferred)
        and outcome.reply.text == "connection lost while sending the message"
    )


async def test_a_positive_reply_then_a_reset_is_delivered(session_with):
    async with FakeMx() as mx, session_with(mx) as connection:
        mx.on("BODY", ["250 2.0.0 taken", Wait(0.05), Reset()])
        assert isinstance(await connection.send(mail()), Delivered)


async def test_a_peer_that_says_goodbye_between_messages_is_not_asked_again(session_with):
    async with FakeMx() as mx, session_with(mx) as connection:
        mx.on("BODY", ["250 2.0.0 taken", Wait(0.02), "421 4.4.2 idle for too long", Drop()])
        await connection.send(mail())
        async with asyncio.timeout(5):
            while connection.usable:
                await asyncio.sleep(0.01)
        outcome = await connection.send(mail())
    assert (
        str(outcome.reply) == "421 4.4.2 idle for too long"
        and outcome.scope is FailureScope.SESSION
    )
    assert len(mx.messages) == 1


async def test_replies_that_answer_nothing_end_the_session(session_with):
    async with FakeMx() as mx, session_with(mx) as connection:
        mx.on("BODY", b"250 taken\r\n250 and more\r\n")
        assert isinstance(await connection.send(mail()), Delivered)
        assert not connection.usable


# --- tar-pits and floods ---
@pytest.mark.parametrize("moment", ["MAIL", "RCPT", "DATA"])
async def test_silence_is_cut_at_its_stage(session_with, moment):
    async with (
        FakeMx(extensions=ESMTP) as mx,
        session_with(mx, timeouts=impatient(**{moment.lower(): 0.05})) as it,
    ):
        mx.on(moment, Hang())
        outcome = await it.send(mail())
    assert isinstance(outcome, Deferred) and outcome.stage == moment.lower()
    assert outcome.reply.text.startswith("timed out while waiting for the reply to ")


async def test_silence_after_the_final_dot_leaves_it_in_doubt(session_with):
    async with FakeMx() as mx, session_with(mx, timeouts=impatient(body=0.05)) as connection:
        mx.on("BODY", Hang())
        assert isinstance(await connection.send(mail()), InDoubt)


async def test_a_reply_that_drips_is_cut_by_the_deadline_of_its_stage(session_with):
    async with FakeMx() as mx, session_with(mx, timeouts=impatient(mail=0.1)) as connection:
        mx.on("MAIL", Drip("250 2.1.0 " + "x" * 1000, pause=0.02))
        outcome = await connection.send(mail())
    assert (
        isinstance(outcome, InDoubt)
        and "timed out while waiting for the reply to MAIL" in outcome.reply.text
    )


async def test_a_peer_that_stops_to_read_is_cut(session_with):
    async with (
        FakeMx(extensions=ESMTP) as mx,
        session_with(mx, timeouts=impatient(block=0.1)) as connection,
    ):
        mx.on("DATA", ["354 go ahead", Freeze()])
        outcome = await connection.send(mail(LARGE))
    assert (
        isinstance(outcome, Deferred)
        and outcome.reply.text == "timed out while sending the message"
    )


async def test_what_is_left_of_a_mail_broken_off_never_leaves_after_all(session_with):
    async with (
        FakeMx(extensions=ESMTP) as mx,
        session_with(mx, timeouts=impatient(block=0.1, quit=30)) as connection,
    ):
        mx.on("DATA", ["354 go ahead", Freeze()])
        assert isinstance(await connection.send(mail(LARGE)), Deferred)
        async with asyncio.timeout(
            1
        ):  # else its buffer is given half a minute to empty itself, final dot included
            await connection.close()


def test_a_peer_has_the_time_that_rfc_5321_gives_it():
    asked = {"greeting": 300, "mail": 300, "rcpt": 300, "data": 120, "block": 180, "body": 600}
    assert all(getattr(RFC_5321, stage) >= seconds for stage, seconds in asked.items())
    assert RFC_5321.transaction >= sum(asked.values()) and RFC_5321.connect <= 60


async def test_a_transaction_ends_however_patient_its_stages_are(session_with):
    async with (
        FakeMx(extensions=()) as mx,
        session_with(mx, timeouts=impatient(transaction=0.15)) as connection,
    ):
        mx.on("MAIL", [Wait(0.1), "250 ok"])
        mx.on("RCPT", Hang())
        outcome = await connection.send(mail())
    assert isinstance(outcome, Deferred) and outcome.stage is Stage.RCPT


@pytest.mark.parametrize(
    "flood",
    [
        Flood(b"x" * 65_536, 200),
        Flood(b"250-" + b"x" * 4000 + b"\r\n", 6000),
        Flood(b"250 ok\r\n" * 1000, 1000),
    ],
)
async def test_a_flood_is_bounded_and_ends_the_session(session_with, flood):
    async with FakeMx() as mx, session_with(mx) as connection:
        mx.on("RCPT", flood)
        tracemalloc.start()
        outcome = await connection.send(mail())
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
        tracemalloc.stop()
        assert not isinstance(outcome, Bounced) and not connection.usable
