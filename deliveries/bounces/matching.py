"""Finds the deliveries that a report is about, and says whether it proves to be about them.

Only what nobody has who did not get the mail proves: the delivery's own return path or token, as
long as it lasts, and for a complaint the DKIM signature of a provider that is known to send
feedback. All else finds, and proves nothing: Message-ID and recipient stand in every copy, and so
did the token that older versions gave to all recipients alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from deliveries.bounces import feedback_id, findings, return_path
from deliveries.bounces.feedback_id import Token
from deliveries.bounces.keys import feedback_key, return_path_key
from deliveries.bounces.original import Original
from deliveries.bounces.parsed_report import Report
from deliveries.models import Delivery, InboundMail
from deliveries.models.states import DeliveryState
from domains.foundation.secrets.tokens import ForgedToken
from domains.foundation.text.addresses import BadAddress, parse_path
from domains.foundation.upkeep.retention import days_before
from domains.senders import return_paths

MOST = 50  # recipients of one report that are looked for


@dataclass(frozen=True, slots=True)
class Match:
    """The deliveries, locked.

    Without `is_proven` it is only a claim that the report is about them.
    """

    deliveries: list[Delivery]
    is_proven: bool


class Unmatched(Exception):
    """No delivery, or several that it could be; `finding` says so."""

    def __init__(self, finding: str) -> None:
        super().__init__(finding)
        self.finding = finding


def find(
    mail: InboundMail,
    report: Report,
    about: Original,
    *,
    vouched: Callable[[], bool] = lambda: False,
) -> Match:
    """Return the deliveries that a report is about; raise `Unmatched` where there are none.

    `vouched`: who sent it is known, and would not make it up.
    """
    known = list(_tokens(about))
    proven = mail.delivery_id or next((token.delivery for token in known if token.is_current), None)
    if proven is not None:
        return Match([_one(proven)], is_proven=True)
    ended = next((token.delivery for token in known if token.delivery is not None), None)
    if ended is not None:
        return Match([_one(ended)], is_proven=vouched())
    message = next((token.message for token in known if token.message is not None), None)
    found = _of_message(message, report) if message is not None else _by_message_id(report, about)
    return Match(found, is_proven=vouched())


def _tokens(about: Original) -> Iterator[Token]:
    """Yield the tokens of ours that the report shows, those of return paths first."""
    now = timezone.now()
    for path in about.return_paths:
        local_part, _, domain = path.rpartition("@")
        if return_path.is_ours(local_part) and return_paths.is_taken(domain):
            try:
                yield Token(
                    return_path.parse(local_part, key=return_path_key(), now=now), is_current=True
                )
            except return_path.ForgedReturnPath:
                continue
    for value in about.feedback_ids:
        try:
            yield feedback_id.parse(value, key=feedback_key(), now=now)
        except ForgedToken:
            continue


def _one(delivery: UUID) -> Delivery:
    if (found := _locked().filter(pk=delivery).first()) is None:
        raise Unmatched(findings.NO_DELIVERY)
    return found


def _by_message_id(report: Report, about: Original) -> list[Delivery]:
    """Find delivered recipients by Message-ID, as long as their project keeps its log.

    Raises `Unmatched` where nothing is found, or messages of several ids: apps write Message-IDs
    themselves and may repeat one.
    """
    keys = _keys(report)
    asked = _locked().filter(
        message__message_id__in=about.message_ids,
        recipient_key__in=keys,
        state=DeliveryState.DELIVERED,
    )
    found = (
        [delivery for delivery in asked[:MOST] if _is_kept(delivery)]
        if about.message_ids and keys
        else []
    )
    if not found:
        raise Unmatched(findings.UNMATCHED)
    if len({delivery.message_id for delivery in found}) > 1:
        raise Unmatched(findings.SEVERAL)
    return found


def _is_kept(delivery: Delivery) -> bool:
    kept_since = days_before(timezone.now(), delivery.project.log_days)
    return delivery.message.accepted_at > kept_since


def _of_message(message: UUID, report: Report) -> list[Delivery]:
    """Find the recipients of a message that the report names; many providers leave the address out,
    and then its only recipient is meant.

    Raises `Unmatched` where no recipient, or more than one, could be meant.
    """
    everybody = _locked().filter(message=message)
    if found := list(everybody.filter(recipient_key__in=_keys(report))[:MOST]):
        return found
    alone = list(everybody[:2])
    if len(alone) != 1:
        raise Unmatched(findings.SEVERAL if alone else findings.NO_DELIVERY)
    return alone


def _locked() -> QuerySet[Delivery]:
    return (
        Delivery.objects.select_for_update(of=("self",))
        .select_related("message", "project", "lane")
        .order_by("id")
    )


def _keys(report: Report) -> set[str]:
    return {key for fate in report.fates[:MOST] if (key := key_of(fate.recipient))}


def key_of(address: str) -> str:
    """Return the key of an address as a report writes it, or ""."""
    try:
        return parse_path(address.strip().strip("<>"), smtputf8=True).key
    except BadAddress:
        return ""
