"""One-click unsubscription (RFC 8058): the header fields that offer it, and what is done when one
is used.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from django.conf import settings

from deliveries.backends import job_queues
from deliveries.bounces.keys import unsubscribe_key
from deliveries.intake.submission import SubmittedMessage
from domains.foundation.secrets import tokens
from suppressions.models import Occurrence, OccurrenceKind, Suppression

logger = logging.getLogger("ekiden.mail")

_USE = b"unsubscribe"
_PROJECT = 8  # octets
FIELDS = "List-Unsubscribe: <{url}>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"


@dataclass(frozen=True, slots=True)
class Wish:
    """Whose mail the recipient wants no more of.

    The token holds it, so that it works as long as the mail is kept.
    """

    project_id: int
    address_key: str


def fields(submission: SubmittedMessage) -> bytes:
    """Return the fields for a message to one recipient, where the project wants them and the app
    brings none of its own; else nothing.

    All recipients of a message get the same bytes, so with several nobody could tell who clicked.
    """
    recipients = submission.envelope.recipients
    is_wanted = (
        submission.sender.adds_unsubscribe and settings.EKIDEN_PUBLIC_URL and len(recipients) == 1
    )
    if not is_wanted or submission.headers.all(b"list-unsubscribe"):
        return b""
    url = url_of(Wish(submission.sender.project_id, recipients[0].key))
    # A line has 998 octets (RFC 5322, section 2.1.1).
    return FIELDS.format(url=url).encode() if len(url) <= 900 else b""


def url_of(wish: Wish) -> str:
    payload = wish.project_id.to_bytes(_PROJECT, "big") + wish.address_key.encode()
    return (
        f"{settings.EKIDEN_PUBLIC_URL.rstrip('/')}/u/"
        f"{tokens.make(payload, key=unsubscribe_key(), use=_USE)}/"
    )


def read(token: str) -> Wish:
    """Read the wish that a token holds; raise `tokens.ForgedToken`."""
    payload = tokens.parse(token, size=None, key=unsubscribe_key(), use=_USE)
    try:
        return Wish(int.from_bytes(payload[:_PROJECT], "big"), payload[_PROJECT:].decode())
    except UnicodeDecodeError as error:  # of ours all are text
        raise tokens.ForgedToken("not an address") from error


def unsubscribe(wish: Wish, *, client: str | None) -> bool:
    """Learn of it; false where it is known already.

    Repeats are harmless: mail programs ask more than once.

    One that nobody has handled yet is known as well: who has the link could write rows without end
    while nobody looks at them.
    """
    if Suppression.objects.filter(
        project=wish.project_id, address_key=wish.address_key, source="unsubscribe"
    ).exists():
        return False
    if Occurrence.objects.filter(
        project=wish.project_id, address_key=wish.address_key, kind="unsubscribe", is_void=False
    ).exists():
        return False
    Occurrence.objects.create(
        project_id=wish.project_id, address_key=wish.address_key, kind=OccurrenceKind.UNSUBSCRIBE,
        category="", is_hard=False,
        host=client or "", text="One-click unsubscription (RFC 8058)",
    )  # fmt: skip
    logger.info(
        "event=unsubscribed project=%s to=<%s> client=%s", wish.project_id, wish.address_key, client
    )
    job_queues.call("deliveries.jobs.learn")
    return True
