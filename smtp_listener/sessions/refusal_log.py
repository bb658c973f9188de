"""Writes down what a client was refused: in the log, and for an app in a row."""

from __future__ import annotations

from deliveries.backends import maillog
from smtp_listener.protocol import commands, replies
from smtp_listener.protocol.replies import ServerReply
from smtp_listener.sessions.client import Client
from smtp_listener.sessions.transaction import Transaction

KEPT = frozenset({"MAIL", "RCPT", "DATA", "BDAT"})  # commands whose refusal an app gets a row for

FOLLOWING = (replies.NO_MAIL, replies.NO_RECIPIENTS)  # what follows from a refused MAIL


class RefusalLog:
    """Belongs to one session, and knows what it was refused before."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.failed: Transaction | None = None  # the one whose content this command had refused
        # What MAIL was refused with, and its reverse-path, until anything else is answered.
        self._refused_mail: tuple[ServerReply, str] | None = None

    def accepted(self) -> None:
        """Note that a command went well."""
        self._refused_mail = None

    def note(
        self, reply: ServerReply, verb: str, argument: str, current: Transaction | None
    ) -> None:
        """Write down one refusal; `current` is the transaction that is open.

        An app gets a row, since many clients call a message sent though a recipient was refused.
        """
        client = self._client
        transaction, self.failed = self.failed or current, None
        mail_from = (
            transaction.mail_from.wire
            if transaction is not None and transaction.mail_from is not None
            else ""
        )
        recipients = transaction.recipients if transaction is not None else []
        if verb == "MAIL":
            mail_from, recipients = commands.path_in(argument), []
        elif verb == "RCPT":
            recipients = [commands.path_in(argument)]
        credential = client.account.credential_id if client.account is not None else None
        # What a pipelining client has sent after a refused MAIL is refused as well: one line in the
        # log, not three; and a row for each recipient, which says why MAIL was refused.
        why, mail_from, is_known = self._cause(reply, verb, mail_from)
        is_new = not is_known or verb == "RCPT"
        if client.account is not None and verb in KEPT and is_new and not why.is_our_fault:
            client.listener.refusals.note(
                client.account, why, command=verb, mail_from=mail_from, recipients=recipients
            )
        if not is_known and client.may_log():
            maillog.refused(
                client=str(client.client), code=reply.code, text=reply.text, command=verb or "?",
                mail_from=mail_from, recipients=recipients,
                credential=credential,
            )  # fmt: skip

    def _cause(
        self, reply: ServerReply, verb: str, mail_from: str
    ) -> tuple[ServerReply, str, bool]:
        """Return what the refusal comes from, with its reverse-path, and whether that is a refused
        MAIL which is written down already.
        """
        if self._refused_mail is not None and reply in FOLLOWING:
            return *self._refused_mail, True
        self._refused_mail = (reply, mail_from) if verb == "MAIL" else None
        return reply, mail_from, False
