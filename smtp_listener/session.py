"""One client's session: what each command does, what the client has become by it, and when the session is over."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from deliveries import maillog
from deliveries.db import DatabaseUnavailable
from smtp_listener import commands, login, replies
from smtp_listener.accounts import Account
from smtp_listener.channel import Channel, Ended
from smtp_listener.commands import BadCommand, Command
from smtp_listener.content import discard, read_chunk, read_lines
from smtp_listener.policy import Refused
from smtp_listener.reception import Reception, hopeless
from smtp_listener.replies import Reply
from smtp_listener.spool import Spool
from smtp_listener.transaction import Transaction

if TYPE_CHECKING:
    from smtp_listener.server import Listener, Port

logger = logging.getLogger(__name__)

# Since the last message that was taken. An app may send to many suppressed addresses, and be told so for each.
MAX_ERRORS = 20
MAX_REFUSED_RECIPIENTS = 1000
MAX_IDLE_COMMANDS = 100  # NOOP, RSET, VRFY and the like

# After these the client must wait for our reply before it says more (RFC 2920, section 3.1).
SYNCHRONISING = frozenset({"EHLO", "HELO", "STARTTLS", "AUTH", "DATA"})


class Session:
    """Lives as long as its channel; nobody cancels its task, so that a commit under way always ends."""

    def __init__(self, listener: Listener, port: Port, channel: Channel) -> None:
        self.id = listener.next_session_id()
        self.listener = listener
        self.port = port
        self.channel = channel
        self.client = channel.client
        self.helo = ""
        self.is_extended = False
        self.account: Account | None = None
        self.transaction: Transaction | None = None
        self._username = ""
        self._is_receiving = False
        self._is_storing = False
        self._errors = self._refused_recipients = self._idle_commands = 0

    @property
    def tls(self) -> str:
        """The protocol and cipher; empty for plain text."""
        return self.channel.tls

    @property
    def max_size(self) -> int:
        """For this client, in bytes."""
        own = self.account.max_size if self.account else None
        return min(own, self.listener.max_size) if own else self.listener.max_size

    # --- its life -------------------------------------------------------------------------------------------------------------
    async def run(self) -> None:
        if refusal := self.listener.admit(self):
            await self._turn_away(refusal)
            return
        try:
            await self._converse()
        except Ended as end:
            self.channel.say(end.reply)
        except Exception:  # the edge: a fault of ours must not leave the client without an answer
            logger.exception("client=%s the session failed", self.client)
            self.channel.say(replies.OUR_LAST_FAULT)
        finally:
            await self._end()

    async def _turn_away(self, refusal: Reply) -> None:
        """Where TLS comes first nothing can be said: a handshake for each of a flood is what the limit is to save us from."""
        if not self.port.is_implicit_tls:
            self.channel.say(refusal)
        await self.channel.finish()

    async def _converse(self) -> None:
        if self.port.is_implicit_tls:
            await self.channel.begin_with_tls(self.listener.certificate.context)
        await self._greet()
        while True:
            line = await self.channel.line(commands.MAX_LINE)
            reply = await self._answer(line) if line is not None else self._refuse(replies.LINE_TOO_LONG, "")
            self.channel.say(reply)
            if reply is not None and reply.closes:
                raise Ended
            if self.listener.is_draining and self.transaction is None:
                raise Ended(replies.SHUTTING_DOWN)

    async def _greet(self) -> None:
        if self.port.is_submission:
            with suppress(DatabaseUnavailable):  # then it is asked for its credential like anybody else
                self.account = await self.listener.accounts.trusted(self.client)
        if self.channel.buffer:
            raise Ended(replies.EARLY_TALKER)
        self.channel.say_raw(f"220 {self.listener.hostname} ESMTP")

    async def _answer(self, line: bytes) -> Reply | None:
        """The reply to one command; a fault of ours is answered, and the session goes on."""
        verb = ""
        try:
            command = commands.parse(line)
            act = VERBS.get(command.verb)
            if act is None:
                return self._refuse(replies.UNKNOWN_COMMAND, verb)
            verb = command.verb
            if verb in SYNCHRONISING and self.channel.buffer:
                raise Ended(replies.TLS_INJECTED if verb == "STARTTLS" else replies.PIPELINED(verb=verb))
            reply = await act(self, command)
        except BadCommand as error:
            reply = _explain(error)
        except Refused as error:
            reply = error.reply
        except DatabaseUnavailable as error:
            logger.warning("client=%s PostgreSQL is out of reach: %s", self.client, error)
            reply = replies.OUR_FAULT
        except Ended:
            raise
        except Exception:  # the edge: never a 500, a class name or a lost mail for a fault of ours
            logger.exception("client=%s %s failed", self.client, verb)
            if self._is_receiving:  # the rest of the content would be taken for commands
                raise Ended(replies.OUR_LAST_FAULT) from None
            self._drop_transaction()
            reply = replies.OUR_FAULT
        return reply if reply is None or not reply.is_refusal else self._refuse(reply, verb)

    def _refuse(self, reply: Reply, verb: str) -> Reply:
        maillog.refused(client=str(self.client), code=reply.code, text=reply.text, command=verb or "?")
        if verb == "RCPT" and self.account is not None:
            self._refused_recipients += 1
        else:
            self._errors += 1
        if not reply.closes and (self._errors >= MAX_ERRORS or self._refused_recipients >= MAX_REFUSED_RECIPIENTS):
            self.channel.say(reply)
            raise Ended(replies.TOO_MANY_ERRORS)
        return reply

    def _count_idle(self) -> None:
        self._idle_commands += 1
        if self._idle_commands > MAX_IDLE_COMMANDS:
            raise Ended(replies.TOO_MANY_COMMANDS)

    async def _end(self) -> None:
        self._drop_transaction()
        with suppress(Exception):  # the peer may be gone in any way
            await self.channel.finish()
        self.listener.release(self)
        await self._leave()

    def drain(self) -> None:
        """The listener is ending: a client that has nothing under way is told so at once."""
        if self.channel.is_waiting and self.transaction is None:
            self.channel.interrupt(replies.SHUTTING_DOWN)

    def cut(self) -> None:
        """The listener's patience is over; only a commit under way is waited for, and answered."""
        if not self._is_storing:
            self.channel.interrupt(replies.SHUTTING_DOWN)

    # --- greeting, TLS, AUTH ----------------------------------------------------------------------------------------------------
    async def ehlo(self, command: Command) -> Reply | None:
        if not commands.is_host_name(command.argument):
            return replies.BAD_GREETING
        self._reset_to(command.argument, is_extended=True)
        *offers, last = [self.listener.hostname, *self._offers()]
        for offer in offers:
            self.channel.say_raw(f"250-{offer}")
        self.channel.say_raw(f"250 {last}")
        return None

    def _offers(self) -> list[str]:
        offers = ["PIPELINING", f"SIZE {self.max_size}", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "CHUNKING"]
        if self.port.is_submission:
            offers.append("DSN")
        if not self.tls:
            offers.append("STARTTLS")
        elif self.port.is_submission and not self._is_logged_in:
            offers.append("AUTH PLAIN LOGIN")
        return offers

    async def hello(self, command: Command) -> Reply:
        if not commands.is_host_name(command.argument):
            return replies.BAD_GREETING
        self._reset_to(command.argument, is_extended=False)
        return Reply(250, "", self.listener.hostname)

    def _reset_to(self, helo: str, *, is_extended: bool) -> None:
        self._drop_transaction()
        self.helo, self.is_extended = helo, is_extended

    async def starttls(self, command: Command) -> Reply | None:
        """All that was said in plain text is forgotten (RFC 3207, section 4.2); nobody can have logged in there."""
        if command.argument:
            return replies.NO_ARGUMENT
        if self.tls:
            return replies.TLS_ALREADY
        self.channel.say(replies.READY_FOR_TLS)
        self.listener.certificate.refresh()
        await self.channel.start_tls(self.listener.certificate.context)
        self._reset_to("", is_extended=False)
        return None

    async def auth(self, command: Command) -> Reply:
        if not self.port.is_submission:
            return replies.AUTH_NOT_HERE
        if not self.is_extended:
            return replies.SAY_EHLO
        if not self.tls:
            return replies.AUTH_NEEDS_TLS
        if self._is_logged_in:
            return replies.AUTH_ALREADY
        if self.transaction is not None:
            return replies.AUTH_IN_MAIL
        shown = await login.ask(self.channel, command.argument)
        if isinstance(shown, Reply):
            return shown
        judged = await self.listener.authentication.judge(shown, self.client)
        if isinstance(judged, Reply):
            return judged
        await self._leave()  # a trusted network's credential, perhaps
        await self.enter(judged)
        self.account, self._username = judged, shown.username
        self._note_use(judged)
        return replies.AUTHENTICATED

    @property
    def _is_logged_in(self) -> bool:
        return self.account is not None and self.account.kind == "password"

    async def enter(self, account: Account) -> None:
        """Count this session among the credential's; anew with each message, since an old count is forgotten."""
        if account.max_sessions is None:
            return
        if await self.listener.quotas.enter(account.credential_id, self.id) > account.max_sessions:
            await self.listener.quotas.leave(account.credential_id, self.id)
            raise Refused(replies.TOO_MANY_CREDENTIAL_SESSIONS(most=account.max_sessions))

    async def _leave(self) -> None:
        if self.account is not None and self.account.max_sessions is not None:
            await self.listener.quotas.leave(self.account.credential_id, self.id)

    async def current_account(self) -> Account:
        """The account as it stands now: revoked and changed credentials take effect in an open session too."""
        if self.account is None:
            raise Refused(replies.AUTH_REQUIRED if self.tls else replies.NEEDS_TLS)
        accounts = self.listener.accounts
        account = await (accounts.named(self._username) if self._is_logged_in else accounts.trusted(self.client))
        if account is None or not account.is_open_to(self.client):
            raise Ended(replies.REVOKED)
        self.account = account
        self._note_use(account)
        return account

    def _note_use(self, account: Account) -> None:
        self.listener.accounts.note_use(account.credential_id, self.client)

    # --- the message ------------------------------------------------------------------------------------------------------------
    async def mail(self, command: Command) -> Reply:
        if not self.helo:
            return replies.SAY_EHLO
        if self.transaction is not None:
            return replies.NESTED_MAIL
        self.transaction = await self.port.begin(self, commands.parse_path(command.argument, "FROM"))
        return replies.SENDER_OK

    async def rcpt(self, command: Command) -> Reply:
        if self.transaction is None:
            return replies.NO_MAIL
        if self.transaction.spool is not None:
            return replies.CONTENT_BEGUN
        await self.transaction.add_recipient(commands.parse_path(command.argument, "TO"))
        return replies.RECIPIENT_OK

    async def data(self, command: Command) -> Reply:
        if command.argument:
            return replies.NO_ARGUMENT
        if self.transaction is None:
            return replies.NO_MAIL
        if not self.transaction.has_recipients:
            return replies.NO_RECIPIENTS
        if self.transaction.spool is not None:
            return replies.DATA_AFTER_BDAT
        reception = self._receive(self.transaction)
        self.channel.say(replies.GO_AHEAD)
        self._is_receiving = True
        await read_lines(self.channel, reception)
        self._is_receiving = False
        return await self._finish(self.transaction, reception)

    def _receive(self, transaction: Transaction) -> Reception:
        transaction.spool = Spool(self.listener.spool_folder)
        return Reception(transaction.spool.append, max_size=self.max_size, is_repairing=self.listener.is_repairing)

    async def bdat(self, command: Command) -> Reply:
        size, is_last = _bdat(command.argument)
        transaction = self.transaction if self.transaction is not None and self.transaction.has_recipients else None
        if transaction is not None and transaction.reception is None:
            transaction.reception = self._receive(transaction)
        reception = transaction.reception if transaction is not None else None
        if size + (reception.size if reception else 0) > hopeless(self.max_size):
            raise Ended(replies.TOO_LARGE_BY_FAR(most=self.max_size))
        self._is_receiving = True
        await read_chunk(self.channel, size, reception.take_chunk if reception else discard)
        self._is_receiving = False
        if transaction is None or reception is None:
            return replies.NO_RECIPIENTS
        if is_last:
            return await self._finish(transaction, reception)
        if reception.is_too_large:  # the chunks that follow meet no transaction
            self._drop_transaction()
            return replies.TOO_LARGE(most=reception.max_size)
        return replies.CHUNK_OK(size=size)

    async def _finish(self, transaction: Transaction, reception: Reception) -> Reply:
        """Judge and store what was received; the transaction is over in any case."""
        self._is_storing = True
        try:
            reply = await transaction.finish(reception)
        finally:
            self._is_storing = False
            self._drop_transaction()
        if not reply.is_refusal:
            self._errors = self._refused_recipients = self._idle_commands = 0
        return reply

    def _drop_transaction(self) -> None:
        if self.transaction is not None:
            self.transaction.close()
            self.transaction = None

    # --- the rest ---------------------------------------------------------------------------------------------------------------
    async def rset(self, command: Command) -> Reply:
        self._count_idle()
        self._drop_transaction()
        return replies.OK

    async def noop(self, command: Command) -> Reply:
        self._count_idle()
        return replies.OK

    async def vrfy(self, command: Command) -> Reply:
        self._count_idle()
        return replies.CANNOT_VERIFY

    async def expn(self, command: Command) -> Reply:
        return replies.NOT_IMPLEMENTED

    async def help(self, command: Command) -> Reply:
        self._count_idle()
        return replies.HELP

    async def quit(self, command: Command) -> Reply:
        return replies.BYE


VERBS: dict[str, Callable[[Session, Command], Awaitable[Reply | None]]] = {
    "EHLO": Session.ehlo, "HELO": Session.hello, "STARTTLS": Session.starttls, "AUTH": Session.auth,
    "MAIL": Session.mail, "RCPT": Session.rcpt, "DATA": Session.data, "BDAT": Session.bdat,
    "RSET": Session.rset, "NOOP": Session.noop, "VRFY": Session.vrfy, "EXPN": Session.expn, "HELP": Session.help, "QUIT": Session.quit,
}  # fmt: skip


def _bdat(argument: str) -> tuple[int, bool]:
    """`BDAT size [LAST]` (RFC 3030, section 2)."""
    size, _, last = argument.partition(" ")
    if not size.isascii() or not size.isdigit() or len(size) > 20 or last.upper() not in ("", "LAST"):
        raise Ended(replies.BAD_CHUNK)  # what follows cannot be told from commands
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
