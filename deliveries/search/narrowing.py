"""Narrows messages by time, sender, recipient domain, receiver, state and class, as a page's
address says it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from deliveries.message.ids import first_id_of
from deliveries.models import Attempt, Delivery, Destination, Lane, Message
from deliveries.models.states import FAILED, DeliveryState
from deliveries.search.lookups import SearchScope, with_terms
from domains.foundation.text.addresses import BadAddress, canonical_domain
from domains.foundation.text.texts import storable
from suppressions.classes import MEANINGS

# of the newest that match; what lies further back is found by a narrower time
MATCHED_MOST = 1000
LANES_MOST = 20
DOMAINS_MOST = 100  # of one receiver, those that got mail last
WAITS = "live"
SPANS = {
    "1h": timedelta(hours=1),
    "24h": timedelta(days=1),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
NAMES = (
    "span", "from", "to", "project", "credential", "sender", "domain", "receiver", "state", "class",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What was asked for; "" and None ask for nothing. Domains are A-labels."""

    since: datetime | None = None
    until: datetime | None = None
    project: int | None = None
    credential: int | None = None
    sender: str = ""
    domain: str = ""
    receiver: str = ""
    state: str = ""
    category: str = ""

    def __bool__(self) -> bool:
        return self != Narrowing()

    def scope(self, projects: Sequence[int] | None) -> SearchScope:
        """Return whose messages are looked through by a person who may see these projects."""
        if self.project is not None:
            known = projects is None or self.project in projects
            projects = [self.project] if known else []
        return SearchScope(projects, self.since, self.until)


def narrowing_of(asked: Any, *, now: datetime) -> Narrowing:
    """Read a page's address; what makes no sense asks for nothing."""
    span = SPANS.get(asked.get("span", ""))
    state, category = asked.get("state", ""), asked.get("class", "")
    return Narrowing(
        since=now - span if span else _moment(asked.get("from", "")),
        until=None if span else _moment(asked.get("to", "")),
        project=_number(asked.get("project", "")),
        credential=_number(asked.get("credential", "")),
        sender=_domain(asked.get("sender", "")),
        domain=_domain(asked.get("domain", "")),
        receiver=storable(asked.get("receiver", "")).strip().lower()[:253],
        state=state if state in (WAITS, *DeliveryState.values) else "",
        category=category if category in MEANINGS else "",
    )


def in_own_zone(asked: dict[str, str]) -> dict[str, str]:
    """Return what was asked with its times in the reader's zone, for who reads it in another."""
    times = {name: moment for name in ("from", "to") if (moment := _moment(asked.get(name, "")))}
    return asked | {name: moment.isoformat() for name, moment in times.items()}


def as_typed(text: str) -> str:
    """Write a time of an address for the browser's field, in the reader's time zone."""
    moment = _moment(text)
    if moment is None:
        return text
    typed = timezone.localtime(moment).replace(tzinfo=None)
    return typed.isoformat(timespec="auto" if typed.second or typed.microsecond else "minutes")


def narrow(
    rows: QuerySet[Message], asked: Narrowing, scope: SearchScope, *, most: int = MATCHED_MOST
) -> tuple[QuerySet[Message], bool]:
    """Return those of the rows that match: all by time and project, of the rest the newest `most`.

    True with them says that there may be older ones.
    """
    rows = rows.filter(pk__gte=scope.since, pk__lt=scope.until)
    if scope.projects is not None:
        rows = rows.filter(project__in=scope.projects)
    ids = _by_terms(asked, scope, most)
    is_cut = ids is not None and len(ids) >= most
    if asked.state or asked.category:
        ids, is_full = _by_outcome(asked, scope, ids, most)
        is_cut = is_cut or is_full
    return (rows if ids is None else rows.filter(pk__in=ids)), is_cut


def _by_terms(asked: Narrowing, scope: SearchScope, most: int) -> list[UUID] | None:
    needed = [
        *([f"credential:{asked.credential}"] if asked.credential is not None else []),
        *([f"from:@{asked.sender}"] if asked.sender else []),
        *([f"to:@{asked.domain}"] if asked.domain else []),
    ]
    if asked.receiver:
        found = {
            id_
            for domain in _domains_of(asked.receiver)
            for id_ in with_terms([*needed, f"to:@{domain}"], scope, most=most)
        }
        return sorted(found, reverse=True)[:most]
    return with_terms(needed, scope, most=most) if needed else None


def _domains_of(receiver: str) -> list[str]:
    """Return the recipient domains that lead to hosts of this name."""
    lanes = Lane.objects.filter(site__icontains=receiver).values_list("pk", flat=True)[:LANES_MOST]
    led = Destination.objects.filter(lane__in=list(lanes)).order_by("-expires_at")
    return list(led.values_list("domain", flat=True)[:DOMAINS_MOST])


def _by_outcome(
    asked: Narrowing, scope: SearchScope, ids: list[UUID] | None, most: int
) -> tuple[list[UUID], bool]:
    rows = Delivery.objects.filter(pk__gte=scope.since)
    if asked.until:
        rows = rows.filter(message__lt=first_id_of(asked.until))
    if scope.projects is not None:
        rows = rows.filter(project__in=scope.projects)
    if asked.state == WAITS:
        rows = rows.live()
    elif asked.state:
        rows = rows.filter(state=asked.state)
    else:  # what arrived has no class
        rows = rows.filter(Q(state__in=FAILED) | Q(ended_at__isnull=True))
    if asked.category:
        rows = rows.filter(
            Exists(Attempt.objects.filter(delivery=OuterRef("pk"), category=asked.category))
        )
    if ids is not None:
        rows = rows.filter(message__in=ids)
    found = list(rows.order_by("-pk").values_list("message_id", flat=True)[:most])
    return found, len(found) >= most


def _moment(text: str) -> datetime | None:
    """Read a time as the browser's field writes it, in the reader's time zone, or return None."""
    try:
        moment = parse_datetime(text)
    except ValueError:
        return None
    if moment is None or not 1970 < moment.year < 3000:
        return None
    return timezone.make_aware(moment) if timezone.is_naive(moment) else moment


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _domain(text: str) -> str:
    try:
        return canonical_domain(text.strip().lstrip("@")) if text.strip() else ""
    except BadAddress:
        return storable(text).strip().lower()[:253]  # nothing has that domain, and that is shown
