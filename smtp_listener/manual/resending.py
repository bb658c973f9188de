"""A message that was taken before, sent again to a corrected address (RFC 5322, section 3.6.6)."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from deliveries.message import compression
from deliveries.message.headers import BadHeaders, parse, split
from deliveries.message.resent_fields import ResentBlock, resent
from deliveries.models import Content, Message, Resending
from domains.foundation.text.addresses import Address, BadAddress, parse_path
from domains.models import Credential
from smtp_listener.manual.handing_in import HandedIn, NotTaken, hand_in, reverse_path, token_of

LARGEST = 268_435_456  # bytes
Note = Callable[[Mapping[str, Any]], object]  # writes the act into the audit log


@dataclass(frozen=True, slots=True)
class Resend:
    """What a person asks for; `token` is that of the form."""

    original: Message
    recipient: Address
    credential: Credential
    by: str
    token: uuid.UUID


def resend(asked: Resend, note: Note) -> Resending:
    """Send it and link the two messages. Raises `NotTaken` with a sentence for the person.

    It is in the audit log before anything leaves: what is not taken after that is told there too.
    """
    handed = _handed_in(asked)
    facts = {"to": asked.recipient.wire, "credential": str(asked.credential)}
    note(facts)
    try:
        receipt = asyncio.run(hand_in(handed))
    except NotTaken as error:
        note(facts | {"refused": str(error)})
        raise
    with transaction.atomic():
        made, _is_new = Resending.objects.get_or_create(
            message_id=uuid.UUID(receipt.queue_id),
            defaults={
                "original": asked.original,
                "recipient": asked.recipient.wire,
                "by": asked.by,
            },
        )
    return made


def why_not(original: Message) -> str:
    """Say in one sentence why this message cannot be sent again; "" where it can."""
    if original.origin != Message.Origin.SUBMISSION:
        return _("This is a report of ours; it is not sent to anybody else.")
    if not Content.objects.filter(pk=original.pk).exists():
        days = original.project.content_days
        return _(
            "The content of this message is kept no longer (its project keeps it for %d days), so "
            "it cannot be sent again. Let the app send it anew."
        ) % (days)
    return ""


def _handed_in(asked: Resend) -> HandedIn:
    original = asked.original
    if reason := why_not(original):
        raise NotTaken(reason)
    if asked.credential.project_id != original.project_id:
        raise NotTaken(_("That credential is of another project."))
    content = Content.objects.get(pk=original.pk)
    try:
        data = compression.decompress(bytes(content.data), most=LARGEST)
        section, start = split(data)
        headers = parse(section)
        author = parse_path(original.header_from, smtputf8=True)
        mail_from = reverse_path(original.mail_from)
    except (BadAddress, BadHeaders, ValueError) as error:
        raise NotTaken(_("What is kept of this message cannot be read.")) from error
    token = token_of(asked.token, asked.recipient)
    block = ResentBlock(
        sender=author.wire,
        recipient=asked.recipient.wire,
        message_id=f"<{token}.resent@{settings.EKIDEN_HOSTNAME}>",
        at=timezone.now().replace(microsecond=0),
    )
    fields = resent(headers, block, signed_by=author.domain, unsubscribe_at=_unsubscribe_at())
    return HandedIn(
        credential_id=asked.credential.pk,
        mail_from=mail_from,
        recipient=asked.recipient,
        data=bytes(fields) + b"\r\n" + data[start:],
        token=str(token),
    )


def _unsubscribe_at() -> str:
    url = settings.EKIDEN_PUBLIC_URL.rstrip("/")
    return f"{url}/u/" if url else ""
