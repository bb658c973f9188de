"""A test message through the real SMTP path: composed, handed to our own submission port as any
app would, and followed.
"""

from __future__ import annotations

import secrets
import smtplib
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from deliveries.insight import tracing
from deliveries.insight.tracing import Trace
from domains.foundation.process.own_address import own_address
from domains.models import Credential, Domain, Project
from domains.senders.credentials import issue, reissue

LOOK_EVERY = 0.2
OURS = "^send-[0-9a-f]{8}$"  # no person names a credential so


class NotSent(Exception):
    """The service did not take the message; the text is for the person who sent it."""


@dataclass(frozen=True, slots=True)
class Letter:
    sender: str
    recipients: Sequence[str]
    subject: str
    text: str


@contextmanager
def own_login(sender: str) -> Iterator[tuple[str, str]]:
    """Lend a credential for this one message, and revoke it when the block ends.

    Who may run this command may issue credentials anyway. Raise `NotSent` where no project has the
    sender's domain.
    """
    name = sender.rpartition("@")[2].lower()
    domain = Domain.objects.verified().filter(name=name).select_related("project").first()
    if domain is None:
        raise NotSent(
            f"No project has {name or sender!r} as a verified domain (./ekiden domain list)."
        )
    credential, secret = _issue(domain.project)
    try:
        yield credential.username or "", secret
    finally:
        credential.revoke(now=timezone.now())


@transaction.atomic
def _issue(project: Project) -> tuple[Credential, str]:
    """Take the credential that an earlier message used, so that they do not pile up.

    A new one is issued where each is in use.
    """
    ours = (
        Credential.objects.revoked()
        .filter(project=project, name__regex=OURS)
        .select_for_update(skip_locked=True)
    )
    idle = ours.order_by("pk").first()
    return (
        (idle, reissue(idle))
        if idle is not None
        else issue(project, f"send-{secrets.token_hex(4)}")
    )


def hand_in(letter: Letter, login: tuple[str, str]) -> str:
    """Hand the letter in and return its queue id; raise `NotSent` with the service's own answer."""
    try:
        with smtplib.SMTP(
            own_address(), settings.EKIDEN_SUBMISSION_PORT, local_hostname="localhost", timeout=60
        ) as client:
            client.starttls(context=_context())
            client.login(*login)
            options = [] if (letter.sender + "".join(letter.recipients)).isascii() else ["SMTPUTF8"]
            _checked(client.mail(letter.sender, options))
            for recipient in letter.recipients:
                _checked(client.rcpt(recipient))
            code, answer = client.data(compose(letter))
            _checked((code, answer))
    except smtplib.SMTPAuthenticationError as error:
        raise NotSent(_said(error.smtp_code, error.smtp_error)) from error
    except (smtplib.SMTPException, OSError) as error:
        where = f"{own_address()}:{settings.EKIDEN_SUBMISSION_PORT}"
        raise NotSent(
            f"The submission port {where} does not answer as it should: {error} (./ekiden status)"
        ) from error
    return answer.decode("ascii", "replace").split()[-1]


def compose(letter: Letter) -> bytes:
    message = EmailMessage(policy=SMTP.clone(utf8=not letter.sender.isascii()))
    message["From"], message["To"], message["Subject"] = (
        letter.sender,
        ", ".join(letter.recipients),
        letter.subject,
    )
    message["Date"] = format_datetime(timezone.now())
    message.set_content(letter.text + "\n")
    return message.as_bytes()


def follow(queue_id: str, *, seconds: float, show: Callable[[Trace], None]) -> Trace:
    """Show the message's trace whenever it has changed, until every recipient has ended or the
    time is over; the last one.
    """
    until = time.monotonic() + seconds
    shown = None
    while True:
        [found] = tracing.trace(queue_id)
        if found != shown:
            show(found)
            shown = found
        if (
            all(delivery["due_at"] is None for delivery in found["deliveries"])
            or time.monotonic() > until
        ):
            return found
        time.sleep(LOOK_EVERY)


def _context() -> ssl.SSLContext:
    """Encrypt without verifying: this machine's certificate may be self-signed or for another
    name.
    """
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _checked(answer: tuple[int, bytes]) -> None:
    if answer[0] >= 300:
        raise NotSent(_said(*answer))


def _said(code: int, text: bytes | str) -> str:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"The service answered: {code} {words}"
