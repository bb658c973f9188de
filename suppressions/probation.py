"""Suppressed addresses that one delivery tried again: success lifts the suppression, failure
renews it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from enum import StrEnum
from functools import partial
from uuid import UUID

from domains.models import ItemKind
from domains.operations.isolation import is_free, together_or_alone
from suppressions import policy
from suppressions.classes import Class
from suppressions.lifting import lift
from suppressions.models import Suppression
from suppressions.one_at_a_time import wait_for_turn
from suppressions.policy import AddressEvent, Group, Rules
from suppressions.recording import policies

logger = logging.getLogger("ekiden.mail")

BATCH = 1000
ACTOR = "probation"


class ProbeStatus(StrEnum):
    """What became of a delivery on probation.

    `NONE`: it ended without trying (cancelled, or no longer stored).
    """

    LIVE = "live"
    DELIVERED = "delivered"
    FAILED = "failed"
    NONE = "none"


ProbeStatuses = Callable[[Collection[UUID]], dict[UUID, ProbeStatus]]


def settle(statuses: ProbeStatuses, *, now: datetime) -> int:
    """Look at each that is on probation; returns how many were lifted.

    Bounces have gone through `recording` before.
    """
    lifted, last = 0, 0
    due = (
        Suppression.objects.on_probation()
        .filter(is_free(ItemKind.PROBATION))
        .values_list("pk", flat=True)
    )
    while trying := list(due.filter(pk__gt=last)[:BATCH]):
        lifted += sum(
            together_or_alone(
                ItemKind.PROBATION, trying, partial(_settle, statuses=statuses, now=now)
            )
        )
        last = trying[-1]
    return lifted


def _settle(ids: Sequence[int], *, statuses: ProbeStatuses, now: datetime) -> int:
    wait_for_turn()
    # Locked, since a complaint about the very mail on probation may come now; what it or a person
    # writes at this moment is for the next turn.
    mine = Suppression.objects.on_probation().select_for_update(of=("self",), skip_locked=True)
    trying = list(mine.filter(pk__in=ids))
    known = statuses([row.probe_id for row in trying if row.probe_id])
    by_fate = {
        fate: [
            row
            for row in trying
            if row.probe_id and known.get(row.probe_id, ProbeStatus.NONE) is fate
        ]
        for fate in ProbeStatus
    }
    _renew(by_fate[ProbeStatus.FAILED], now=now)
    Suppression.objects.filter(pk__in=[row.pk for row in by_fate[ProbeStatus.NONE]]).update(
        probe_id=None, probe_until=None
    )
    arrived = by_fate[ProbeStatus.DELIVERED]
    for row in arrived:
        logger.info(
            "event=unsuppressed project=%s to=<%s> delivery=%s reason=probation",
            row.project_id,
            row.address_key,
            row.probe_id,
        )
    return (
        lift(
            [row.pk for row in arrived], reason="A message on probation was delivered", actor=ACTOR
        )
        if arrived
        else 0
    )


def _renew(rows: Collection[Suppression], *, now: datetime) -> None:
    rules = policies({row.project_id for row in rows if row.project_id})
    for row in rows:
        row.probation_at = next_probation(
            row, rules.get(row.project_id or 0, policy.STANDARD), now=now
        )
        row.probe_id = row.probe_until = None
        row.count += 1
        row.last_seen_at = now
        row.save(update_fields=["probation_at", "probe_id", "probe_until", "count", "last_seen_at"])


def next_probation(row: Suppression, rules: Rules, *, now: datetime) -> datetime | None:
    """Return the next probation by what the suppression says.

    One that a person made and that had a probation counts as soft.
    """
    event = AddressEvent(now, Class(row.category) if row.category else Class.OTHER, row.is_hard)
    return policy.probation(policy.group_of(event) or Group.UNKNOWN, rules, since=now)


def end_outdated(*, now: datetime) -> int:
    """Remove those whose time is over; they forbid nothing any more."""
    ended, _ = Suppression.objects.over(now=now).delete()
    return ended
