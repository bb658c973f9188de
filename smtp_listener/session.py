"""One client's session: the commands of SMTP on top of aiosmtpd's protocol, strict where that one is lenient."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, ClassVar

from aiosmtpd.smtp import SMTP

from deliveries import maillog
from deliveries.db import DatabaseUnavailable
from smtp_listener import authentication, commands, replies
from smtp_listener.accounts import Account
from smtp_listener.authentication import Proof
from smtp_listener.commands import BadCommand, Command
from smtp_listener.policy import Refused
from smtp_listener.reception import Reception
from smtp_listener.replies import Reply
from smtp_listener.spool import Spool
from smtp_listener.transaction import Transaction

if TYPE_CHECKING:
    from smtp_listener.server import Listener, Port

logger = logging.getLogger(__name__)

IDLE = 300.0  # RFC 5321, section 4.5.3.2.7
BLOCK_TIME = 180.0  # for each piece of a message
MESSAGE_TIME = 1800.0  # for a whole one: 25 MB at 14 KB a second
MAX_ERRORS = 20
MAX_IDLE_COMMANDS = 100  # NOOP, RSET, VRFY and the like since the last message
HIGH_WATER = 262_144  # bytes read ahead before the client must wait

# After these the client must wait for our reply before it says more (RFC 2920, section 3.1).
SYNCHRONISING = frozenset({"EHLO", "HELO", "STARTTLS", "AUTH", "DATA"})


class Ended(Exception):
    """The session is over; `reply`, if any, is the last word."""

    def __init__(self, reply: Reply | None = None) -> None:
        super().__init__(reply.text if reply else "")
        self.reply = reply


class Session(SMTP):
    """aiosmtpd gives the protocol's frame; reading, commands and replies are ours."""

    # aiosmtpd walks all members of the class for each connection to find these; the table below does not.
    verbs: ClassVar[dict[str, str]] = {
        verb: f"smtp_{verb}"
        for verb in (
            "EHLO", "HELO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "BDAT", "RSET", "NOOP", "QUIT", "VRFY", "EXPN", "HELP",
        )
    }  # fmt: skip

    def __init__(self, listener: Listener, port: Port, loop: asyncio.AbstractEventLoop) -> None:
        # Not aiosmtpd's own __init__: it inspects handler and class anew for each connection (0.7 ms) and logs them.
        asyncio.StreamReaderProtocol.__init__(self, asyncio.StreamReader(loop=loop), loop=loop)
        self.loop = loop
        self.listener = listener
        self.port = port
        self.transport: Any = None  # asyncio's and uvloop's transports share no type
        self.helo = ""
        self.is_extended = False
        self.tls = ""
        self.account: Account | None = None
        self.transaction: Transaction | None = None
        self._buffer = bytearray()
        self._out: list[bytes] = []
        self._more = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._is_gone = False
        self._is_paused = False
        self._is_busy = True  # false while waiting for a client that has nothing under way
        self._errors = 0
        self._idle_commands = 0
        self._deadline = 0.0
        self._watchdog: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self.id = listener.next_session_id()

    # --- the transport's side ---------------------------------------------------------------------------------------------
    def connection_made(self, transport: Any) -> None:
        """Both for a new connection and, with implicit TLS, after its handshake."""
        self.transport = transport
        self._adopt_tls(transport)
        peer = transport.get_extra_info("peername")
        self.client = ip_address(peer[0].partition("%")[0])
        mapped = getattr(self.client, "ipv4_mapped", None)
        self.client = mapped or self.client
        self.listener.sessions.add(self)
        self._task = self.loop.create_task(self._run())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._more.set()
        if len(self._buffer) > HIGH_WATER and not self._is_paused:
            self._is_paused = True
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        """Unlike aiosmtpd's: what the client has asked for is finished, and a commit under way is not cancelled."""
        self._is_gone = True
        self._more.set()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._is_gone = True
        self._more.set()
        self._writable.set()
        if self._watchdog is not None:
            self._watchdog.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def __del__(self) -> None:
        """aiosmtpd's looks for attributes that its __init__ makes."""

    # --- the session's life -------------------------------------------------------------------------------------------------
    async def _run(self) -> None:
        try:
            await self._converse()
        except Ended as end:
            self._say(end.reply)
        except Exception:  # the edge: a fault of ours must not leave the client without an answer
            logger.exception("client=%s the session failed", self.client)
            self._say(Reply(421, "4.3.0", replies.OUR_FAULT.text, closes=True))
        finally:
            await self._end()

    async def _converse(self) -> None:
        self._watch(IDLE)
        await self._greet()
        while True:
            line = await self._line(commands.MAX_LINE)
            reply = await self._answer(line) if line is not None else replies.LINE_TOO_LONG
            self._say(reply)
            self._count(reply)
            if reply is not None and reply.closes:
                raise Ended
            if self.listener.is_draining and self.transaction is None:
                raise Ended(replies.SHUTTING_DOWN)

    async def _greet(self) -> None:
        if refusal := self.listener.admit(self):
            raise Ended(refusal)
        if self._buffer:
            raise Ended(replies.EARLY_TALKER)
        if self.port.is_submission:
            with suppress(DatabaseUnavailable):  # then it is asked for its credential like anybody else
                self.account = await self.listener.accounts.trusted(self.client)
        self._out.append(b"220 %b ESMTP\r\n" % self.listener.hostname.encode())
        await self._flush()

    async def _answer(self, line: bytes) -> Reply | None:
        """The reply to one command; a fault of ours is answered, and the session goes on."""
        try:
            command = commands.parse(line)
            name = self.verbs.get(command.verb)
            if name is None:
                return replies.UNKNOWN_COMMAND
            if command.verb in SYNCHRONISING and self._buffer:
                raise Ended(replies.TLS_INJECTED if command.verb == "STARTTLS" else replies.PIPELINED(verb=command.verb))
            return await getattr(self, name)(command)  # type: ignore[no-any-return]  # a method from the table
        except BadCommand as error:
            return _explain(error)
        except Refused as error:
            return error.reply
        except DatabaseUnavailable as error:
            logger.warning("client=%s PostgreSQL is out of reach: %s", self.client, error)
            return replies.OUR_FAULT
        except (Ended, asyncio.CancelledError):
            raise
        except Exception:  # the edge: never a 500, a class name or a lost mail for a fault of ours
            logger.exception("client=%s a command failed", self.client)
            self._drop_transaction()
            return replies.OUR_FAULT

    def _count(self, reply: Reply | None) -> None:
        if reply is None or not reply.is_refusal:
            return
        self._errors += 1
        maillog.refused(client=str(self.client), code=reply.code, text=reply.text, command="")
        if self._errors >= MAX_ERRORS:
            raise Ended(replies.TOO_MANY_ERRORS)

    def _count_idle(self) -> None:
        self._idle_commands += 1
        if self._idle_commands > MAX_IDLE_COMMANDS:
            raise Ended(replies.TOO_MANY_COMMANDS)

    async def _end(self) -> None:
        self._drop_transaction()
        with suppress(Exception):  # the peer may be gone in any way
            await self._flush()
        if self._watchdog is not None:
            self._watchdog.cancel()
        if self.transport is not None:
            self.transport.close()
        self.listener.sessions.discard(self)
        if self.account is not None and self.account.max_sessions is not None:
            await self.listener.quotas.leave(self.account.credential_id, self.id)

    def drain(self) -> None:
        """The listener is ending: a client that has nothing under way is told so at once."""
        if not self._is_busy and self.transaction is None:
            self._interrupt(replies.SHUTTING_DOWN)

    def cut(self) -> None:
        """The listener's patience is over."""
        self._interrupt(replies.SHUTTING_DOWN)

    def _interrupt(self, reply: Reply) -> None:
        if self.transport is not None and not self._is_gone:
            self.transport.write(bytes(reply))
            self.transport.close()
        self._is_gone = True
        self._more.set()

    # --- time ---------------------------------------------------------------------------------------------------------------
    def _watch(self, seconds: float) -> None:
        """The client has so long for its next word; one timer serves a whole session."""
        self._deadline = self.loop.time() + seconds
        if self._watchdog is None:
            self._watchdog = self.loop.call_at(self._deadline, self._look_at_clock)

    def _look_at_clock(self) -> None:
        self._watchdog = None
        if self._is_gone:
            return
        if self.loop.time() < self._deadline or self._is_busy:
            self._watchdog = self.loop.call_at(max(self._deadline, self.loop.time() + 1), self._look_at_clock)
            return
        self._interrupt(replies.DATA_TIMED_OUT if self._is_receiving else replies.TIMED_OUT)

    _is_receiving = False

    # --- reading and writing ----------------------------------------------------------------------------------------------------
    async def _wait(self) -> None:
        """For more bytes; what we have to say is said before."""
        await self._flush()
        if self._is_gone:
            raise Ended
        self._more.clear()
        if self._is_paused:
            self._is_paused = False
            self.transport.resume_reading()
        self._is_busy = False
        try:
            await self._more.wait()
        finally:
            self._is_busy = True

    async def _line(self, limit: int) -> bytes | None:
        """The next line without its CRLF; None for one that is too long, which is read to its end."""
        searched, is_too_long = 0, False
        self._watch(IDLE)
        while (end := self._buffer.find(b"\r\n", max(searched - 1, 0))) < 0:
            searched = len(self._buffer)
            if searched > limit:
                is_too_long = True
                del self._buffer[:-1]
                searched = 1
                self._count(replies.LINE_TOO_LONG)
            await self._wait()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return None if is_too_long or len(line) > limit else line

    def _say(self, reply: Reply | None) -> None:
        if reply is not None:
            self._out.append(bytes(reply))

    async def _flush(self) -> None:
        """Replies to commands that came together leave together."""
        if self._out and not self._is_gone:
            self.transport.write(b"".join(self._out))
            self._out.clear()
            await self._writable.wait()
        self._out.clear()

    # --- greeting, TLS, AUTH ------------------------------------------------------------------------------------------------------
    async def smtp_EHLO(self, command: Command) -> Reply | None:
        if not commands.is_host_name(command.argument):
            return replies.BAD_GREETING
        self._reset_to(command.argument, is_extended=True)
        offers = [self.listener.hostname, *self._offers()]
        for offer in offers[:-1]:
            self._out.append(f"250-{offer}\r\n".encode())
        self._out.append(f"250 {offers[-1]}\r\n".encode())
        return None

    def _offers(self) -> list[str]:
        offers = ["PIPELINING", f"SIZE {self.max_size}", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "CHUNKING"]
        if self.port.is_submission:
            offers.append("DSN")
        if not self.tls:
            offers.append("STARTTLS")
        elif self.port.is_submission and self.account is None:
            offers.append("AUTH PLAIN LOGIN")
        return offers

    async def smtp_HELO(self, command: Command) -> Reply:
        if not commands.is_host_name(command.argument):
            return replies.BAD_GREETING
        self._reset_to(command.argument, is_extended=False)
        return Reply(250, "", self.listener.hostname)

    def _reset_to(self, helo: str, *, is_extended: bool) -> None:
        self._drop_transaction()
        self.helo, self.is_extended = helo, is_extended

    async def smtp_STARTTLS(self, command: Command) -> Reply | None:
        if command.argument:
            return replies.NO_ARGUMENT
        if self.tls:
            return replies.TLS_ALREADY
        self._say(replies.READY_FOR_TLS)
        await self._flush()
        await self._start_tls()
        return None

    async def _start_tls(self) -> None:
        """All that was said in plain text is forgotten (RFC 3207, section 4.2; CVE-2024-34083)."""
        self.listener.certificate.refresh()
        context = self.listener.certificate.context
        try:
            transport = await self.loop.start_tls(self.transport, self, context, server_side=True, ssl_handshake_timeout=60.0)
        except (OSError, ssl.SSLError) as error:
            raise Ended from error
        if transport is None:
            raise Ended
        self.transport = transport
        self._adopt_tls(transport)
        self.helo, self.is_extended = "", False
        self._drop_transaction()
        if self.account is not None and self.account.kind == "password":
            self.account = None

    def _adopt_tls(self, transport: Any) -> None:
        connection = transport.get_extra_info("ssl_object")
        if connection is not None:
            self.tls = f"{connection.version()} {connection.cipher()[0]}"

    async def smtp_AUTH(self, command: Command) -> Reply:
        if not self.port.is_submission:
            return replies.AUTH_NOT_HERE
        if not self.is_extended:
            return replies.SAY_EHLO
        if not self.tls:
            return replies.AUTH_NEEDS_TLS
        if self.account is not None and self.account.kind == "password":
            return replies.AUTH_ALREADY
        if self.transaction is not None:
            return replies.AUTH_IN_MAIL
        return await self._authenticate(command.argument)

    async def _authenticate(self, argument: str) -> Reply:
        mechanism, _, initial = argument.partition(" ")
        match mechanism.upper():
            case "PLAIN":
                shown = authentication.decode_plain(initial or await self._challenge(""))
            case "LOGIN":
                username = initial or await self._challenge("VXNlcm5hbWU6")
                shown = authentication.decode_login(username, await self._challenge("UGFzc3dvcmQ6"))
            case _:
                return replies.AUTH_UNKNOWN
        if isinstance(shown, Reply):
            return shown
        return await self._log_in(shown)

    async def _challenge(self, text: str) -> str:
        self._out.append(f"334 {text}\r\n".encode())
        line = await self._line(commands.MAX_AUTH_LINE)
        if line is None:
            raise Refused(replies.AUTH_TOO_LONG)
        if line == b"*":
            raise Refused(replies.AUTH_CANCELLED)
        return line.decode("ascii", "replace")

    async def _log_in(self, proof: Proof) -> Reply:
        judged = await self.listener.authentication.judge(proof, self.client)
        if isinstance(judged, Reply):
            return judged
        if refusal := await self._enter(judged):
            return refusal
        self.account = judged
        self._username = proof.username
        self.listener.accounts.note_use(judged.credential_id, str(self.client))
        return replies.AUTHENTICATED

    _username = ""

    async def _enter(self, account: Account) -> Reply | None:
        """Count this session among the credential's; anew with each message, since an old count is forgotten."""
        if account.max_sessions is None:
            return None
        if await self.listener.quotas.enter(account.credential_id, self.id) > account.max_sessions:
            await self.listener.quotas.leave(account.credential_id, self.id)
            return replies.TOO_MANY_CREDENTIAL_SESSIONS(most=account.max_sessions)
        return None

    async def current_account(self) -> Account:
        """The account as it stands now: revoked and changed credentials take effect in an open session too."""
        if self.account is None:
            raise Refused(replies.AUTH_REQUIRED if self.tls else replies.NEEDS_TLS)
        if self.account.kind == "network":
            account = await self.listener.accounts.trusted(self.client)
        else:
            account = await self.listener.accounts.named(self._username)
        if account is None or not account.is_open_to(self.client):
            raise Ended(replies.REVOKED)
        self.account = account
        return account

    @property
    def max_size(self) -> int:
        """For this client, in bytes."""
        own = self.account.max_size if self.account else None
        return min(own, self.listener.max_size) if own else self.listener.max_size

    # --- the message ------------------------------------------------------------------------------------------------------------
    async def smtp_MAIL(self, command: Command) -> Reply:
        if not self.helo:
            return replies.SAY_EHLO
        if self.transaction is not None:
            return replies.NESTED_MAIL
        self.transaction = await self.port.begin(self, commands.parse_path(command.argument, "FROM"))
        self._idle_commands = 0
        return replies.SENDER_OK

    async def smtp_RCPT(self, command: Command) -> Reply:
        if self.transaction is None:
            return replies.NO_MAIL
        await self.transaction.add_recipient(commands.parse_path(command.argument, "TO"))
        return replies.RECIPIENT_OK

    async def smtp_DATA(self, command: Command) -> Reply:
        if command.argument:
            return replies.NO_ARGUMENT
        transaction = self._transaction_with_recipients()
        if transaction.spool is not None:
            return replies.DATA_AFTER_BDAT
        transaction.spool = Spool(self.listener.spool_folder)
        self._say(replies.GO_AHEAD)
        return await self._finish(transaction, await self._receive_lines(self._reception(transaction)))

    def _transaction_with_recipients(self) -> Transaction:
        if self.transaction is None:
            raise Refused(replies.NO_MAIL)
        if not self.transaction.has_recipients:
            raise Refused(replies.NO_RECIPIENTS)
        return self.transaction

    def _reception(self, transaction: Transaction) -> Reception:
        assert transaction.spool is not None
        is_repairing = self.listener.is_repairing
        return Reception(transaction.spool.append, max_size=self.max_size, is_repairing=is_repairing)

    async def _receive_lines(self, reception: Reception) -> Reception:
        """Until the end mark; a message far too large, or too slow, ends the session."""
        until = time.monotonic() + MESSAGE_TIME
        self._is_receiving = True
        searched, is_complete = 0, False
        while not is_complete:
            if self._buffer:
                searched, is_complete = reception.lines(self._buffer, searched)
            if reception.size > 2 * self.max_size + 1_048_576:
                raise Ended(replies.TOO_LARGE_BY_FAR(most=self.max_size))
            if time.monotonic() > until:
                raise Ended(replies.DATA_TIMED_OUT)
            if not is_complete:
                self._watch(BLOCK_TIME)
                await self._wait()
        self._is_receiving = False
        return reception

    async def smtp_BDAT(self, command: Command) -> Reply:
        size, is_last = _bdat(command.argument)
        transaction = self.transaction if self.transaction is not None and self.transaction.has_recipients else None
        if transaction is None or size > 2 * self.max_size + 1_048_576:
            await self._skip(size)  # RFC 3030, section 2: the chunk comes whatever we say
            return replies.NO_RECIPIENTS if transaction is None else replies.TOO_LARGE_BY_FAR(most=self.max_size)
        if transaction.spool is None:
            transaction.spool = Spool(self.listener.spool_folder)
            transaction.reception = self._reception(transaction)
        assert transaction.reception is not None
        await self._receive_chunk(transaction.reception, size)
        if not is_last:
            return replies.CHUNK_OK(size=size)
        return await self._finish(transaction, transaction.reception)

    async def _receive_chunk(self, reception: Reception, size: int) -> None:
        async for piece in self._pieces(size):
            reception.take_chunk(piece)

    async def _skip(self, size: int) -> None:
        skipped = 0
        async for piece in self._pieces(size):
            skipped += len(piece)
            if skipped > 2 * self.max_size:
                raise Ended(replies.TOO_LARGE_BY_FAR(most=self.max_size))

    async def _pieces(self, size: int) -> AsyncIterator[bytes]:
        """So many bytes, as they come."""
        until, left = time.monotonic() + MESSAGE_TIME, size
        self._is_receiving = True
        while left:
            if not self._buffer:
                self._watch(BLOCK_TIME)
                await self._wait()
            piece = bytes(self._buffer[:left])
            del self._buffer[: len(piece)]
            left -= len(piece)
            if time.monotonic() > until:
                raise Ended(replies.DATA_TIMED_OUT)
            yield piece
        self._is_receiving = False

    async def _finish(self, transaction: Transaction, reception: Reception) -> Reply:
        """Judge and store what was received; the transaction is over in any case."""
        try:
            return await transaction.finish(reception)
        finally:
            self._drop_transaction()

    def _drop_transaction(self) -> None:
        if self.transaction is not None:
            self.transaction.close()
            self.transaction = None

    # --- the rest ---------------------------------------------------------------------------------------------------------------
    async def smtp_RSET(self, command: Command) -> Reply:
        self._count_idle()
        self._drop_transaction()
        return replies.OK

    async def smtp_NOOP(self, command: Command) -> Reply:
        self._count_idle()
        return replies.OK

    async def smtp_VRFY(self, command: Command) -> Reply:
        self._count_idle()
        return replies.CANNOT_VERIFY

    async def smtp_EXPN(self, command: Command) -> Reply:
        self._count_idle()
        return replies.NOT_IMPLEMENTED

    async def smtp_HELP(self, command: Command) -> Reply:
        self._count_idle()
        return replies.HELP

    async def smtp_QUIT(self, command: Command) -> Reply:
        return replies.BYE


def _bdat(argument: str) -> tuple[int, bool]:
    """`BDAT size [LAST]` (RFC 3030, section 2)."""
    size, _, last = argument.partition(" ")
    if not size.isascii() or not size.isdigit() or len(size) > 20 or last.upper() not in ("", "LAST"):
        raise Ended(replies.BAD_SYNTAX(syntax="BDAT size [LAST]"))  # what follows cannot be told from commands
    return int(size), bool(last)


def _explain(error: BadCommand) -> Reply:
    match error.reason:
        case "line":
            return replies.BAD_LINE
        case "syntax":
            return replies.BAD_SYNTAX(syntax="MAIL FROM:<address> or RCPT TO:<address>, then parameters")
        case "parameter":
            return replies.BAD_PARAMETER(name=error.name)
        case "value":
            return replies.BAD_VALUE(name=error.name)
        case _:
            return replies.UNKNOWN_COMMAND
