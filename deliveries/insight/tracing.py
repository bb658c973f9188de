"""What became of a message: its deliveries, their attempts, and why those that wait do.

It only reads.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, TypedDict
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from deliveries.insight import transcripts
from deliveries.insight import wait_reasons as waiting
from deliveries.insight.looked_up import LookedUp
from deliveries.insight.source_waits import why_no_source
from deliveries.insight.transcripts import TranscriptLine
from deliveries.models import Attempt, Delivery, Lane, Message, Resending, Stop
from domains.foundation import sql
from domains.foundation.text.addresses import BadAddress, parse_path
from domains.foundation.text.texts import storable
from domains.operations.audit_words import actor_label

NEWEST = 20
STOPPED = {
    Stop.Scope.PROJECT: gettext_lazy("Delivery for the project %s"),
    Stop.Scope.CREDENTIAL: gettext_lazy("Delivery for the credential %s"),
    Stop.Scope.DOMAIN: gettext_lazy("Delivery to the domain %s"),
}
AHEAD_MOST = 100_000  # counting further would only make a long line's trace slow

# Those that are due and go first. Within a priority the flows take turns, so this is how it looks
# if no flow has more than ours.
AHEAD = """
SELECT count(*) FROM (
    SELECT FROM deliveries_delivery
    WHERE ended_at IS NULL AND lane_id = %(lane)s AND due_at <= now()
      AND (priority > %(priority)s OR (priority = %(priority)s AND due_at < %(due_at)s))
    LIMIT %(most)s) before
"""


# A keyword cannot be a field of the class form.
class MessageFacts(TypedDict("MessageFacts", {"from": str})):
    """A message as `trace` tells it; `from` is the reverse-path, times are ISO 8601 in UTC."""

    id: str
    message_id: str
    size: int
    accepted_at: str
    resent_from: str | None
    resent_as: list[str]


class AttemptFacts(TypedDict("AttemptFacts", {"class": str | None})):  # as above
    """One event; what it does not have is null.

    `class` and `rule` say what the answer means, and by which rule.
    """

    at: str
    stage: str
    host: str | None
    source: str | None
    return_path: str | None
    tls: str | None
    code: int | None
    enhanced: str | None
    text: str
    rule: str | None
    transcript: list[TranscriptLine] | None


class DeliveryFacts(TypedDict):
    """One recipient; `due_at` and `waiting` are null once it has ended."""

    recipient: str
    state: str
    due_at: str | None
    waiting: str | None
    attempts: list[AttemptFacts]


class Trace(TypedDict):
    message: MessageFacts
    deliveries: list[DeliveryFacts]


def trace(query: str) -> list[Trace]:
    """Tell what became of the messages that `query` names, newest first, at most 20.

    It is a queue id, a Message-ID with or without its angle brackets, or a recipient's address; of
    the last, only that recipient's deliveries are told.
    """
    now = timezone.now()
    return [
        Trace(
            message=_message_facts(message),
            deliveries=[_delivery_facts(delivery, now=now) for delivery in deliveries],
        )
        for message, deliveries in _found(storable(query).strip())
    ]


def _found(query: str) -> Iterable[tuple[Message, Sequence[Delivery]]]:
    if messages := list(_messages(query)[:NEWEST]):
        deliveries = _grouped(Delivery.objects.filter(message__in=messages).order_by("id"))
        return [(message, deliveries[message.pk]) for message in messages]
    deliveries = _grouped(_to_recipient(query))
    return [
        (message, deliveries[message.pk])
        for message in Message.objects.filter(pk__in=deliveries).order_by("-id")
    ]


def _messages(query: str) -> Any:  # a MessageQuerySet, whose type the plugin loses on slicing
    try:
        return Message.objects.filter(pk=UUID(query))
    except ValueError:
        return Message.objects.with_message_id(query).order_by("-id")


def _to_recipient(query: str) -> Iterable[Delivery]:
    try:
        key = parse_path(query.strip("<>"), smtputf8=True).key
    except BadAddress:
        return []
    return Delivery.objects.to_address(key).order_by("-id")[:NEWEST]


def _grouped(deliveries: Iterable[Delivery]) -> dict[UUID, list[Delivery]]:
    """Group deliveries by message, with their lanes and attempts read."""
    ids = [delivery.pk for delivery in deliveries]
    grouped: dict[UUID, list[Delivery]] = defaultdict(list)
    for delivery in (
        Delivery.objects.filter(pk__in=ids)
        .select_related("lane")
        .prefetch_related("attempts")
        .order_by("id")
    ):
        grouped[delivery.message_id].append(delivery)
    return grouped


def _message_facts(message: Message) -> MessageFacts:
    return {
        "id": str(message.pk),
        "message_id": message.message_id,
        "from": message.mail_from,
        "size": message.size,
        "accepted_at": _iso(message.accepted_at),
        "resent_from": _original(message),
        "resent_as": [
            str(each)
            for each in Resending.objects.filter(original=message)
            .order_by("pk")
            .values_list("pk", flat=True)
        ],
    }


def _original(message: Message) -> str | None:
    first = Resending.objects.filter(message=message).first()
    return str(first.original_id) if first else None


def _delivery_facts(delivery: Delivery, *, now: datetime) -> DeliveryFacts:
    said = transcripts.of([delivery])
    return {
        "recipient": delivery.recipient,
        "state": delivery.state,
        "due_at": _iso(delivery.due_at) if delivery.due_at else None,
        "waiting": why_waiting(delivery, now=now),
        "attempts": [
            _attempt_facts(attempt, said.get((delivery.pk, attempt.at)))
            for attempt in delivery.attempts.all()
        ],
    }


def _attempt_facts(attempt: Attempt, said: list[TranscriptLine] | None) -> AttemptFacts:
    return {
        "at": _iso(attempt.at),
        "stage": attempt.stage,
        "host": attempt.host or attempt.address or None,
        "source": attempt.source or None,
        "return_path": attempt.return_path or None,
        "tls": attempt.tls or None,
        "code": attempt.code,
        "enhanced": attempt.enhanced or None,
        "text": attempt.text,
        "class": attempt.category or None,
        "rule": attempt.rule or None,
        "transcript": said,
    }


def why_waiting(delivery: Delivery, *, now: datetime, known: LookedUp | None = None) -> str | None:
    """Say in one sentence why a delivery waits; None once it has ended."""
    if delivery.due_at is None:
        return None
    lane, known = delivery.lane, known or LookedUp()
    is_leased = lane.leased_until is not None and lane.leased_until > now
    last = next(iter(sorted(delivery.attempts.all(), key=lambda attempt: -attempt.pk)), None)
    situation = waiting.Situation(
        due_at=delivery.due_at,
        domain=delivery.domain,
        site=site_name(lane),
        is_routing=lane.pk == Lane.ROUTING,
        is_claimed=delivery.claim != 0,
        # A claim of an older epoch is a dead worker's, whoever holds the lane now.
        is_leased=is_leased and delivery.claim in (0, lane.epoch),
        is_in_doubt=delivery.is_in_doubt,
        halt=_halt(delivery, stops_of(delivery, known)),
        is_held=delivery.hold == Delivery.Hold.HELD,
        is_parked=lane.pk == Lane.PARKED,
        per_second=lane.rate,
        rule="" if lane.pace.get("limit") == "learned" else lane.provider,
        paused_until=lane.paused_until,
        pause_reason=lane.pause_reason,
        answer=_answer(last) if last else "",
        ahead=_ahead(delivery, known) if delivery.due_at <= now else None,
        no_source=_no_source(delivery, known) if delivery.due_at > now else "",
    )
    return waiting.sentence(situation, now=now)


def stops_of(delivery: Delivery, known: LookedUp) -> list[Stop]:
    """List what is stopped that this delivery belongs to."""
    belongs = (delivery.project_id, delivery.flow, delivery.domain)
    return known.get(lambda: list(Stop.objects.covering(delivery)), "stops", *belongs)


def _halt(delivery: Delivery, covering: list[Stop]) -> waiting.Halt | None:
    """Return what is stopped that this delivery needs: all of it, its lane, or what it belongs to.

    A released one only needs the first two.
    """
    lane = delivery.lane
    stops = {stop.scope: stop for stop in covering}
    if (everything := stops.get(Stop.Scope.ALL)) is not None:
        return _halted_by(everything, _("All delivery"))
    if lane.closed_at is not None:
        return waiting.Halt(
            _("Delivery to %s") % site_name(lane),
            lane.closed_at,
            actor_label(lane.closed_by),
            lane.close_reason,
        )
    if delivery.hold == Delivery.Hold.RELEASED:
        return None
    for scope, words in STOPPED.items():
        if (stop := stops.get(scope)) is not None:
            return _halted_by(stop, words % stop)
    return None


def _halted_by(stop: Stop, what: str) -> waiting.Halt:
    return waiting.Halt(what, stop.created_at, actor_label(stop.created_by), stop.reason)


def site_name(lane: Lane) -> str:
    """Return the first of its hosts, which people know better than the whole list."""
    is_named = not lane.hosts or lane.smarthost_id is not None
    return lane.site if is_named else str(lane.hosts[0][1])


def _answer(attempt: Attempt) -> str:
    words = (
        str(attempt.code or ""),
        attempt.enhanced,
        attempt.text,
        f"({attempt.host})" if attempt.host else "",
    )
    return " ".join(filter(None, words))


def _no_source(delivery: Delivery, known: LookedUp) -> str:
    mail = (delivery.message_id, delivery.lane_id, delivery.domain, delivery.priority)
    return known.get(lambda: why_no_source(delivery), "source", *mail)


def _ahead(delivery: Delivery, known: LookedUp) -> int:
    given = {
        "lane": delivery.lane_id,
        "priority": delivery.priority,
        "due_at": delivery.due_at,
        "most": AHEAD_MOST,
    }
    return known.get(lambda: int(sql.value(AHEAD, given)), "ahead", *given.values())


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
