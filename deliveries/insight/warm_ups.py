"""How far the warm-ups are. It only reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from deliveries.models import Source, WarmUp, WarmUpDay
from deliveries.queue import warm_up
from deliveries.queue.warm_up_plans import numbers_of

FIGURES = ("led", "accepted", "throttled", "blocked", "complaints")


def days(source: Source | None, *, days: int, now: datetime) -> list[dict[str, Any]]:
    """Return the last days of each warm-up, today's first; a receiver that got nothing today
    stands there with its number.
    """
    today = now.astimezone(UTC).date()
    warm_ups = WarmUp.objects.select_related("source").order_by("source__name", "receiver")
    rows = WarmUpDay.objects.select_related("source").filter(date__gt=today - timedelta(days=days))
    if source is not None:
        warm_ups, rows = warm_ups.filter(source=source), rows.filter(source=source)
    is_warm = {(row.source_id, row.receiver): row.is_warm for row in warm_ups}
    found = [
        _day(row, is_warm=is_warm.get((row.source_id, row.receiver), False))
        for row in rows.order_by("-date", "source__name", "receiver")
    ]
    there = {(each["date"], each["source"], each["receiver"]) for each in found}
    idle = [
        row
        for row in warm_ups
        if row.source.is_warming_up
        and (today.isoformat(), row.source.name, row.receiver) not in there
    ]
    return [_idle(row, today.isoformat(), now=now) for row in idle] + found


def _day(row: WarmUpDay, *, is_warm: bool) -> dict[str, Any]:
    return {
        "date": row.date.isoformat(), "source": row.source.name, "receiver": row.receiver,
        "day": row.day, "days": len(numbers_of(row.receiver)), "number": row.number,
        **{name: getattr(row, name) for name in FIGURES},
        "verdict": str(row.verdict), "is_warm": is_warm,
    }  # fmt: skip


def _idle(row: WarmUp, today: str, *, now: datetime) -> dict[str, Any]:
    standing = warm_up.of_source(row.source, row.receiver, now=now)
    return {
        "date": today, "source": row.source.name, "receiver": row.receiver,
        "day": standing.day, "days": standing.days, "number": standing.number,
        **dict.fromkeys(FIGURES, 0), "verdict": "", "is_warm": row.is_warm,
    }  # fmt: skip
