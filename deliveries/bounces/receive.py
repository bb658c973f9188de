"""Takes what comes to port 25, and lets failure reports at a return path move the delivery they name."""

from __future__ import annotations

import asyncio
import logging
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from deliveries import codec, maillog
from deliveries.bounces.report import Fate, Kind, Report, read
from deliveries.db import Database
from deliveries.ids import new_id
from deliveries.models import Attempt, Delivery, InboundMail
from deliveries.states import State
from deliveries.verdict import owes_report
from suppressions.classes import Class

logger = logging.getLogger(__name__)

LARGEST = 52_428_800

# What was found, in the first words of the row's finding: English, and translated where it is shown.
UNREADABLE = _("cannot be read")
OTHER_KIND = _("a report of another kind")
OTHER_STATE = _("the delivery is in another state")
BOUNCED = _("the delivery has bounced")

STORE = """
INSERT INTO deliveries_inboundmail (id, received_at, kind, delivery_id, mail_from, client_address, data, finding)
VALUES (%(id)s, now(), %(kind)s, %(delivery)s, %(mail_from)s, %(client)s, %(data)b, '')
"""


async def receive(
    database: Database, *, kind: str, delivery_id: UUID | None, mail_from: str, client_address: str | None, data: bytes
) -> UUID:
    """Store one mail of port 25; committed when this returns, read later by `handle_all`."""
    id_ = new_id()
    given = {
        "id": id_,
        "kind": kind,
        "delivery": delivery_id,
        "mail_from": mail_from,
        "client": client_address,
        "data": await _compressed(data),
    }
    await database.fetch(STORE, given)
    maillog.inbound(id_, kind=kind, delivery=delivery_id, client=client_address)
    return id_


async def _compressed(data: bytes) -> bytes:
    if len(data) <= codec.LARGE:
        return codec.compress(data, (), size=len(data))
    return await asyncio.to_thread(codec.compress, data, (), size=len(data))


def handle_all() -> None:
    """Read every report that nobody has read yet."""
    while (mail := _next_unhandled()) is not None:
        handle(mail)


def _next_unhandled() -> UUID | None:
    unread = InboundMail.objects.filter(handled_at__isnull=True).order_by("id")
    return unread.values_list("pk", flat=True).first()


@transaction.atomic
def handle(mail_id: UUID) -> None:
    """Read one; a second call finds it handled and does nothing. Reports are never answered."""
    mail = InboundMail.objects.select_for_update().filter(pk=mail_id, handled_at__isnull=True).first()
    if mail is None:
        return
    mail.finding = _finding(mail)[:500]
    mail.handled_at = timezone.now()
    mail.save(update_fields=["finding", "handled_at"])


def _finding(mail: InboundMail) -> str:
    if mail.kind != InboundMail.Kind.REPORT or mail.delivery_id is None:
        return _("kept for a person to read")
    try:
        report = read(codec.decompress(bytes(mail.data), most=LARGEST))
    except ValueError as error:
        return f"{UNREADABLE}: {error}"
    if report.kind is Kind.NONE:
        return _("no delivery report")
    if report.kind is not Kind.BOUNCE:
        return f"{OTHER_KIND}: {report.kind}"
    return _bounce(mail.delivery_id, report)


def _bounce(delivery_id: UUID, report: Report) -> str:
    delivery = Delivery.objects.select_for_update().filter(pk=delivery_id).select_related("message", "project").first()
    if delivery is None:
        return _("the delivery it names is no longer stored")
    if delivery.state != State.DELIVERED:
        return f"{OTHER_STATE}: {delivery.state}"
    fate = _fate_of(delivery.recipient, report)
    if fate is None:
        return _("no delivery report")
    if fate.classified.class_ is Class.DELIVERED:
        return f"{OTHER_KIND}: {Kind.DELIVERED}"
    Attempt.objects.create(
        delivery=delivery, outcome="bounced", stage="report", host=report.reporter or fate.host, code=fate.code or None,
        enhanced=fate.enhanced[:11], text=fate.text,
    )  # fmt: skip
    delivery.state = State.BOUNCED
    delivery.owes_report = owes_report(delivery.message.mail_from, delivery.notify, delivery.project.sends_reports)
    delivery.save(update_fields=["state", "owes_report"])
    return f"{BOUNCED}: {fate.classified.class_}"


def _fate_of(recipient: str, report: Report) -> Fate | None:
    """The return path names one recipient; the report may call it by the address that it was forwarded to."""
    same = [fate for fate in report.fates if fate.recipient.lower() == recipient.lower()]
    return next(iter(same or report.fates), None)
