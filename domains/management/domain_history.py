"""What checks of a domain saw differently from the ones before, for the command `domain`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.utils import timezone

from domains.foundation.text import texts
from domains.models import Domain, DomainChange

LONG = 120  # characters of what stood there


def changes(domain: Domain, *, most: int) -> list[DomainChange]:
    """Return the newest first."""
    return list(domain.changes.order_by("-at", "-pk")[:most])


def as_json(change: DomainChange) -> dict[str, Any]:
    return {
        "at": change.at.isoformat(), "record": change.subject, "before": change.before,
        "after": change.after,
    }  # fmt: skip


def lines(change: DomainChange) -> Iterator[str]:
    """Yield one change as text: its time and record, what was there, and what is."""
    at = timezone.localtime(change.at)
    yield f"{at:%Y-%m-%d %H:%M}  {change.subject}"
    yield f"  before: {_in_words(change.before)}"
    yield f"  after:  {_in_words(change.after)}"


def _in_words(side: dict[str, Any]) -> str:
    if not side:
        return "not looked at"
    said = texts.clean(" · ".join(side["found"]) or side["text"])
    return f"{side['state']}: {said if len(said) < LONG else said[:LONG] + '…'}"
