"""Lets addresses get mail again: with a reason, on record, and what was learned before counts no
more.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from domains.foundation import sql
from domains.models import AuditEntry
from domains.operations import audit
from suppressions.models import Suppression
from suppressions.one_at_a_time import wait_for_turn

# What an installation's suppression was made of is void for every project. A complaint that nobody
# has looked at yet is no part of what is lifted.
VOID = """
UPDATE suppressions_occurrence SET is_void = true, is_held = false
FROM unnest(%(keys)s::text[], %(projects)s::bigint[]) AS lifted(key, project_id)
WHERE address_key = lifted.key AND (NOT is_void OR is_held)
  AND (handled_at IS NOT NULL OR kind NOT IN ('complaint', 'unsubscribe'))
  AND (suppressions_occurrence.project_id = lifted.project_id OR lifted.project_id IS NULL)
"""


@transaction.atomic
def lift(
    ids: Collection[int],
    *,
    reason: str,
    actor: str,
    client_address: str | None = None,
    voids: bool = True,
) -> int:
    """Lift the suppressions, and return how many there were.

    Who may lift which is the caller's to have decided. `voids`: what was learned counts no more.
    """
    wait_for_turn()
    rows = list(
        Suppression.objects.select_for_update(of=("self",))
        .filter(pk__in=ids)
        .select_related("project")
        .order_by("pk")
    )
    AuditEntry.objects.bulk_create(
        audit.entry(
            actor,
            "lift",
            row,
            reason=reason,
            details={"values": audit.facts(row)},
            client_address=client_address,
        )
        for row in rows
    )
    if voids:
        keys, projects = [row.address_key for row in rows], [row.project_id for row in rows]
        sql.run(VOID, {"keys": keys, "projects": projects})
    Suppression.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return len(rows)


def needs_confirmation(row: Suppression, *, now: datetime) -> bool:
    """Tell whether the address was dead so long ago that it may have a new owner by now.

    NTT docomo, KDDI and SoftBank let a given-up address be chosen again after months; mail meant
    for the old owner would reach a stranger.
    """
    return row.is_hard and row.last_seen_at < now - timedelta(
        days=settings.EKIDEN_OLD_SUPPRESSION_DAYS
    )
