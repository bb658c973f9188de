"""Which suppressions stand against the recipients of a message now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from deliveries.models import Delivery
from suppressions.models import Suppression


def suppressed_now(rows: Sequence[Delivery], *, now: datetime) -> dict[UUID, list[Suppression]]:
    """Return for each delivery what forbids its project to write to its recipient, by one query."""
    found: dict[UUID, list[Suppression]] = {row.pk: [] for row in rows}
    keys = {key for row in rows for key in _keys(row)}
    known = defaultdict(list)
    for each in (
        Suppression.objects.filter(address_key__in=keys)
        .filter(Q(project__in={row.project_id for row in rows}) | Q(project__isnull=True))
        .filter(Q(until__isnull=True) | Q(until__gt=now))
        .select_related("project")
        .order_by("pk")
    ):
        known[each.address_key].append(each)
    for row in rows:
        found[row.pk] = [
            each
            for key in _keys(row)
            for each in known[key]
            if each.project_id in (None, row.project_id)
        ]
    return found


def _keys(row: Delivery) -> tuple[str, str]:
    return row.recipient_key, f"@{row.domain}"
