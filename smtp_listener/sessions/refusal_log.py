"""Writes down what a client was refused: in the log, and for an app in a row."""

from __future__ import annotations

from deliveries.backends import maillog
from smtp_listener.protocol import commands, replies
from smtp_listener.protocol.replies import ServerReply
from smtp_listener.sessions.client import Client
from smtp_listener.sessions.transaction import Transaction

KEPT = frozenset({"MAIL", "RCPT", "DATA", "BDAT"})  # commands whose refusal an app gets a row for


class RefusalLog:
    """Belongs to one session, and knows what it was refused before."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.failed: Transaction | None = None  # the one whose content this command had refused
        self._has_refused_mail = False

    def accepted(self) -> None:
        """Note that a command went well."""
        self._has_refused_mail = False

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
        if client.account is not None and verb in KEPT and not reply.is_our_fault:
            client.listener.refusals.note(
                client.account, reply, command=verb, mail_from=mail_from, recipients=recipients
            )
        # What a pipelining client has sent after a refused MAIL is refused as well: one line in the
        # log, not three.
        is_known = self._has_refused_mail and reply in (replies.NO_MAIL, replies.NO_RECIPIENTS)
        self._has_refused_mail = verb == "MAIL" or is_known
        if not is_known and client.may_log():
            maillog.refused(
                client=str(client.client), code=reply.code, text=reply.text, command=verb or "?",
                mail_from=mail_from, recipients=recipients,
                credential=credential,
            )  # fmt: skip
