"""One message of a person, taken by the way that an app's mail takes: the same credential, limits,
suppressions and checks, the same completion and signature, the same commit.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _

from deliveries.backends.database import Database, DatabaseUnavailable
from deliveries.intake.committer import Intake
from deliveries.intake.group_commits import IntakeUnavailable
from deliveries.intake.long_lines import NotText
from deliveries.intake.submission import (
    Arrival,
    Envelope,
    MemoryBody,
    Receipt,
    Recipient,
    SubmittedMessage,
)
from deliveries.message.priorities import Priority
from domains.foundation.text.addresses import Address, parse_path
from smtp_listener.admission import policy
from smtp_listener.admission.accounts import Account, Accounts
from smtp_listener.admission.limits import Counters, Quotas
from smtp_listener.admission.message_quota import MessageQuota
from smtp_listener.admission.policy import Refused
from smtp_listener.protocol import replies
from suppressions.lookup import Lookup, Question

BY_HAND = "local"  # after "with" in the Received field: no client's connection brought it


class NotTaken(Exception):
    """The message was not taken; the text is for the person who hands it in."""


@dataclass(frozen=True, slots=True)
class HandedIn:
    """A message for one recipient.

    `token`: the same one again is the same message, however often the form is sent.
    """

    credential_id: int
    mail_from: Address | None
    recipient: Address
    data: bytes
    token: str


async def hand_in(handed: HandedIn) -> Receipt:
    """Hand it in as an app would; it is committed when this returns. Raises `NotTaken`."""
    try:
        async with _way_in() as way:
            return await way.take(handed)
    except Refused as error:
        raise NotTaken(_("It was not taken, as an app would be told: %s") % error.reply.text) from (
            error
        )
    except NotText as error:
        raise NotTaken(_("It was not taken: %s") % error) from error
    except (DatabaseUnavailable, IntakeUnavailable) as error:
        raise NotTaken(
            _("It is not known to be stored, by a fault of our own. Send the form once more.")
        ) from error


@asynccontextmanager
async def _way_in() -> AsyncIterator[_WayIn]:
    database, counters, intake = Database("ekiden by hand"), Counters(settings.REDIS_URL), None
    try:
        intake = Intake.create()
        await intake.start()
        yield _WayIn(Accounts(database), Lookup(database), Quotas(counters), intake)
    finally:
        if intake is not None:
            await intake.close()
        await counters.close()
        await database.close()


@dataclass(frozen=True, slots=True)
class _WayIn:
    accounts: Accounts
    suppressions: Lookup
    quotas: Quotas
    intake: Intake

    async def take(self, handed: HandedIn) -> Receipt:
        account = await self.accounts.numbered(handed.credential_id)
        if account is None:
            raise NotTaken(_("That credential is revoked. Choose another one of the project."))
        submission = await self._checked(handed, account)
        quota = MessageQuota(account, self.quotas, self.accounts)
        await quota.take()
        is_new = False
        try:
            receipt = await self.intake.accept(submission)
            is_new = not receipt.is_repeat
        finally:
            if not is_new:
                await quota.give_back()
        return receipt

    async def _checked(self, handed: HandedIn, account: Account) -> SubmittedMessage:
        most = min(settings.EKIDEN_MAX_MESSAGE_SIZE, account.max_size or len(handed.data))
        if len(handed.data) > most:
            raise Refused(replies.TOO_LARGE(most=most))
        if handed.recipient.is_relay_trick:
            raise Refused(replies.RELAY_DENIED)
        needs_utf8 = handed.recipient.needs_smtputf8 or bool(
            handed.mail_from and handed.mail_from.needs_smtputf8
        )
        try:
            policy.check_sender(handed.mail_from, account.senders)
            checked = policy.check_message(
                handed.data, account.senders, smtputf8=True, hostname=settings.EKIDEN_HOSTNAME
            )
        except policy.NotAllowed as error:
            raise error.told(account) from error
        if not account.takes_foreign_names:
            policy.check_names(checked.headers, account.senders)
        await self._check_suppression(handed, account)
        return SubmittedMessage(
            sender=account.sender,
            envelope=Envelope(
                handed.mail_from.wire if handed.mail_from else "",
                (Recipient(handed.recipient.wire, handed.recipient.key, handed.recipient.domain),),
                smtputf8=needs_utf8 or policy.needs_smtputf8(checked.headers),
            ),
            arrival=Arrival(None, settings.EKIDEN_HOSTNAME, BY_HAND),
            headers=checked.headers,
            body=MemoryBody(handed.data[checked.body_start :]),
            header_from=checked.header_from,
            from_domain=checked.from_domain,
            eight_bit=not handed.data.isascii(),
            priority=min(Priority(account.priority), Priority(account.highest_priority)),
            idempotency_key=f"by hand {handed.token}",
        )

    async def _check_suppression(self, handed: HandedIn, account: Account) -> None:
        """Refuse a suppressed recipient, also where an app's mail would be taken and dropped: a
        person is there to be told.
        """
        to, sender = handed.recipient, handed.mail_from.domain if handed.mail_from else ""
        question = Question(account.project_id, to.key, to.domain, sender)
        if (reason := await self.suppressions.reason(question)) is not None:
            raise Refused(replies.SUPPRESSED(reason=reason))


def token_of(form: uuid.UUID, to: Address) -> uuid.UUID:
    """Return what makes the message of a form one, however often it is sent to this recipient.

    Who goes back, corrects the address and sends the form again means another message.
    """
    return uuid.uuid5(form, to.key)


def reverse_path(text: str) -> Address | None:
    """Return the address of an envelope that was taken before; None for the null one."""
    return parse_path(text, smtputf8=True) if text else None
