"""The transaction of an app: who may send it, what counts, and how it is stored."""

from __future__ import annotations

from deliveries.intake.group_commits import IntakeUnavailable
from deliveries.intake.long_lines import NotText
from deliveries.intake.submission import (
    Arrival,
    Body,
    Envelope,
    MemoryBody,
    Recipient,
    SubmittedMessage,
)
from deliveries.message.priorities import Priority, of_mt_priority
from domains.foundation.text.addresses import Address
from smtp_listener.admission import policy
from smtp_listener.admission.accounts import Account
from smtp_listener.admission.message_quota import MessageQuota
from smtp_listener.admission.policy import Refused
from smtp_listener.protocol import commands, replies
from smtp_listener.protocol.channel import Ended
from smtp_listener.protocol.commands import PathCommand
from smtp_listener.protocol.replies import ServerReply
from smtp_listener.protocol.spool import Spool
from smtp_listener.sessions.client import Client
from smtp_listener.sessions.transaction import (
    MAIL_PARAMETERS,
    Transaction,
    check_mail_parameters,
    check_names,
    path_of,
)
from suppressions.lookup import Question

SUBMISSION_MAIL_PARAMETERS = MAIL_PARAMETERS | {"RET", "ENVID", "AUTH", "MT-PRIORITY"}
SUBMISSION_RCPT_PARAMETERS = frozenset({"NOTIFY", "ORCPT"})


class SubmissionTransaction(Transaction):
    """A message of an app, for anybody."""

    def __init__(
        self,
        session: Client,
        account: Account,
        mail_from: Address | None,
        parameters: dict[str, str],
    ) -> None:
        super().__init__(session, mail_from, parameters)
        self.account = account
        self.ret = commands.ret(parameters["RET"]) if "RET" in parameters else ""
        self.envid = commands.envid(parameters["ENVID"]) if "ENVID" in parameters else ""
        self.asked = (
            of_mt_priority(commands.mt_priority(parameters["MT-PRIORITY"]))
            if "MT-PRIORITY" in parameters
            else None
        )
        self._quota = MessageQuota(account, session.listener.quotas, session.listener.accounts)
        self._place = session.listener.carrying.place()
        self._recipients: dict[str, Recipient] = {}
        self._repeats = 0

    @classmethod
    async def begin(cls, session: Client, given: PathCommand) -> SubmissionTransaction:
        """Begin a transaction with MAIL; raise `Refused`."""
        account = await session.current_account()
        if not session.listener.disk.has_room(is_for_apps=True):
            raise Refused(replies.STORAGE_FULL)
        if session.listener.turns.is_full and account.highest_priority < Priority.URGENT:
            raise Refused(replies.BUSY)
        check_mail_parameters(
            given.parameters, SUBMISSION_MAIL_PARAMETERS, max_size=session.max_size
        )
        mail_from = path_of(given.path, is_sender=True, smtputf8="SMTPUTF8" in given.parameters)
        try:
            policy.check_sender(mail_from, account.senders)
        except policy.NotAllowed as error:
            raise error.told(account) from error
        transaction = cls(session, account, mail_from, given.parameters)
        await session.enter(account)
        await transaction._quota.check()
        if transaction.may_be_urgent:
            session.listener.carrying.hasten()
        else:
            await transaction._place.wait()
        return transaction

    @property
    def has_recipients(self) -> bool:
        return bool(self._recipients)

    @property
    def recipients(self) -> list[str]:
        return [recipient.wire for recipient in self._recipients.values()]

    async def add_recipient(self, given: PathCommand) -> None:
        check_names(given.parameters, SUBMISSION_RCPT_PARAMETERS)
        most = self.account.max_recipients or self.session.listener.max_recipients
        if len(self._recipients) >= most or self._repeats >= most:
            raise Refused(replies.TOO_MANY_RECIPIENTS(most=most))
        address = path_of(given.path, is_sender=False, smtputf8=self.smtputf8)
        if address is None or address.is_relay_trick:
            raise Refused(replies.RELAY_DENIED)
        # Else the delivery ends as suppressed when its turn comes.
        if not self.account.drops_suppressed:
            await self._check_suppression(address)
        self._repeats += address.key in self._recipients
        self._recipients.setdefault(address.key, _recipient(address, given.parameters))

    async def _check_suppression(self, address: Address) -> None:
        sender = self.mail_from.domain if self.mail_from else ""
        question = Question(self.account.project_id, address.key, address.domain, sender)
        reason = await self.session.listener.suppressions.reason(question)
        if reason is not None:
            raise Refused(replies.SUPPRESSED(reason=reason))

    async def store(self, data: bytes) -> ServerReply:
        """Check and store a message, and return the answer.

        A client that hangs up now has its message stored all the same; handed in again, it is
        known.
        """
        assert self.spool is not None
        hostname = self.session.listener.hostname
        try:
            checked = policy.check_message(
                data, self.account.senders, smtputf8=self.smtputf8, hostname=hostname
            )
        except policy.NotAllowed as error:
            raise error.told(self.account) from error
        if not self.account.takes_foreign_names:
            policy.check_names(checked.headers, self.account.senders)
        asked = self._asked(checked.priority)
        priority = min(asked, Priority(self.account.highest_priority))
        if checked.priority is not None and priority >= Priority.URGENT:
            self.session.listener.urgent_by_header.add(self.account.credential_id)
        await self._wait_for_turn(priority)
        await self._quota.take()
        is_new = False
        try:
            submission = self._submission(checked, priority, self.spool, data)
            receipt = await self.session.listener.intake.accept(
                submission, prepared=self._place.leave
            )
            is_new = not receipt.is_repeat
        except IntakeUnavailable:
            return replies.OUR_FAULT
        except NotText as error:
            return replies.NOT_TEXT(why=error)
        finally:
            if not is_new:
                await self._quota.give_back()
        # Whoever brings it has it from us: our 250 would be the end of it, and nobody be told.
        if receipt.is_repeat and policy.is_coming_back(checked.headers, hostname, receipt.queue_id):
            return replies.LOOP(most=policy.MAX_RECEIVED)
        if priority < asked:
            return replies.QUEUED_LOWER(priority=priority.mt_priority, queue_id=receipt.queue_id)
        return replies.QUEUED(queue_id=receipt.queue_id)

    @property
    def may_be_urgent(self) -> bool:
        """Tell whether MAIL or the credential says so, or headers of its mail said so before."""
        if self.account.highest_priority < Priority.URGENT:
            return False
        if self.asked is not None:
            return self.asked >= Priority.URGENT
        return (
            self.account.priority >= Priority.URGENT
            or self.account.credential_id in self.session.listener.urgent_by_header
        )

    def close(self) -> None:
        self._place.leave()
        super().close()

    async def _wait_for_turn(self, priority: Priority) -> None:
        """Wait for the message's turn.

        Raise `Refused` where it would wait for too long, and `Ended` where the client is gone
        meanwhile: it has not heard that its message was taken, so it is not.
        """
        if priority < Priority.URGENT and self.session.listener.turns.is_full:
            raise Refused(replies.BUSY)
        await self.session.listener.turns.wait(
            priority, self.account.credential_id, self.session.id
        )
        if priority < Priority.URGENT:
            await self._place.wait()
        if self.session.channel.is_gone:
            raise Ended

    def _asked(self, by_header: Priority | None) -> Priority:
        """Return the priority: the envelope's word, else the header's, else the credential's."""
        if self.asked is not None:
            return self.asked
        return by_header if by_header is not None else Priority(self.account.priority)

    def _submission(
        self, checked: policy.Checked, priority: Priority, spool: Spool, data: bytes
    ) -> SubmittedMessage:
        body: Body = (
            MemoryBody(data[checked.body_start :])
            if spool.is_in_memory
            else spool.body(checked.body_start)
        )
        recipients = tuple(self._recipients.values())
        mail_from = self.mail_from.wire if self.mail_from else ""
        needs_utf8 = not (mail_from.isascii() and all(to.wire.isascii() for to in recipients))
        envelope = Envelope(
            mail_from,
            recipients,
            smtputf8=self.smtputf8 and (needs_utf8 or policy.needs_smtputf8(checked.headers)),
            envid=self.envid,
            ret=self.ret,
        )
        return SubmittedMessage(
            sender=self.account.sender,
            envelope=envelope,
            arrival=_arrival(self.session, self.smtputf8),
            headers=checked.headers,
            body=body,
            header_from=checked.header_from,
            from_domain=checked.from_domain,
            eight_bit=not spool.is_ascii,
            has_long_lines=self.has_long_lines,
            priority=priority,
            idempotency_key=checked.headers.value(b"x-idempotency-key").decode(
                "utf-8", "backslashreplace"
            ),
        )


def _recipient(address: Address, parameters: dict[str, str]) -> Recipient:
    notify = commands.notify(parameters["NOTIFY"]) if "NOTIFY" in parameters else ""
    orcpt = commands.orcpt(parameters["ORCPT"]) if "ORCPT" in parameters else ""
    return Recipient(address.wire, address.key, address.domain, notify, orcpt)


def _arrival(session: Client, smtputf8: bool) -> Arrival:
    """Name the protocol (RFC 3848; RFC 6531, section 4.3): ESMTP or UTF8SMTP, then S for TLS and A
    for AUTH.
    """
    protocol = "UTF8SMTP" if smtputf8 else "ESMTP" if session.is_extended else "SMTP"
    if protocol != "SMTP":
        protocol += "S" * bool(session.tls) + "A" * (
            session.account is not None and session.account.kind == "password"
        )
    return Arrival(str(session.client), session.helo, protocol, session.tls)
