"""A source that a receiver blocks rests there, and only there: longer each time.

Which answers block us is a table, `deliveries.shaping.backoff`: they close the lane at once. Here
the lane that is closed becomes a rest of its source, so that its mail goes by others.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import F, Q

from deliveries.models import (
    Lane,
    ShapingRule,
    Source,
    SourceBlock,
    SourceRest,
    SourceState,
    WarmUpDay,
)
from deliveries.queue.wakeups import notify_now
from deliveries.routing.egress import BY_SITE, called
from domains.foundation.text.texts import one_line
from domains.models import ItemKind, OwnLight
from domains.operations import audit
from domains.operations.isolation import isolated

logger = logging.getLogger("ekiden.mail")

ACTOR = "rest"
FIRST = timedelta(hours=4)
LONGEST = timedelta(days=7)
REMEMBERED = timedelta(days=30)  # a block after a longer time is a first one again
LISTED = "block list"
# Who is known to ask which list: Yahoo's answers BL21 and BL23 name Spamhaus
# (deliveries.shaping.worldwide_answers). At others a listing only raises the alert.
ASKED_BY = {"zen.spamhaus.org": ("yahoo",)}
UNNAMED = timedelta(minutes=1)  # that a lane may take to note which receiver it writes to

NO_CONDITION = Q()


def take_turn(*, now: datetime) -> None:
    """End the rests that are over, and let rest what was blocked."""
    for rest in SourceRest.objects.filter(until__lte=now).select_related("source"):
        with isolated(ItemKind.STEP, f"rest {rest}", lasting=False):
            end(rest, reason="Its time is over.", by=ACTOR, only=Q(until__lte=now))
    closed = Lane.objects.filter(home__isnull=False, closed_at__isnull=False, closed_by="")
    for lane in closed.order_by("id"):
        with isolated(ItemKind.STEP, f"rest of lane {lane.pk}", lasting=False):
            _look_at(lane, now=now)
    rest_where_listed(now=now)


def rest_where_listed(*, now: datetime) -> None:
    """Let a source rest at receivers that ask a block list on which it stands; end that with it."""
    listed = OwnLight.objects.filter(check_name__in=ASKED_BY)
    for light in listed.filter(light="bad"):
        found = Source.objects.filter(Q(ipv4=light.address) | Q(ipv6=light.address)).first()
        if found is None or found.state not in (SourceState.WARM, SourceState.WARMING):
            continue
        for receiver in ASKED_BY[light.check_name]:
            with isolated(ItemKind.STEP, f"rest {found.name} {receiver}", lasting=False):
                _rest_listed(found, receiver, light, now=now)
    well = {(each.address, each.check_name) for each in listed.filter(light="good")}
    for rest in SourceRest.objects.filter(created_by=LISTED).select_related("source"):
        zone = rest.reason.partition(":")[0]
        if any((address, zone) in well for address in rest.source.addresses):
            with isolated(ItemKind.STEP, f"rest {rest}", lasting=False):
                said = f"It is not on {zone} any more."
                end(rest, reason=said, by=LISTED, only=Q(created_by=LISTED))


def _rest_listed(source: Source, receiver: str, light: OwnLight, *, now: datetime) -> None:
    """Rest a source until the list has it no more; where a person ended that rest, the same entry
    does not begin it again.
    """
    last = source.blocks.filter(receiver=receiver).first()
    if source.rests.filter(receiver=receiver).exists() or (
        last is not None and last.at >= light.changed_at
    ):
        return
    said = one_line(f"{light.check_name}: {light.address} {light.given.get('detail', '')}", 500)
    SourceBlock.objects.create(source=source, receiver=receiver, at=now, seconds=0, reply=said)
    SourceRest.objects.create(source=source, receiver=receiver, reason=said, created_by=LISTED)
    logger.warning("event=source-rests source=%s receiver=%s reason=%r", source, receiver, said)
    audit.note(LISTED, "rest", source, reason=f"{receiver}: until it is off the list {said}")
    transaction.on_commit(lambda: notify_now(has_orders=True))


def _look_at(lane: Lane, *, now: datetime) -> None:
    source = Source.objects.filter(name=lane.source).first()
    assert lane.closed_at is not None
    if source is None or (not lane.provider and lane.closed_at > now - UNNAMED):
        return
    receiver = lane.provider or ShapingRule.DEFAULT
    blocker = _blocker(lane, receiver)
    if source.rests.filter(receiver__in=(receiver, blocker)).exists():
        return
    last = source.blocks.filter(receiver=blocker).first()
    if last is None or lane.closed_at > last.at:
        block(source, blocker, lane.close_reason, now=now, last=last)
        if blocker == receiver or _others_block(source, blocker, now=now):
            _count_block(source, receiver, now=now)
        Lane.objects.filter(pk=lane.pk, provider="").update(provider=receiver)
    else:
        _open(lane)


def _blocker(lane: Lane, receiver: str) -> str:
    """Return whom the source is to send nothing to: of receivers without a rule that site alone.

    Anybody may have a host that says it blocks us; it must not speak for all the others.
    """
    if receiver != ShapingRule.DEFAULT or lane.home_id is None:
        return receiver
    return called(lane.home_id)


def _others_block(source: Source, blocker: str, *, now: datetime) -> bool:
    """Tell whether another site without a rule has blocked the source today. One alone proves
    nothing about those that share the numbers of a warm-up with it.
    """
    begin = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    today = source.blocks.filter(at__gte=begin, receiver__startswith=BY_SITE)
    return today.exclude(receiver=blocker).exists()


def _count_block(source: Source, receiver: str, *, now: datetime) -> None:
    """Count the block for the warm-up, which leads one day back."""
    today = now.astimezone(UTC).date()
    days = WarmUpDay.objects.filter(source=source, receiver=receiver, date=today)
    days.update(blocked=F("blocked") + 1)


def block(
    source: Source, receiver: str, reply: str, *, now: datetime, last: SourceBlock | None
) -> SourceRest:
    """Let the source rest for the receiver: twice as long as the last time."""
    length = FIRST
    if last is not None and last.at > now - REMEMBERED:
        length = min(max(timedelta(seconds=last.seconds) * 2, FIRST), LONGEST)
    said = one_line(reply, 500)
    SourceBlock.objects.create(
        source=source, receiver=receiver, at=now, seconds=length.total_seconds(), reply=said
    )
    rest = SourceRest.objects.create(
        source=source, receiver=receiver, until=now + length, reason=said, created_by=ACTOR
    )
    logger.warning(
        "event=source-rests source=%s receiver=%s seconds=%d reason=%r",
        source.name, receiver, length.total_seconds(), said,
    )  # fmt: skip
    audit.note(ACTOR, "rest", source, reason=f"{receiver}: for {length}, since it answered: {said}")
    transaction.on_commit(lambda: notify_now(has_orders=True))
    return rest


def end(rest: SourceRest, *, reason: str, by: str, only: Q = NO_CONDITION) -> None:
    """Let the source send to the receiver again; its lanes are opened with the next turn.

    `only`: nothing happens where this does not hold any more, since a person has made another rest
    of it meanwhile.
    """
    gone, _by_model = SourceRest.objects.filter(only, pk=rest.pk).delete()
    if gone:
        audit.note(by, "rest", rest.source, reason=f"{rest.receiver}: ended. {reason}")
        transaction.on_commit(lambda: notify_now(has_orders=True))


def _open(lane: Lane) -> None:
    """Open a lane whose rest is over, unless somebody has closed it anew meanwhile."""
    as_it_was_read = Lane.objects.filter(pk=lane.pk, closed_at=lane.closed_at, closed_by="")
    if as_it_was_read.update(closed_at=None, close_reason="", failures=0):
        transaction.on_commit(lambda: notify_now([lane.pk], has_orders=True))
