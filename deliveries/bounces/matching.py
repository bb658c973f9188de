"""Finds the delivery that a report is about: by the return path it came to, by our own tokens in it, or by Message-ID and recipient."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from deliveries.bounces import feedback_id, findings, return_path
from deliveries.bounces.keys import feedback_key, return_path_key
from deliveries.bounces.original import Original
from deliveries.bounces.report import Report
from deliveries.bounces.tokens import ForgedToken
from deliveries.models import Delivery, InboundMail
from deliveries.states import State
from domains.addresses import BadAddress, parse_path

MOST = 50  # recipients of one report that are looked for


@dataclass(frozen=True, slots=True)
class Match:
    """The deliveries, locked. `is_proven`: the report holds a token of ours, which nobody has who did not get the message."""

    deliveries: list[Delivery]
    is_proven: bool


class Unmatched(Exception):
    """No delivery, or several that it could be; `finding` says so."""

    def __init__(self, finding: str) -> None:
        super().__init__(finding)
        self.finding = finding


def returned(mail: InboundMail, report: Report, about: Original) -> Match:
    """The deliveries that a bounce is about; raises `Unmatched`."""
    return _by_token(mail, report, about) or _by_message_id(report, about)


def complained_of(mail: InboundMail, report: Report, about: Original) -> Match:
    """As `returned`, by tokens alone: anybody can write a complaint, and it silences a customer."""
    if (found := _by_token(mail, report, about)) is None:
        raise Unmatched(findings.NO_PROOF)
    return found


def _by_token(mail: InboundMail, report: Report, about: Original) -> Match | None:
    named = mail.delivery_id or _proven_delivery(about.return_paths)
    if named is not None:
        if (found := _locked().filter(pk=named).first()) is None:
            raise Unmatched(findings.NO_DELIVERY)
        return Match([found], is_proven=True)
    message = _proven_message(about.feedback_ids)
    return Match(_of_message(message, report), is_proven=True) if message else None


def _proven_delivery(paths: Iterable[str]) -> UUID | None:
    now = timezone.now()
    for path in paths:
        local_part, _, domain = path.rpartition("@")
        if domain.lower() == settings.EKIDEN_HOSTNAME and return_path.is_ours(local_part):
            try:
                return return_path.parse(local_part, key=return_path_key(), now=now)
            except return_path.ForgedReturnPath:
                continue
    return None


def _proven_message(tokens: Iterable[str]) -> UUID | None:
    for token in tokens:
        try:
            return feedback_id.parse(token, key=feedback_key())
        except ForgedToken:
            continue
    return None


def _by_message_id(report: Report, about: Original) -> Match:
    """Of what was delivered, and as long as its project keeps its log. Message-IDs are the apps' own: two may have the same."""
    keys = _keys(report)
    asked = _locked().filter(message__message_id__in=about.message_ids, recipient_key__in=keys, state=State.DELIVERED)
    found = [delivery for delivery in asked[:MOST] if _is_kept(delivery)] if about.message_ids and keys else []
    if not found:
        raise Unmatched(findings.UNMATCHED)
    if len({delivery.message_id for delivery in found}) > 1:
        raise Unmatched(findings.SEVERAL)
    return Match(found, is_proven=False)


def _is_kept(delivery: Delivery) -> bool:
    return delivery.message.accepted_at > timezone.now() - timedelta(days=delivery.project.log_days)


def _of_message(message: UUID, report: Report) -> list[Delivery]:
    """Its recipients whom the report names; the only one, where it names none (many providers leave the address out)."""
    everybody = _locked().filter(message=message)
    if found := list(everybody.filter(recipient_key__in=_keys(report))[:MOST]):
        return found
    alone = list(everybody[:2])
    if len(alone) != 1:
        raise Unmatched(findings.SEVERAL if alone else findings.NO_DELIVERY)
    return alone


def _locked() -> QuerySet[Delivery]:
    return Delivery.objects.select_for_update(of=("self",)).select_related("message", "project", "lane").order_by("id")


def _keys(report: Report) -> set[str]:
    return {key for fate in report.fates[:MOST] if (key := key_of(fate.recipient))}


def key_of(address: str) -> str:
    """The key of an address as a report writes it, or ""."""
    try:
        return parse_path(address.strip().strip("<>"), smtputf8=True).key
    except BadAddress:
        return ""
