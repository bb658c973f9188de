"""What an address of the list of suppressions asks for; its export and *Lift all* ask the same."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from suppressions.classes import MEANINGS
from suppressions.models import Suppression
from suppressions.models.suppressions import SuppressionQuerySet


def narrowed(asked: Any) -> dict[str, str]:
    """Return what an address asks the list for."""
    return {name: asked[name] for name in ("q", "class", "source") if asked.get(name)}


def moment(text: str) -> datetime | None:
    """Read a time with its zone; None for anything else."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


def shown_rows(rows: QuerySet[Suppression], asked: Any) -> SuppressionQuerySet:
    """Choose what the list shows whose address asks for this."""
    assert isinstance(rows, SuppressionQuerySet)
    if asked.get("class") in MEANINGS:
        rows = rows.filter(category=asked["class"])
    if asked.get("source") in Suppression.SuppressedBy.values:
        rows = rows.filter(source=asked["source"])
    return rows.matching(asked["q"]) if asked.get("q") else rows
