"""Hands what was learned about addresses to the policies, with what only the deliveries know of
them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from deliveries.message.ids import first_id_of
from deliveries.models import Delivery
from deliveries.models.states import LIVE, DeliveryState
from domains.foundation import sql
from domains.operations.isolation import step
from suppressions import dry_run, probation, recording
from suppressions.probation import ProbeStatus
from suppressions.recording import Key

LAST_DELIVERED = """
SELECT asked.project_id, asked.key, last.ended_at
FROM unnest(%(projects)s::bigint[], %(keys)s::text[]) AS asked(project_id, key)
CROSS JOIN LATERAL (
    SELECT ended_at FROM deliveries_delivery
    WHERE recipient_key = asked.key AND project_id = asked.project_id AND state = 'delivered'
    ORDER BY id DESC LIMIT 1) last
"""
ARRIVALS = """
SELECT recipient_key, ended_at FROM deliveries_delivery
WHERE recipient_key = ANY(%(keys)s) AND project_id = %(project)s AND state = 'delivered'
    AND id >= %(since)s
ORDER BY ended_at
"""


def take_turn(*, now: datetime) -> int:
    """Return how many addresses were suppressed, or seen to be dead again."""
    suppressed = 0
    with step("suppressions.recording"):
        suppressed = recording.take_turn(last_delivered, now=now)
    with step("suppressions.probation"):
        probation.settle(fates, now=now)
    with step("suppressions.over"):
        probation.end_outdated(now=now)
    return suppressed


def last_delivered(keys: Collection[Key]) -> dict[Key, datetime]:
    """Return when the last successful delivery to each address ended; addresses without one are
    left out.
    """
    given = {"projects": [project for project, _ in keys], "keys": [key for _, key in keys]}
    return {(project, key): at for project, key, at in sql.rows(LAST_DELIVERED, given)}


def fates(ids: Collection[UUID]) -> dict[UUID, ProbeStatus]:
    """Return what became of these deliveries, as far as they are stored."""
    return {
        id_: _fate(state)
        for id_, state in Delivery.objects.filter(pk__in=ids).values_list("pk", "state")
    }


def _fate(state: str) -> ProbeStatus:
    if state in LIVE:
        return ProbeStatus.LIVE
    if state == DeliveryState.DELIVERED:
        return ProbeStatus.DELIVERED
    return (
        ProbeStatus.FAILED
        if state in (DeliveryState.BOUNCED, DeliveryState.EXPIRED)
        else ProbeStatus.NONE
    )


def arrivals(project: int, keys: Collection[str]) -> dict[str, list[datetime]]:
    """Return when the project's mail reached each address, within the period of a dry run."""
    since = first_id_of(timezone.now() - dry_run.LOOKED_BACK)
    found: dict[str, list[datetime]] = defaultdict(list)
    for key, at in sql.rows(ARRIVALS, {"keys": list(keys), "project": project, "since": since}):
        found[key].append(at)
    return found
