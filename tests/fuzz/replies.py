"""What a receiver's host says to us: a message is delivered only where the reply to its content
says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from deliveries.backends import maillog
from deliveries.classification.classifier import Answer, classify
from deliveries.shaping import backoff
from deliveries.smtp.connection import ConnectionFailed, Endpoint, TlsLevel
from deliveries.smtp.mail import Mail
from deliveries.smtp.opening import open_connection
from deliveries.smtp.outcomes import Delivered, Outcome, Stage
from deliveries.smtp.replies import MAX_TEXT, ProtocolError, Reply, ReplyParser
from domains.foundation.text import texts
from tests.fuzz.checks import Log
from tests.fuzz.loop import Transport, VirtualLoop, feed
from tests.fuzz.targets import Ready

TURN = b"\xff"  # in an input: the host says what follows once we have said something more
MAILS = [
    Mail("b-a@relay.test", "you@mx.test", b"Subject: hello\r\n\r\nhello\r\n.\r\n"),
    Mail("", "other@mx.test", b"Subject: hello\r\n\r\n" + b"x" * 70 + b"\r\n", eight_bit=True),
    Mail("b-b@relay.test", "you@mx.test", b"Subject: hello\r\n\r\nhello\r\n"),
]
LEVELS = [TlsLevel.NONE, TlsLevel.OPPORTUNISTIC, TlsLevel.REQUIRED]
ID = UUID(int=7)


class Host:
    """Reads what we say as a host would, and pairs it with its own replies in their order (RFC
    5321, section 4.3).
    """

    def __init__(self, turns: list[bytes]) -> None:
        self.turns = turns
        self.parser = ReplyParser()
        self.replies: list[Reply] = []
        self.asked: list[bytes] = [
            b"greeting"
        ]  # what each of its replies is about; the end of content as b"content"
        self.heard = bytearray()
        self.is_content = False
        self.is_nonsense = False

    def says(self, protocol: Any, transport: Transport) -> None:
        if not self.turns:
            transport.close()
            return
        turn = self.turns.pop(0)
        if not self.is_nonsense:
            try:
                self.replies += self.parser.feed(turn)
            except ProtocolError:
                self.is_nonsense = True
        feed(protocol, turn)

    def hears(self, data: bytes) -> None:
        self.heard += data
        while self._takes_one():
            pass

    def _takes_one(self) -> bool:
        if self.is_content:
            end = 0 if self.heard.startswith(b".\r\n") else self.heard.find(b"\r\n.\r\n") + 2
            if end == 1:
                return False
            del self.heard[: end + 3]
            self.is_content = False
            # An empty message ends a DATA that went ahead behind a refused envelope (RFC 2920,
            # section 3.1).
            self.asked.append(b"content" if end else b"nothing")
            return True
        line, mark, rest = bytes(self.heard).partition(b"\r\n")
        if not mark:
            return False
        verb = line.split(b" ")[0]
        if verb == b"BDAT":
            size = int(line.split(b" ")[1])
            if len(rest) < size:
                return False
            del self.heard[: len(line) + 2 + size]
            self.asked.append(b"content")
            return True
        if verb == b"DATA":
            if len(self.replies) <= len(self.asked):
                return False  # what follows depends on the reply
            self.is_content = self.replies[len(self.asked)].kind == 3
        del self.heard[: len(line) + 2]
        self.asked.append(verb)
        return True

    def answers(self) -> Iterator[tuple[bytes, Reply]]:
        return zip(self.asked, self.replies, strict=False)


def ready() -> Ready:
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    log = Log().install()

    def one(data: bytes) -> None:
        _parses_alike(data)
        flags, *turns = data[:1], *data[1:].split(TURN)
        number = flags[0] if flags else 0
        loop.breaks_tls = bool(number & 8)
        host = Host(turns)
        loop.finish(_session(loop, host, LEVELS[number % 3]))
        log.check()

    return Ready(one, seeds(), WORDS)


async def _session(loop: VirtualLoop, host: Host, level: TlsLevel) -> None:
    def heard(protocol: Any, transport: Transport, data: bytes) -> None:
        host.hears(data)
        loop.call_soon(host.says, protocol, transport)

    loop.peer = heard
    loop.welcomed = lambda protocol, transport: loop.call_soon(host.says, protocol, transport)
    try:
        connection = await open_connection(
            Endpoint("mx.test", "192.0.2.7"), source=None, ehlo_name="relay.test", tls=level
        )
    except ConnectionFailed as failure:
        _fit_for_the_record(failure.reply, failure.stage)
        return
    try:
        for mail in MAILS:
            before = sum(asked == b"content" for asked in host.asked)
            outcome = await connection.send(mail)
            _check(outcome, host, before)
            if not connection.usable:
                break
    finally:
        await connection.close()


def _check(outcome: Outcome, host: Host, before: int) -> None:
    _fit_for_the_record(outcome.reply, getattr(outcome, "stage", Stage.BODY))
    host.hears(b"")
    if isinstance(outcome, Delivered):
        answered = [reply for asked, reply in host.answers() if asked == b"content"]
        assert len(answered) == before + 1, "delivered without a reply to its content"
        assert answered[-1].kind == 2, f"delivered by {answered[-1]}"


def _fit_for_the_record(reply: Reply, stage: Stage) -> None:
    """Check that any reply has a class, a meaning for our pace, and a line of the log."""
    assert 200 <= reply.code <= 599
    assert len(reply.text) <= MAX_TEXT and not texts.has_control(reply.text)
    assert reply.enhanced is None or reply.local or reply.enhanced[0] == str(reply.code)[0]
    found = classify(
        Answer(reply.text, reply.code, reply.enhanced or "", stage, "mx.test", "mx.test")
    )
    assert not texts.has_control(found.rule)
    backoff.find(reply, stage, "")
    maillog.attempted(
        ID,
        ID,
        outcome="deferred",
        recipient="you@mx.test",
        stage=stage,
        host="mx.test",
        code=reply.code,
        text=reply.text,
    )


def _parses_alike(data: bytes) -> None:
    """Check that the same replies are read, however the bytes come."""
    assert (
        _parsed([data]) == _parsed([data[at : at + 7] for at in range(0, min(len(data), 2000), 7)])
        or len(data) > 2000
    )


def _parsed(pieces: list[bytes]) -> tuple[list[Reply], bool]:
    parser, found = ReplyParser(), []
    try:
        for piece in pieces:
            found += parser.feed(piece)
    except ProtocolError:
        return found, False
    return found, True


def turns(*said: bytes) -> bytes:
    """Return what the host says, with a turn of ours behind each."""
    return b"".join(each + TURN for each in said)


GREETING = turns(b"220 mx.test ESMTP\r\n")
PLAIN = turns(b"250-mx.test\r\n250 8BITMIME\r\n")
PIPED = turns(
    b"250-mx.test\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-SMTPUTF8\r\n250-MT-PRIORITY\r\n"
    b"250 8BITMIME\r\n"
)
FULL = PIPED.replace(b"250-SMTPUTF8\r\n", b"250-CHUNKING\r\n250-SMTPUTF8\r\n")
TLS = turns(b"250-mx.test\r\n250 STARTTLS\r\n", b"220 go\r\n")
BY_TURNS = turns(b"250 2.1.0 ok\r\n", b"250 2.1.5 ok\r\n", b"354 go\r\n", b"250 2.0.0 queued\r\n")
AT_ONCE = turns(b"250 2.1.0 ok\r\n250 2.1.5 ok\r\n250 2.0.0 queued\r\n")
IN_TWO = turns(b"250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go\r\n", b"250 2.0.0 queued\r\n")
NO = turns(b"550-5.1.1 no such user\r\n550 5.1.1 here\r\n")
NONE_LEFT = turns(b"250 ok\r\n550 no\r\n354 go\r\n", b"554 no recipients\r\n")


def seeds() -> list[bytes]:
    return [
        b"\0" + GREETING + PLAIN + BY_TURNS * 3 + b"221 bye\r\n",
        b"\0" + GREETING + FULL + AT_ONCE * 3,
        b"\0" + GREETING + PIPED + IN_TWO * 3,
        b"\1" + GREETING + TLS + FULL + AT_ONCE,
        b"\1" + GREETING + TLS + turns(b"454 no\r\n") + PLAIN + BY_TURNS,
        b"\2" + GREETING + PLAIN,
        b"\0" + GREETING + PLAIN + turns(b"250 ok\r\n") + NO + turns(b"250 reset\r\n") + BY_TURNS,
        b"\0" + GREETING + FULL + turns(b"250 ok\r\n550 no\r\n503 no\r\n")
        + b"250 reset\r\n250 ok\r\n250 ok\r\n250 ok\r\n",
        b"\0" + GREETING + PIPED + NONE_LEFT + IN_TWO,
        b"\0" + b"554 go away event=delivered\r\n",
        b"\0" + GREETING + turns(b"500 what\r\n") + PLAIN + BY_TURNS,
        b"\0" + b"421 4.7.0 \xe2\x80\xa8later\r\n",
        b"\0" + GREETING + PLAIN + turns(b"250 ok\r\n")
        + b"421 4.7.0 too many messages, slow down\r\n",
        b"\t" + GREETING + TLS,
    ]  # fmt: skip


WORDS = [
    TURN, b"\r\n", b"\n", b"250 ", b"250-", b"354 ", b"421 ", b"450 4.2.2 ", b"550 5.1.1 ",
    b"552 5.3.4 ", b"PIPELINING", b"CHUNKING",
    b"SIZE ", b"STARTTLS", b"8BITMIME", b"SMTPUTF8", b"MT-PRIORITY", b"too many",
    b"try again later", b" event=delivered ",
    b"\xe2\x80\xa8", b"\xc2\x85",
]  # fmt: skip
