"""What a message's page says of its signatures, its return paths, and whether they align."""

from __future__ import annotations

from typing import Any

from django.db.models.functions import Substr
from django.utils.translation import gettext_lazy as _

from deliveries.authentication.alignment import Author, Degree, verdict
from deliveries.message import compression
from deliveries.message.signed_by import StatedSignature, signed_by
from deliveries.models import Attempt, Content, Message
from domains.identity.dmarc import DmarcRecord, parsed
from domains.models import Domain
from domains.senders.records import Purpose

BEGINNING = 65_536  # bytes, as they are stored, in which the signatures stand
PATHS_MOST = 5
DEGREES: dict[Degree, Any] = {
    "same": _("aligns with From: the same name"),
    "near": _("aligns with From (relaxed)"),
    "apart": _("does not align with From"),
}
VERDICTS: dict[str, Any] = {
    "both": _("Signature and return path align: either is enough for a receiver."),
    "signature": _(
        "It rests on the signature alone: where that breaks on the way, the message fails."
    ),
    "return_path": _("It rests on SPF alone, since no signature aligns: forwarded mail fails."),
    "none": _("Neither aligns: the message fails DMARC."),
    "unsent": _("The signature aligns. No host has been told a return path yet."),
    "unknown": _("The return path aligns. The signatures are kept no longer."),
}


def alignment_of(row: Message) -> dict[str, Any]:
    """Return what the template `deliveries/alignment.html` shows."""
    domain = _domain_of(row)
    author = author_of(row, domain)
    signatures = signatures_of(row)
    paths = return_paths(row)
    by_dkim = [author.degree(each.domain, "adkim") for each in signatures or ()]
    by_spf = [author.degree(each, "aspf") for each in paths]
    return {
        "signatures": [
            (each, *_badge(degree)) for each, degree in zip(signatures or (), by_dkim, strict=True)
        ],
        "is_unsigned": signatures == [],
        "paths": [(each, *_badge(degree)) for each, degree in zip(paths, by_spf, strict=True)],
        "is_null": not row.mail_from,
        "verdict": _sentence(by_dkim, by_spf, has_content=signatures is not None),
        "policy": author.policy,
        "domain": domain,
    }


def _badge(degree: Degree) -> tuple[Any, bool]:
    return DEGREES[degree], degree != "apart"


def _sentence(by_dkim: list[Degree], by_spf: list[Degree], *, has_content: bool) -> Any:
    """Return the verdict in words; "" where nothing can be told."""
    found = verdict(by_dkim, by_spf)
    if not has_content:
        return VERDICTS["unknown"] if found == "return_path" else ""
    if not by_spf:
        return VERDICTS["unsent"] if found == "signature" else ""
    return VERDICTS[found]


def author_of(row: Message, domain: Domain | None) -> Author:
    name = _author_domain(row)
    return Author(name, domain.name, _record_of(domain)) if domain else Author(name)


def signatures_of(row: Message) -> list[StatedSignature] | None:
    """Return by whom a message is signed; None where its content is kept no longer."""
    beginning = Content.objects.filter(pk=row.pk).values_list(Substr("data", 1, BEGINNING)).first()
    if beginning is None:
        return None
    return signed_by(compression.beginning(bytes(beginning[0]), most=2 * BEGINNING))


def return_paths(row: Message) -> list[str]:
    """Return the domains at which failures of this message come back, as hosts were told them."""
    used = (
        Attempt.objects.filter(delivery__message=row)
        .exclude(return_path="")
        .order_by("return_path")
    )
    return list(used.values_list("return_path", flat=True).distinct()[:PATHS_MOST])


def _author_domain(row: Message) -> str:
    return row.header_from.rpartition("@")[2].strip("> ").lower()


def _domain_of(row: Message) -> Domain | None:
    """Return the project's verified domain at or nearest above the author's."""
    labels = _author_domain(row).split(".")
    names = [".".join(labels[at:]) for at in range(len(labels))]
    found = Domain.objects.verified().filter(project=row.project_id, name__in=names)
    return max(found, key=lambda each: len(each.name), default=None)


def _record_of(domain: Domain) -> DmarcRecord | None:
    """Return the DMARC record that the last check found at the domain."""
    texts = [
        parsed(domain.name, text)
        for finding in domain.findings
        if finding.get("purpose") == Purpose.DMARC.value
        for text in finding.get("found") or ()
    ]
    records = [each for each in texts if each is not None]
    return records[0] if len(records) == 1 else None
