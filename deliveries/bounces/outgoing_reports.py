"""Sends the reports that failed and delayed deliveries owe their senders: each exactly once, with
the null reverse-path.
"""

from __future__ import annotations

import logging
import time
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext

from deliveries.backends import job_queues, maillog
from deliveries.bounces.report_text import ReportedFailure, compose
from deliveries.message import compression
from deliveries.message.headers import parse, split
from deliveries.message.ids import new_id
from deliveries.models import Attempt, Content, Delivery, Message
from deliveries.models.states import DeliveryState
from deliveries.smtp.outcomes import Stage
from domains.foundation.secrets.keyring import KeyRing
from domains.foundation.text.addresses import Address, BadAddress, parse_path
from domains.models import ItemKind, SigningKey
from domains.operations.isolation import is_free, isolated
from domains.senders import dkim
from suppressions.classes import MEANINGS, Class

logger = logging.getLogger(__name__)

BATCH = 50
# a larger message comes back as its header section, even where RET=FULL asked for all
LARGEST_RETURN = 1_048_576


def issue() -> int:
    """Send all that are owed; returns how many that were."""
    total = 0
    while count := _issue_batch():
        total += count
        job_queues.enqueue_drain()
    return total


@transaction.atomic
def _issue_batch() -> int:
    """Send the reports of one batch; return how many deliveries it held.

    The report's rows and the end of the debt are one transaction: no report is lost, none is sent
    twice. One that cannot be written stays owed, and is passed over.
    """
    owed = Delivery.objects.owing_reports().filter(is_free(ItemKind.REPORT)).order_by("id")
    mine = list(
        owed.select_for_update(skip_locked=True, of=("self",)).select_related("message")[:BATCH]
    )
    for delivery in mine:
        with isolated(ItemKind.REPORT, delivery.pk):
            _send(delivery)
            Delivery.objects.filter(pk=delivery.pk).update(owes_report=False)
    return len(mine)


def _send(delivery: Delivery) -> None:
    try:
        sender = parse_path(delivery.message.mail_from, smtputf8=True)
    except BadAddress:  # taken under an older grammar: there is nobody to tell
        return
    now = timezone.now()
    failure = _failure(delivery)
    data = _signed(compose(failure, hostname=settings.EKIDEN_HOSTNAME, now=now))
    message = Message.objects.create(
        project_id=delivery.project_id,
        origin=Message.Origin.REPORT,
        header_from=f"postmaster@{settings.EKIDEN_HOSTNAME}",
        message_id=f"<{delivery.pk}.{failure.kind}@{settings.EKIDEN_HOSTNAME}>",
        size=len(data),
        recipient_count=1,
        eight_bit=not data.isascii(),
        smtputf8=sender.needs_smtputf8,
    )
    Content.objects.create(message=message, data=compression.compress(data, (), size=len(data)))
    _queue(message, sender, delivery)
    log = partial(
        maillog.reported,
        message.pk,
        delivery=delivery.pk,
        of=delivery.message_id,
        recipient=sender.wire,
    )
    transaction.on_commit(log)


def _signed(data: bytes) -> bytes:
    """Sign with the active keys of the host name, if it is a verified domain: then they are aligned
    with From.
    """
    keys = SigningKey.objects.active().filter(
        domain__name=settings.EKIDEN_HOSTNAME.lower(), domain__verified_at__isnull=False
    )
    if not (found := list(keys.select_related("domain"))):
        return data
    try:
        ring = KeyRing.open(settings.EKIDEN_DATA / "keys" / "ring", create=False)
        signers = [
            dkim.Signer(
                key.domain.name, key.selector, dkim.load_private_key(ring.decrypt(key.private_key))
            )
            for key in found
        ]
    except ValueError as error:  # a key that cannot be read is no reason to tell nobody
        logger.error("a report leaves unsigned: %s", error)
        return data
    section, start = split(data)
    fields = [(field.name, field.raw) for field in parse(section)]
    return (
        dkim.sign(fields, dkim.body_hash(data[start:]), signers=signers, now=int(time.time()))
        + data
    )


def _advice(category: str, *, is_final: bool) -> tuple[str, str]:
    """Say what the last answer means and what to do, in English and in Japanese."""
    meaning = MEANINGS[Class(category)] if category else None
    advice = (meaning.final_advice if is_final else meaning.advice) if meaning else ""
    said = []
    for language in ("en", "ja"):
        with translation.override(language):
            said.append("\n".join(map(gettext, (meaning.explanation, advice))) if meaning else "")
    return said[0], said[1]


def _queue(message: Message, sender: Address, failed: Delivery) -> None:
    lifetime = failed.expires_at - failed.message.accepted_at
    Delivery.objects.create(
        id=new_id(),
        message=message,
        project_id=failed.project_id,
        recipient=sender.wire,
        recipient_key=sender.key,
        domain=sender.domain,
        notify="NEVER",
        expires_at=timezone.now() + lifetime,
    )


def _failure(delivery: Delivery) -> ReportedFailure:
    message = delivery.message
    last = (
        Attempt.objects.filter(delivery=delivery)
        .exclude(stage__in=(Stage.EXPIRY, Stage.CLAIM))
        .order_by("-id")
        .first()
    )
    content, is_whole = _returned_content(message)
    return ReportedFailure(
        delivery=delivery.pk,
        message=message.pk,
        sender=message.mail_from,
        recipient=delivery.recipient,
        orcpt=delivery.orcpt,
        envid=message.envid,
        accepted_at=message.accepted_at,
        ended_at=delivery.ended_at or timezone.now(),
        has_expired=delivery.state == DeliveryState.EXPIRED,
        retried_until=delivery.expires_at if delivery.is_live else None,
        host=last.host if last else "",
        code=last.code if last else None,
        enhanced=last.enhanced if last else "",
        text=last.text if last else "",
        content=content,
        is_whole=is_whole,
        advice=_advice(last.category if last else "", is_final=not delivery.is_live),
    )


def _returned_content(message: Message) -> tuple[bytes, bool]:
    data = _content(message.pk, most=message.size)
    if message.ret == "FULL" and len(data) <= LARGEST_RETURN:
        return data, True
    return split(data)[0], False


def _content(message: UUID, *, most: int) -> bytes:
    kept = Content.objects.filter(pk=message).first()
    try:
        return compression.decompress(bytes(kept.data), most=most) if kept else b""
    except ValueError:  # a damaged original is no reason not to say that it failed
        return b""
