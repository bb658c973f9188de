"""Writes suppressions as CSV, in the form that our own import reads back."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from suppressions.exchange.cells import safe
from suppressions.models import Suppression
from suppressions.models.suppressions import SuppressionQuerySet

HEADER = (
    "address",
    "project",
    "sending_domain",
    "source",
    "class",
    "hard",
    "reason",
    "first_seen",
    "last_seen",
    "count",
    "until",
)
CHUNK = 2000


class _CsvLine:
    """What csv writes into; each row is handed on at once."""

    def write(self, text: str) -> str:
        return text


def rows(chosen: SuppressionQuerySet) -> Iterator[str]:
    """Yield lines of CSV with CRLF (RFC 4180), in UTF-8 with the mark that spreadsheets look
    for.
    """
    writer = csv.writer(_CsvLine())
    yield "\ufeff" + str(writer.writerow(HEADER))
    for row in chosen.select_related("project").order_by("pk").iterator(CHUNK):
        yield str(writer.writerow([safe(cell) for cell in _cells(row)]))


def _cells(row: Suppression) -> tuple[str, ...]:
    until = row.until.isoformat() if row.until else ""
    return (
        row.address_key, row.project.name if row.project else "", row.sender_domain, row.source,
        row.category,
        "yes" if row.is_hard else "no", row.reason, row.first_seen_at.isoformat(),
        row.last_seen_at.isoformat(), str(row.count), until,
    )  # fmt: skip
