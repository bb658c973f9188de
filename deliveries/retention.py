"""What is kept no longer: contents, then the log of a message, in small batches that nobody waits for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from deliveries import queues
from deliveries.ids import first_id_of
from domains.models import Project

BATCH = 500

# Ids sort by time, so each batch goes on where the last one ended and never reads what it has already seen.
MESSAGES = """
SELECT message.id FROM deliveries_message message
WHERE message.project_id = %(project)s AND message.id > %(after)s AND message.id < %(before)s
  AND NOT EXISTS (SELECT 1 FROM deliveries_delivery delivery
                  WHERE delivery.message_id = message.id AND delivery.ended_at IS NULL)
ORDER BY message.id LIMIT %(most)s
"""
STATEMENTS = {
    "content": ("DELETE FROM deliveries_content WHERE message_id = ANY(%(ids)s)",),
    # One transaction, so that the sums of `conservation` hold at every moment.
    "log": (
        "DELETE FROM deliveries_content WHERE message_id = ANY(%(ids)s)",
        "DELETE FROM deliveries_attempt WHERE delivery_id IN (SELECT id FROM deliveries_delivery WHERE message_id = ANY(%(ids)s))",
        "DELETE FROM deliveries_delivery WHERE message_id = ANY(%(ids)s)",
        "DELETE FROM deliveries_message WHERE id = ANY(%(ids)s)",
    ),
}
FORGET = (
    """DELETE FROM deliveries_submission WHERE key IN (
        SELECT key FROM deliveries_submission WHERE expires_at < now() LIMIT %(most)s)""",
    # A delivery's own attempts say what the report said; a letter to postmaster has been read by then, or never will be.
    """DELETE FROM deliveries_inboundmail WHERE id IN (
        SELECT id FROM deliveries_inboundmail WHERE id < %(before)s AND handled_at IS NOT NULL ORDER BY id LIMIT %(most)s)""",
    """DELETE FROM suppressions_occurrence WHERE id IN (
        SELECT id FROM suppressions_occurrence WHERE at < %(time)s AND handled_at IS NOT NULL ORDER BY at LIMIT %(most)s)""",
)
NOTHING_YET = UUID(int=0)
INBOUND_DAYS = 90
TURN = 10.0  # seconds
PLACES = "ekiden:retention"
PLACES_LAST = 86_400  # seconds

Places = dict[str, str]  # which project's content or log -> the id of the last message that was looked at


def take_turn(*, now: datetime) -> bool:
    """As `retain`, going on where the turns before came to.

    Valkey remembers that for a day. Then all is looked at again, for what was live at the first look.
    """
    valkey = queues.connect()
    noted: Any = valkey.hgetall(PLACES)  # bytes; their type depends on the connection
    places = {key.decode("ascii", "replace"): value.decode("ascii", "replace") for key, value in noted.items()}
    is_done = retain(now=now, places=places)
    if places:
        valkey.hset(PLACES, mapping=dict(places))
        valkey.expire(PLACES, PLACES_LAST, nx=True)
    return is_done


def retain(*, now: datetime, seconds: float = TURN, places: Places | None = None) -> bool:
    """Remove what each project keeps no longer, and what the installation need not remember.

    False where the time was not enough: the rest is for another turn, since the sweeper of deadlines waits behind this one. Where one
    project keeps for a month what another keeps for a week, a turn reads little but what was dealt with long ago: so it begins at
    `places`, and moves them on.
    """
    until = time.monotonic() + seconds
    return not any(time.monotonic() >= until for _ in _batches(now, {} if places is None else places))


def _batches(now: datetime, places: Places) -> Iterator[None]:
    for project in Project.objects.all():
        yield from _remove(project.pk, "content", places, before=first_id_of(now - timedelta(days=project.content_days)))
        yield from _remove(project.pk, "log", places, before=first_id_of(now - timedelta(days=project.log_days)))
    for statement in FORGET:
        yield from _forget(statement, before=now - timedelta(days=INBOUND_DAYS))


def _remove(project: int, what: str, places: Places, *, before: UUID) -> Iterator[None]:
    key = f"{project} {what}"
    after = _place(places.get(key, "")) or (_oldest_content(before) if what == "content" else NOTHING_YET)
    while ids := _ended_messages(project, after=after, before=before):
        with transaction.atomic(), connection.cursor() as cursor:
            for statement in STATEMENTS[what]:
                cursor.execute(statement, {"ids": ids})
        after = ids[-1]
        places[key] = str(after)
        yield


def _place(noted: str) -> UUID | None:
    with suppress(ValueError):  # Valkey may hold anything
        return UUID(noted)
    return None


def _oldest_content(before: UUID) -> UUID:
    """Where to begin: messages older than any content that is left have been dealt with."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT message_id FROM deliveries_content ORDER BY message_id LIMIT 1")
        row = cursor.fetchone()
    return UUID(int=row[0].int - 1) if row else before


def _ended_messages(project: int, *, after: UUID, before: UUID) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(MESSAGES, {"project": project, "after": after, "before": before, "most": BATCH})
        return [id_ for (id_,) in cursor.fetchall()]


def _forget(statement: str, *, before: datetime) -> Iterator[None]:
    removed = BATCH
    while removed == BATCH:
        with connection.cursor() as cursor:
            cursor.execute(statement, {"before": first_id_of(before), "time": before, "most": BATCH})
            removed = cursor.rowcount
        yield
