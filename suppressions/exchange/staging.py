"""Write entries by COPY into a table of the session, and from there in batches into the list."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction

from domains.operations.isolation import (
    is_outage,
)
from suppressions.exchange.reading import BadLine, ListedAddress
from suppressions.recording import ON_CONFLICT

logger = logging.getLogger(__name__)

BATCH = 20_000
ERRORS_KEPT = 1000


STAGE = """
CREATE TEMPORARY TABLE IF NOT EXISTS staged (
    address_key text, source text, category text, is_hard bool, reason text,
        first_seen_at timestamptz, last_seen_at timestamptz,
    seen int, until timestamptz, sender_domain text
)
"""

COPY = "COPY staged FROM STDIN"


# The last row about an address counts, as if the rows had come one after the other. Each batch is a
# transaction.
TAKE = f"""
WITH gone AS (DELETE FROM staged RETURNING *), latest AS (
    SELECT DISTINCT ON (address_key, scope) * FROM (
        SELECT *, CASE WHEN %(project)s::bigint IS NULL THEN '' ELSE sender_domain END AS scope
            FROM gone) scoped
    ORDER BY address_key, scope, last_seen_at DESC
), taken AS (
    INSERT INTO suppressions_suppression AS held
        (project_id, sender_domain, address_key, source, category, is_hard, reason, evidence,
            first_seen_at, last_seen_at, count,
         until, probation_at, created_by, created_at)
    SELECT %(project)s, scope, address_key, source, category, is_hard, reason, %(evidence)s::jsonb,
        first_seen_at, last_seen_at, seen,
           until, NULL, %(by)s, now()
    FROM latest
    {ON_CONFLICT}
    RETURNING xmax = 0 AS is_new
)
SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new) FROM taken
"""  # noqa: S608  (put together from constants)


@dataclass(slots=True)
class ImportProgress:
    """So far: lines read, addresses that are new, known before, lines that cannot be taken; the
    first of those.
    """

    lines: int = 0
    added: int = 0
    updated: int = 0
    refused: int = 0
    format: str = ""
    errors: list[BadLine] = field(default_factory=list)


def take_entries(
    entries: list[ListedAddress], progress: ImportProgress, given: dict[str, Any]
) -> None:
    """Take all at once; where PostgreSQL refuses that, take each half by itself, down to the entry
    that is refused.
    """
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            with cursor.copy(COPY) as copy:
                copy.write("".join(map(_row, entries)))
            cursor.execute(TAKE, given)
            added, updated = cursor.fetchone()
    except Exception as error:
        if is_outage(error):
            raise
        if len(entries) == 1:
            logger.warning("an entry of an import was refused", exc_info=error)
            return refuse(progress, BadLine(0, entries[0].key, "The database refuses it."))
        middle = len(entries) // 2
        for half in (entries[:middle], entries[middle:]):
            take_entries(half, progress, given)
        return None
    progress.added += added
    progress.updated += updated
    return None


def batches(found: Iterator[ListedAddress | BadLine]) -> Iterator[list[ListedAddress | BadLine]]:
    batch: list[ListedAddress | BadLine] = []
    for each in found:
        batch.append(each)
        if len(batch) >= BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def refuse(progress: ImportProgress, bad: BadLine) -> None:
    progress.refused += 1
    if len(progress.errors) < ERRORS_KEPT:
        progress.errors.append(bad)


_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def _row(entry: ListedAddress) -> str:
    """Write a line of COPY's text format; only what people wrote can hold what must be escaped."""
    values = (
        entry.key.translate(_ESCAPES),
        entry.source,
        entry.category,
        "t" if entry.is_hard else "f",
        entry.reason.translate(_ESCAPES),
        entry.first_seen_at.isoformat(),
        entry.last_seen_at.isoformat(),
        str(entry.count),
        entry.until.isoformat() if entry.until else r"\N",
        entry.sender_domain.translate(_ESCAPES),
    )
    return "\t".join(values) + "\n"
