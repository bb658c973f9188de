"""The only outgoing SMTP socket: opens it, carries dialogues over it within their time, closes
it.
"""

import asyncio
import ssl
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

from deliveries.smtp.authentication import Login, authenticate
from deliveries.smtp.dialogue import (
    Answer,
    ClientSession,
    Glance,
    Read,
    Send,
    StartTls,
    Step,
    TlsLevel,
    greet,
)
from deliveries.smtp.mail import Mail, UnsafeMail
from deliveries.smtp.outcomes import Deferred, FailureScope, Outcome, Stage, judge
from deliveries.smtp.peer import Peer
from deliveries.smtp.replies import Reply, local_reply
from deliveries.smtp.session_notes import SessionNotes
from deliveries.smtp.timeouts import DOING, Timeouts
from deliveries.smtp.tls import context_for, describe, handshake_trouble, server_name
from deliveries.smtp.transaction import transact
from deliveries.smtp.wire import Wire

__all__ = [
    "Connection",
    "ConnectionFailed",
    "Endpoint",
    "Mail",
    "Timeouts",
    "TlsLevel",
    "UnsafeMail",
]

BLOCK = 65_536  # octets of content between two looks at the peer
FRESH = 1.0  # seconds after its last reply for which a peer is taken to be still there
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host of a site: the name that TLS is about, the address that is connected to."""

    host: str
    address: str
    port: int = 25


SENDING = "sending the message"


class ConnectionFailed(Exception):
    """No session came about.

    `is_tls_broken`: it failed at encryption, and might work in plain text.
    """

    def __init__(self, outcome: Outcome, *, tls: str, transcript: str = "") -> None:
        assert isinstance(outcome, Deferred), "trouble before MAIL is temporary"
        super().__init__(str(outcome.reply))
        self.outcome = outcome
        self.stage = outcome.stage
        self.reply = outcome.reply
        self.tls = tls
        self.transcript = transcript
        # A loss in the EHLO under TLS counts too: some peers hang up on what they dislike only
        # after the handshake.
        self.is_login_refused = outcome.stage is Stage.AUTH and outcome.reply.kind == 5
        self.is_tls_broken = outcome.reply.local and (outcome.stage is Stage.STARTTLS or bool(tls))


class Connection:
    """An open session with a peer, for one mail after the other."""

    def __init__(
        self, wire: Wire, endpoint: Endpoint, timeouts: Timeouts, trust: str | None
    ) -> None:
        self._wire = wire
        self._timeouts = timeouts
        self._trust = trust
        self._ends_at = 0.0
        self._session: ClientSession
        self.endpoint = endpoint
        self.tls = ""
        self.notes = SessionNotes(self._now())
        self.is_noting = True  # during the opening; then where somebody wants to read it
        local: tuple[str, int] = wire.transport.get_extra_info("sockname")
        self.local_address = local[0]

    @property
    def way_back(self) -> str | None:
        """What to leave out on another connection to this host, for the mail that was just refused
        or broken off.
        """
        return self._session.way_back

    @property
    def usable(self) -> bool:
        """False once the peer has gone, said something unasked (a 421 before it hangs up), or got
        out of step.
        """
        return self._session.in_step and self._wire.is_quiet and not self._wire.trouble

    async def send(self, mail: Mail) -> Outcome:
        """Offer one mail; never raises for what a peer or the network does. One call at a time."""
        if self.is_noting:
            self.notes.begin_mail()
        if not self.usable:
            return self._farewell()
        # Some hosts hang up behind a reply, without a word. Where that is here already, not all is
        # sent at once.
        is_fresh = self._now() - self._wire.heard_at < FRESH and not self._wire.has_unread
        dialogue = transact(self._session, mail, is_fresh=is_fresh, now=time.time())
        return await self._within(self._timeouts.transaction, dialogue)

    async def close(self) -> None:
        """Send QUIT, wait shortly for the reply, and hang up.

        Where a message was broken off, hang up at once: what is still in our buffers would go out
        after all, final dot included.
        """
        if not self._session.in_step:
            self.abort()
        if self.usable:
            self._session.in_step = False
            self._wire.write(b"QUIT\r\n")
            self._ends_at = self._now() + self._timeouts.quit
            await self._reply(Stage.QUIT)
        self._wire.transport.close()
        await self._wire.left(self._timeouts.quit)

    def abort(self) -> None:
        """Hang up at once, whatever is under way."""
        self._wire.abort("connection closed")

    def _farewell(self) -> Outcome:
        """Return what to record for a message that was never offered, since the session had ended
        before it.
        """
        self._session.way_back = None
        replies = self._wire.replies
        lost = local_reply(421, "4.4.2", "connection lost between two messages")
        reply = replies[0] if replies and replies[0].kind in (4, 5) else lost
        return Deferred(reply, Stage.MAIL, FailureScope.SESSION)

    # --- carrying a dialogue ---
    async def open(
        self,
        ehlo_name: str,
        tls: TlsLevel,
        peer: Peer,
        without: frozenset[str],
        login: Login | None = None,
    ) -> ClientSession | Outcome:
        """Hold the dialogue up to the first MAIL; used by `open_connection` only."""
        self._ends_at = self._now() + self._timeouts.opening
        if tls is TlsLevel.IMPLICIT and (broken := await self._start_tls(tls)):
            return judge(broken, Stage.STARTTLS)
        opened = await self._within(
            self._timeouts.opening, greet(ehlo_name, tls, peer, without), tls
        )
        if isinstance(opened, ClientSession):
            self._session = opened
            if login is not None and (failure := await self._log_in(login, ehlo_name)) is not None:
                return failure
        return opened

    async def _log_in(self, login: Login, our_name: str) -> Outcome | None:
        host, port = self.endpoint.host, self.endpoint.port
        dialogue = authenticate(self._session, login, host=host, port=port, our_name=our_name)
        return await self._within(self._timeouts.opening, dialogue)

    async def _within(
        self, seconds: float, dialogue: Generator[Step, Answer, T], tls: TlsLevel = TlsLevel.NONE
    ) -> T:
        self._ends_at = self._now() + seconds
        try:
            return await self._carry(dialogue, tls)
        except BaseException:  # cancelled: nobody knows any more what the next reply would answer
            self.abort()
            raise

    async def _carry(self, dialogue: Generator[Step, Answer, T], tls: TlsLevel) -> T:
        answer: Answer = None
        while True:
            try:
                step = dialogue.send(answer)
            except StopIteration as end:
                result: T = end.value
                return result
            answer = await self._take(step, tls)
            if self.is_noting:
                self.notes.note(self._now(), step, answer, self.tls)

    async def _take(self, step: Step, tls: TlsLevel) -> Answer:
        match step:
            case Read(stage):
                return await self._reply(stage)
            case Send(data, is_content=True):
                return await self._stream(data)
            case Send(data):
                self._wire.write(data)
                return None
            case StartTls():
                return await self._start_tls(tls)
            case Glance():
                return await self._glance()

    async def _reply(self, stage: Stage) -> Reply:
        seconds = min(getattr(self._timeouts, stage), self._ends_at - self._now())
        try:
            return await self._wire.reply(seconds) or self._lost(DOING[stage])
        except TimeoutError:
            return self._timed_out(DOING[stage])

    async def _glance(self) -> Reply | None:
        try:
            return await self._wire.reply(self._timeouts.chunk) or self._lost(DOING[Stage.DATA])
        except TimeoutError:
            return None

    async def _stream(self, data: bytes) -> Reply | None:
        """Block by block, with an ear to the peer: one that has refused may have stopped to read
        (RFC 5321 4.5.3.2.5).
        """
        view = memoryview(data)
        for start in range(0, len(view), BLOCK):
            if self._wire.replies or self._wire.trouble:
                return await self._early()
            self._wire.write(view[start : start + BLOCK])
            try:
                await self._wire.drain(min(self._timeouts.block, self._ends_at - self._now()))
            except TimeoutError:
                return self._timed_out(SENDING)
            if self._wire.is_backed_up:
                return await self._early()
        return None

    async def _early(self) -> Reply:
        return await self._wire.reply(0) or self._lost(SENDING)

    async def _start_tls(self, level: TlsLevel) -> Reply | None:
        # Said in plain text, to be believed as said under TLS (CVE-2011-0411).
        if not self._wire.is_quiet:
            return local_reply(
                421, "4.7.5", "the host sent more than its reply to STARTTLS before TLS began"
            )
        # asyncio would wait for a handshake without end.
        if self._wire.trouble or self._wire.transport.is_closing():
            return local_reply(
                421, "4.7.5", f"the TLS handshake failed: {self._wire.trouble or 'connection lost'}"
            )
        loop, context, name = (
            asyncio.get_running_loop(),
            context_for(level, self._trust),
            server_name(self.endpoint.host),
        )
        try:
            transport = await loop.start_tls(
                self._wire.transport,
                self._wire,
                context,
                server_hostname=name or "",
                ssl_handshake_timeout=min(self._timeouts.handshake, self._ends_at - self._now()),
                ssl_shutdown_timeout=self._timeouts.quit,
            )
        except ssl.SSLCertVerificationError as error:
            return local_reply(
                421, "4.7.5", f"the host's certificate is not trusted: {error.verify_message}"
            )
        except (OSError, ValueError) as error:
            return local_reply(
                421, "4.7.5", f"the TLS handshake failed: {handshake_trouble(error)}"
            )
        if transport is None:  # the peer hung up at the very end of the handshake
            return local_reply(421, "4.7.5", "the TLS handshake failed: connection lost")
        self._wire.adopt(transport)
        self.tls = describe(transport.get_extra_info("ssl_object"), self.endpoint.host, self._trust)
        return None

    def _lost(self, doing: str) -> Reply:
        return local_reply(421, "4.4.2", f"{self._wire.trouble or 'connection lost'} while {doing}")

    def _timed_out(self, doing: str) -> Reply:
        return local_reply(421, "4.4.2", f"timed out while {doing}")

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
