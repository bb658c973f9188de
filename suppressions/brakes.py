"""Stops learning where too many domains turn dead at once: one resolver or one blocklist may be
the reason, and not they.

What is learned of a class under the brake is held: it counts for nothing until a person believes
it, and for ever for nothing if not. Mail bounces as ever.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from domains.foundation import sql
from domains.operations import audit
from suppressions.models import Brake, Occurrence, OccurrenceKind, Suppression
from suppressions.one_at_a_time import wait_for_turn

logger = logging.getLogger("ekiden.mail")

ACTOR = "alert"
WINDOW = timedelta(minutes=10)
LEAST = 20  # domains within the window; below, it is anybody's ordinary day
RISE = 3  # times the most of any window before
LOOKED_BACK = timedelta(days=7)
KINDS = (OccurrenceKind.REPLY, OccurrenceKind.REPORT)  # what people say of themselves is believed

_DOMAINS = "count(DISTINCT split_part(reverse(address_key), '@', 1))"
_DEAD = "is_hard AND kind IN ('reply', 'report')"
NOW = f"""
SELECT category, {_DOMAINS} FROM suppressions_occurrence
WHERE at > %(since)s AND {_DEAD} AND NOT is_void
  AND at > coalesce((SELECT max(ended_at) FROM suppressions_brake
      WHERE category = suppressions_occurrence.category), '-infinity')
GROUP BY category HAVING {_DOMAINS} >= %(least)s
"""  # noqa: S608  (put together from constants)
USUAL = f"""
SELECT coalesce(max(domains), 0) FROM (
    SELECT {_DOMAINS} AS domains FROM suppressions_occurrence
    WHERE at > %(from)s AND at <= %(since)s AND category = %(category)s AND {_DEAD} AND NOT is_void
    GROUP BY floor(extract(epoch FROM at) / %(window)s)) AS windows
"""  # noqa: S608  (put together from constants)


def look(*, now: datetime) -> None:
    """Put the brake on where it is needed."""
    braked = set(Brake.objects.filter(ended_at__isnull=True).values_list("category", flat=True))
    for category, domains in sql.rows(NOW, {"since": now - WINDOW, "least": LEAST}):
        if category not in braked:
            _brake(category, domains, now=now)


def _brake(category: str, domains: int, *, now: datetime) -> None:
    given: dict[str, Any] = {
        "category": category,
        "since": now - WINDOW,
        "from": now - LOOKED_BACK,
        "window": WINDOW.total_seconds(),
    }
    usual = sql.value(USUAL, given)
    if domains <= RISE * usual:
        return
    with transaction.atomic():
        # What is judged at this moment is taken back with the rest; who judges later sees the
        # brake.
        wait_for_turn()
        brake, is_new = Brake.objects.get_or_create(
            category=category, ended_at=None, defaults={"domains": domains, "usual": usual}
        )
        if is_new:
            _take_back(category, since=now - WINDOW)
            said = (
                f"{domains} domains turned {category} within {WINDOW.total_seconds() / 60:.0f} "
                f"minutes, {usual} at most before"
            )
            logger.warning(
                "event=learning-stopped class=%s domains=%d usual=%d", category, domains, usual
            )
            audit.note(ACTOR, "brake", brake, reason=said)


def _take_back(category: str, *, since: datetime) -> None:
    """Hold what was believed since it began as well, and take back what came of it."""
    learned = Occurrence.objects.filter(
        at__gt=since, category=category, is_hard=True, kind__in=KINDS, is_void=False
    )
    hold(learned.filter(handled_at__isnull=False).values_list("pk", flat=True), now=since + WINDOW)
    Suppression.objects.filter(
        category=category, source=Suppression.SuppressedBy.AUTOMATIC, created_at__gt=since
    ).delete()


def hold(ids: Collection[int], *, now: datetime) -> None:
    """Hold these: they count for nothing until a person has decided."""
    Occurrence.objects.filter(pk__in=list(ids)).update(is_held=True, is_void=True, handled_at=now)


def standing() -> set[str]:
    """Return the classes whose brake is on, for whoever has the turn; none of these is released
    before this transaction is over, else what it holds would be held for ever.
    """
    braked = Brake.objects.select_for_update().filter(ended_at__isnull=True)
    return set(braked.order_by("pk").values_list("category", flat=True))


def is_under(occurrence: Occurrence, braked: Collection[str]) -> bool:
    return occurrence.is_hard and occurrence.kind in KINDS and occurrence.category in braked


@transaction.atomic
def release(
    brake: Brake,
    *,
    is_believed: bool,
    by: str,
    reason: str,
    now: datetime,
    client_address: str | None = None,
) -> int:
    """Decide about what is held, and let learning go on; return how much there was.

    `suppressions.recording` judges what is believed. Nothing happens where somebody has decided
    meanwhile.
    """
    if not Brake.objects.filter(pk=brake.pk, ended_at__isnull=True).update(
        ended_at=now, is_believed=is_believed, ended_by=by
    ):
        return 0
    held = Occurrence.objects.filter(is_held=True, category=brake.category)
    amount = (
        held.update(is_held=False, is_void=False, handled_at=None)
        if is_believed
        else held.update(is_held=False)
    )
    action = "believe" if is_believed else "forget"
    audit.note(by, action, brake, reason=reason, client_address=client_address)
    return amount
