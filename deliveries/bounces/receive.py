"""Takes what comes to port 25, reads it later, and has done what it calls for.

Nothing here is ever answered.
"""

from __future__ import annotations

import asyncio
import logging
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from deliveries.backends import maillog
from deliveries.backends.database import Database
from deliveries.bounces import consequences, matching, original, parsed_report, vouching
from deliveries.bounces.findings import FOR_A_PERSON, NO_REPORT, OTHER_KIND, UNREADABLE
from deliveries.bounces.parser import read
from deliveries.classification import loaded_rules
from deliveries.message import compression
from deliveries.message.ids import new_id
from deliveries.models import InboundKind, InboundMail
from deliveries.queue.expiry import GRACE
from domains.foundation import sql
from domains.models import ItemKind
from domains.operations.isolation import isolated, passed_over

logger = logging.getLogger(__name__)

LARGEST = 52_428_800

STORE = """
INSERT INTO deliveries_inboundmail (id, received_at, kind, delivery_id, domain_id, mail_from,
    client_address, data, finding)
VALUES (%(id)s, now(), %(kind)s, %(delivery)s, %(domain)s, %(mail_from)s, %(client)s, %(data)b, '')
"""

# A receiver may answer before the ledger has written down that it took the mail: PostgreSQL may
# have been away meanwhile. So what is about a delivery in hand waits, but no longer than one is.
NEXT = f"""
SELECT id FROM deliveries_inboundmail WHERE handled_at IS NULL AND kind <> 'dmarc'
    AND {passed_over(ItemKind.INBOUND, id="deliveries_inboundmail.id")}
    AND NOT EXISTS (SELECT FROM deliveries_delivery sent
        WHERE sent.id = deliveries_inboundmail.delivery_id AND sent.claim <> 0
            AND received_at > now() - interval '{GRACE}')
ORDER BY id LIMIT 1
"""  # noqa: S608  (put together from constants)


async def receive(
    database: Database,
    *,
    kind: str,
    delivery_id: UUID | None,
    mail_from: str,
    client_address: str | None,
    compressed: bytes,
    domain_id: int | None = None,
) -> UUID:
    """Store one mail of port 25; committed when this returns, read later by `handle_all`."""
    id_ = new_id()
    given = {
        "id": id_,
        "kind": kind,
        "delivery": delivery_id,
        "domain": domain_id,
        "mail_from": mail_from,
        "client": client_address,
        "data": compressed,
    }
    await database.fetch(STORE, given)
    maillog.inbound(id_, kind=kind, delivery=delivery_id, client=client_address)
    return id_


async def compressed(data: bytes) -> bytes:
    """Compress mail in the form that `receive` stores; large mail in a thread."""
    if len(data) <= compression.LARGE:
        return compression.compress(data, (), size=len(data))
    return await asyncio.to_thread(compression.compress, data, (), size=len(data))


def handle_all() -> None:
    """Read every report that nobody has read yet; one that cannot be read is passed over."""
    loaded_rules.load()
    while (mail := sql.value(NEXT)) is not None:
        with isolated(ItemKind.INBOUND, mail, may_kill=True):
            handle(mail)


@transaction.atomic
def handle(mail_id: UUID) -> None:
    """Read one; a second call finds it handled and does nothing."""
    mail = (
        InboundMail.objects.select_for_update().filter(pk=mail_id, handled_at__isnull=True).first()
    )
    if mail is None:
        return
    mail.finding = _finding(mail)[:500]
    mail.handled_at = timezone.now()
    mail.save(update_fields=["finding", "handled_at", "delivery_id"])


def _finding(mail: InboundMail) -> str:
    """Do what a mail asks for; return what was done, in the words that are kept with it."""
    if mail.kind == InboundKind.FORENSIC:
        return FOR_A_PERSON
    try:
        data = compression.decompress(bytes(mail.data), most=LARGEST)
    except ValueError as error:
        return f"{UNREADABLE}: {error}"
    report = read(data)
    try:
        if report.kind is parsed_report.ReportKind.COMPLAINT:
            found = matching.find(
                mail, report, original.read(data), vouched=lambda: vouching.is_vouched_for(data)
            )
            return consequences.complaint(mail, report, found)
        if report.kind is parsed_report.ReportKind.BOUNCE:
            return consequences.bounce(
                mail, report, matching.find(mail, report, original.read(data))
            )
    except matching.Unmatched as error:
        return error.finding
    if mail.kind != InboundKind.REPORT:
        return FOR_A_PERSON
    return (
        NO_REPORT
        if report.kind is parsed_report.ReportKind.NONE
        else f"{OTHER_KIND}: {report.kind}"
    )
