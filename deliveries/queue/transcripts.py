"""Keeps the transcripts that came with a group of outcomes, and forgets who had asked for them."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import psycopg

from deliveries.backends.database import Database, DatabaseUnavailable
from deliveries.queue.ledger_entries import LedgerEntry

logger = logging.getLogger(__name__)

ASKED_DAYS = 7  # for which one that a person asked for is kept, where the project keeps none

KEEP = f"""
WITH given AS (
    SELECT * FROM unnest(%(id)s::uuid[], %(at)s::timestamptz[], %(lines)s::text[])
        AS given(id, at, lines)
), asked AS (
    DELETE FROM deliveries_transcriptrequest WHERE delivery_id = ANY(%(id)s::uuid[])
)
INSERT INTO deliveries_transcript (delivery_id, at, lines, expires_at)
SELECT given.id, given.at, given.lines, now() + make_interval(days =>
    CASE WHEN project.transcript_days > 0 THEN project.transcript_days ELSE {ASKED_DAYS} END)
FROM given JOIN deliveries_delivery delivery ON delivery.id = given.id
JOIN domains_project project ON project.id = delivery.project_id
"""  # noqa: S608  (put together from constants)


async def keep(database: Database, group: Sequence[LedgerEntry]) -> None:
    """Keep the group's transcripts with one statement; with none where no outcome has one.

    What cannot be kept is lost: the outcome that it belongs to is written already.
    """
    noted = [entry for entry in group if entry.transcript]
    if not noted:
        return
    given = {
        "id": [entry.id for entry in noted],
        "at": [entry.at for entry in noted],
        "lines": [entry.transcript for entry in noted],
    }
    try:
        await database.fetch(KEEP, given)
    except (DatabaseUnavailable, psycopg.Error) as error:
        logger.warning("%d transcripts could not be kept: %s", len(noted), error)
