"""Reads the DMARC reports that came to port 25, apart from bounces, which never wait for them."""

from __future__ import annotations

import logging
from collections.abc import Collection
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from deliveries.bounces import findings, receive
from deliveries.bounces.mime import take_apart
from deliveries.message import compression
from deliveries.models import InboundMail
from domains.foundation import sql
from domains.foundation.text import texts
from domains.identity import own_addresses
from domains.models import Domain, ItemKind
from domains.operations.isolation import isolated, passed_over
from domains.reporting import aggregate, keeping, unpacking
from domains.reporting.unpacking import UnreadableReport

logger = logging.getLogger(__name__)

MAIL_MOST = 15_728_640  # bytes with the largest report in base64, and what stands around it
AT_ONCE = 500  # reports of one turn

NEXT = f"""
SELECT id FROM deliveries_inboundmail WHERE handled_at IS NULL AND kind = 'dmarc'
    AND {passed_over(ItemKind.INBOUND, id="deliveries_inboundmail.id")}
ORDER BY id LIMIT 1
"""  # noqa: S608  (put together from constants)


def read_all() -> int:
    """Return how many were read; what is left is for the next turn."""
    ours: Collection[str] | None = None
    for count in range(AT_ONCE):
        if (mail := sql.value(NEXT)) is None:
            return count
        ours = own_addresses.known_now() if ours is None else ours
        with isolated(ItemKind.INBOUND, mail, may_kill=True):
            read(mail, ours)
    return AT_ONCE


@transaction.atomic
def read(mail_id: UUID, ours: Collection[str]) -> None:
    """Read one; a second call finds it handled and does nothing."""
    mail = (
        InboundMail.objects.select_for_update().filter(pk=mail_id, handled_at__isnull=True).first()
    )
    if mail is None:
        return
    mail.finding, is_kept = _finding(mail, ours)
    if is_kept:
        mail.data = b""  # all that counts of it stands in rows now
    mail.handled_at = timezone.now()
    mail.save(update_fields=["finding", "handled_at", "data"])


def _finding(mail: InboundMail, ours: Collection[str]) -> tuple[str, bool]:
    """Return what became of the mail, and whether its rows are kept."""
    if (domain := Domain.objects.filter(pk=mail.domain_id or 0).first()) is None:
        return findings.DMARC_NO_DOMAIN, False
    try:
        report = aggregate.read(unpacking.pieces(_file(bytes(mail.data))))
        keeping.keep(domain, report, ours=ours)
    except UnreadableReport as error:
        return f"{findings.DMARC_UNREADABLE}: {texts.one_line(str(error), 300)}", False
    except keeping.KnownReport as error:
        return f"{findings.DMARC_KNOWN}: {texts.one_line(str(error), 300)}", True
    except keeping.OtherDomain as error:
        return f"{findings.DMARC_OTHER}: {texts.one_line(str(error), 300)}", False
    said = f"{report.organization} {report.report_id}"
    logger.info(
        "event=dmarc-report domain=%s from=%r messages=%d",
        domain.name, report.organization, report.messages,
    )  # fmt: skip
    return f"{findings.DMARC_READ}: {texts.one_line(said, 300)}", True


def _file(compressed: bytes) -> bytes:
    """Return the report among the mail's parts; raise `UnreadableReport` where there is none."""
    try:
        data = compression.decompress(compressed, most=receive.LARGEST)
    except ValueError as error:
        raise UnreadableReport(str(error)) from error
    _fields, parts = take_apart(data, most=MAIL_MOST)
    found = [part.body for part in parts if unpacking.looks_packed(part.body)]
    if not found:
        raise UnreadableReport("no part of the mail is one")
    return next((body for body in found if body.lstrip()[:1] != b"<"), found[0])
