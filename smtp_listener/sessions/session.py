"""One client's session: what each command does, what the client has become by it, and when the
session is over.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from math import inf

from deliveries.backends.database import DatabaseUnavailable
from smtp_listener.admission.accounts import Account
from smtp_listener.admission.policy import Refused
from smtp_listener.protocol import commands, replies
from smtp_listener.protocol.channel import Channel, Ended
from smtp_listener.protocol.commands import BadCommand, Command
from smtp_listener.protocol.reception import Reception
from smtp_listener.protocol.replies import ServerReply
from smtp_listener.sessions.ports import Port
from smtp_listener.sessions.refusal_log import RefusalLog
from smtp_listener.sessions.shared import Shared
from smtp_listener.sessions.transaction import Transaction

logger = logging.getLogger(__name__)

# What each command does to a session (`smtp_listener.sessions.verbs`).
Verbs = Mapping[str, Callable[["Session", Command], Awaitable[ServerReply | None]]]

# Since the last message that was taken. An app may send to many suppressed addresses, and be told
# so for each.
MAX_ERRORS = 20
MAX_REFUSED_RECIPIENTS = 1000
SHORT_WORDS = 0.5  # seconds that a session which gives way has to be told so
MAX_IDLE_COMMANDS = 100  # NOOP, RSET, VRFY and the like


class Session:
    """Lives as long as its channel; nobody cancels its task, so that a commit under way always
    ends.
    """

    def __init__(self, listener: Shared, port: Port, channel: Channel, verbs: Verbs) -> None:
        self.id = listener.next_session_id()
        self.listener = listener
        self.port = port
        self.channel = channel
        self._verbs = verbs
        self.client = channel.client
        self.helo = ""
        self.is_extended = False
        self.account: Account | None = None
        self.transaction: Transaction | None = None
        self.username = ""
        self.is_receiving = False
        self._is_storing = self._has_spoken = False
        self._refusals = RefusalLog(self)
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

    # --- its life ---------------------------------------------------------------------------------
    async def run(self) -> None:
        if refusal := self.listener.admit(self, self.port.name):
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

    async def _turn_away(self, refusal: ServerReply) -> None:
        """Refuse the client; without a word on a port of implicit TLS, since the limit saves us
        from a handshake for each of a flood.
        """
        if not self.port.is_implicit_tls:
            self.channel.say(refusal)
        await self.channel.finish()

    async def _converse(self) -> None:
        if self.port.is_implicit_tls:
            await self.channel.begin_with_tls(self.listener.certificate.context)
        await self._greet()
        while True:
            line = await self.channel.line(commands.MAX_LINE)
            if not self._has_spoken:
                self._has_spoken = True
                self.channel.until = self.port.until(self.account, self.channel)
            reply = (
                await self._answer(line)
                if line is not None
                else self._refuse(replies.LINE_TOO_LONG, "")
            )
            self.channel.say(reply)
            if reply is not None and reply.closes:
                raise Ended
            if self.listener.is_draining and self.transaction is None:
                raise Ended(replies.SHUTTING_DOWN)

    async def _greet(self) -> None:
        if self.port.is_submission:
            # Then it is asked for its credential like anybody else.
            with suppress(DatabaseUnavailable):
                self.account = await self.listener.accounts.trusted(self.client)
        if self.account is not None:
            self.make_known()
        if self.channel.buffer:
            raise Ended(replies.EARLY_TALKER)
        self.channel.say_raw(f"220 {self.listener.hostname} ESMTP")

    async def _answer(self, line: bytes) -> ServerReply | None:
        """Reply to one command; a fault of ours is answered, and the session goes on."""
        verb, command = "", None
        try:
            command = commands.parse(line)
            act = self._verbs.get(command.verb)
            if act is None:
                return self._refuse(replies.UNKNOWN_COMMAND, verb)
            verb = command.verb
            if verb in commands.SYNCHRONISING and self.channel.buffer:
                raise Ended(
                    replies.TLS_INJECTED if verb == "STARTTLS" else replies.PIPELINED(verb=verb)
                )
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
            if self.is_receiving:  # the rest of the content would be taken for commands
                raise Ended(replies.OUR_LAST_FAULT) from None
            self.drop_transaction()
            reply = replies.OUR_FAULT
        if reply is not None and reply.is_refusal:
            return self._refuse(reply, verb, command)
        self._refusals.accepted()
        return reply

    def _refuse(self, reply: ServerReply, verb: str, command: Command | None = None) -> ServerReply:
        argument = command.argument if command is not None else ""
        self._refusals.note(reply, verb, argument, self.transaction)
        if reply.is_our_fault:
            pass  # a client that keeps trying while we are ill does what it should
        elif verb == "RCPT" and self.account is not None:
            self._refused_recipients += 1
        else:
            self._errors += 1
        if not reply.closes and (
            self._errors >= MAX_ERRORS or self._refused_recipients >= MAX_REFUSED_RECIPIENTS
        ):
            self.channel.say(reply)
            raise Ended(replies.TOO_MANY_ERRORS)
        return reply

    def may_log(self) -> bool:
        """Tell whether one more line about this client is written; of an app many are."""
        lines = self.listener.app_lines if self.account is not None else self.listener.guest_lines
        return lines.allows(self.client)

    def count_idle(self) -> None:
        self._idle_commands += 1
        if self._idle_commands > MAX_IDLE_COMMANDS:
            raise Ended(replies.TOO_MANY_COMMANDS)

    async def _end(self) -> None:
        self.drop_transaction()
        with suppress(Exception):  # the peer may be gone in any way
            await self.channel.finish()
        self.listener.release(self, self.port.name)
        await self.leave()

    def drain(self) -> None:
        """Tell a client that has nothing under way at once that the listener is ending."""
        if self.channel.is_waiting and self.transaction is None:
            self.channel.interrupt(replies.SHUTTING_DOWN)

    def cut(self) -> None:
        """Interrupt the session, but for a commit under way: that is waited for, and answered."""
        if not self._is_storing:
            self.channel.interrupt(replies.SHUTTING_DOWN)

    def give_way(self) -> bool:
        """Leave for somebody else; not where what it handed in is being stored."""
        if not self._is_storing:
            self.channel.interrupt(replies.GAVE_WAY, seconds=SHORT_WORDS)
        return not self._is_storing

    def give_up(self) -> None:
        """End the session: its commit takes too long.

        Nobody knows whether it succeeds. If so, the message is recognised when it comes again.
        """
        self.channel.interrupt(replies.OUR_LAST_FAULT)

    # --- what commands make of it -----------------------------------------------------------------
    def greeted_by(self, helo: str, *, is_extended: bool) -> None:
        self.drop_transaction()
        self.helo, self.is_extended = helo, is_extended

    def drop_transaction(self) -> None:
        if self.transaction is not None:
            self.transaction.close()
            self.transaction = None

    async def finish(self, transaction: Transaction, reception: Reception) -> ServerReply:
        """Judge and store what was received; the transaction is over in any case."""
        self._is_storing = True
        try:
            reply = await transaction.finish(reception)
        except BaseException:
            self._refusals.failed = transaction
            raise
        finally:
            self._is_storing = False
            self.drop_transaction()
        if reply.is_refusal:
            self._refusals.failed = transaction
        else:
            self._errors = self._refused_recipients = self._idle_commands = 0
        return reply

    # --- who it is --------------------------------------------------------------------------------
    @property
    def is_logged_in(self) -> bool:
        return self.account is not None and self.account.kind == "password"

    def make_known(self) -> None:
        """Note that it has shown who it is: it gives way to nobody, and has an app's time."""
        self.channel.until = inf
        self.listener.make_known(self, self.port.name)

    async def enter(self, account: Account) -> None:
        """Count this session among the credential's; anew with each message, since an old count is
        forgotten.
        """
        if account.max_sessions is None:
            return
        if await self.listener.quotas.enter(account.credential_id, self.id) > account.max_sessions:
            await self.listener.quotas.leave(account.credential_id, self.id)
            raise Refused(replies.TOO_MANY_CREDENTIAL_SESSIONS(most=account.max_sessions))

    async def leave(self) -> None:
        if self.account is not None and self.account.max_sessions is not None:
            await self.listener.quotas.leave(self.account.credential_id, self.id)

    async def current_account(self) -> Account:
        """Return the account as it stands now: revoked and changed credentials take effect in an
        open session too. Raise `Ended` for those, and `Refused` where nobody has logged in.
        """
        if self.account is None:
            raise Refused(replies.AUTH_REQUIRED if self.tls else replies.NEEDS_TLS)
        accounts = self.listener.accounts
        account = await (
            accounts.named(self.username) if self.is_logged_in else accounts.trusted(self.client)
        )
        if account is None or not account.is_open_to(self.client):
            raise Ended(replies.REVOKED)
        self.account = account
        self.note_use(account)
        return account

    def note_use(self, account: Account) -> None:
        self.listener.accounts.note_use(account.credential_id, self.client)


def _explain(error: BadCommand) -> ServerReply:
    match error.reason:
        case "line":
            return replies.BAD_LINE
        case "syntax":
            return replies.BAD_SYNTAX(
                syntax="MAIL FROM:<address> or RCPT TO:<address>, then a blank and parameters"
            )
        case "parameter":
            return replies.BAD_PARAMETER(name=error.name)
        case "value":
            return replies.BAD_VALUE(name=error.name)
        case _:
            return replies.UNKNOWN_COMMAND
