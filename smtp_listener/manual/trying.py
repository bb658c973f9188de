"""A test message of a credential to an address that a person gives."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from domains.foundation.text.addresses import Address, parse_path
from domains.models import Credential
from domains.senders.credentials import usual_sender
from smtp_listener.manual.handing_in import HandedIn, NotTaken, hand_in, token_of

Note = Callable[[Mapping[str, Any]], object]  # writes the act into the audit log


def send_test(credential: Credential, to: Address, *, token: uuid.UUID, note: Note) -> uuid.UUID:
    """Return the queue id of the message. Raises `NotTaken`.

    It is in the audit log before anything leaves, as is what is not taken after that.
    """
    address = usual_sender(credential)
    if address is None:
        raise NotTaken(_("Its project has no verified domain that it may send as."))
    sender = parse_path(address, smtputf8=True)
    note({"to": to.wire, "from": sender.wire})
    token = token_of(token, to)
    handed = HandedIn(credential.pk, sender, to, _written(sender, to, token), str(token))
    try:
        receipt = asyncio.run(hand_in(handed))
    except NotTaken as error:
        note({"to": to.wire, "from": sender.wire, "refused": str(error)})
        raise
    return uuid.UUID(receipt.queue_id)


def _written(sender: Address, to: Address, token: uuid.UUID) -> bytes:
    message = EmailMessage(policy=SMTP.clone(utf8=not to.wire.isascii()))
    message["From"], message["To"] = sender.wire, to.wire
    message["Subject"] = _("A test message")
    message["Date"] = format_datetime(timezone.now())
    message["Message-ID"] = f"<{token}.test@{settings.EKIDEN_HOSTNAME}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_("This message came through Ekiden. Somebody sent it to try the way."))
    return message.as_bytes()
