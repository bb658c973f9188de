"""Removes what is kept no longer, of all packages, in small batches that nobody waits for."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from deliveries.backends import job_queues
from deliveries.message.ids import first_id_of
from deliveries.models import Lane
from deliveries.retained import (
    DOWN_TO_STOCK,
    LETTER_DAYS,
    LETTERS,
    OVER_STOCK,
    STOCK_DAYS,
    UNPROVEN,
    UNPROVEN_DAYS,
)
from domains.foundation import sql
from domains.foundation.upkeep import retention as kept
from domains.models import Project
from domains.operations.isolation import step

logger = logging.getLogger(__name__)

BATCH = 500

# Ids sort by time, so each batch goes on where the last one ended and never reads what it has
# already seen.
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
        (
            "DELETE FROM deliveries_attempt WHERE delivery_id IN (SELECT id FROM "
            "deliveries_delivery WHERE message_id = ANY(%(ids)s))"
        ),
        (
            "DELETE FROM deliveries_resending WHERE message_id = ANY(%(ids)s) OR original_id = "
            "ANY(%(ids)s)"
        ),
        (
            "DELETE FROM deliveries_transcript WHERE delivery_id IN (SELECT id FROM "
            "deliveries_delivery WHERE message_id = ANY(%(ids)s))"
        ),
        "DELETE FROM deliveries_messageterms WHERE message_id = ANY(%(ids)s)",
        "DELETE FROM deliveries_delivery WHERE message_id = ANY(%(ids)s)",
        "DELETE FROM deliveries_message WHERE id = ANY(%(ids)s)",
    ),
}
# Of each lane to which no domain leads any more; see `deliveries.retained`.
IDLE = f"""
UPDATE deliveries_lane SET idle_since = now() WHERE id = ANY(ARRAY(
    SELECT id FROM deliveries_lane
    WHERE id > {Lane.ROUTING} AND idle_since IS NULL AND holder IS NULL
      AND NOT EXISTS (SELECT FROM deliveries_destination
          WHERE lane_id = coalesce(deliveries_lane.home_id, deliveries_lane.id))
    ORDER BY id LIMIT %(most)s FOR UPDATE SKIP LOCKED))
"""  # noqa: S608  (put together from constants)
# A domain may have been led there while that was noted.
IN_USE = """
UPDATE deliveries_lane SET idle_since = NULL WHERE id = ANY(ARRAY(
    SELECT id FROM deliveries_lane
    WHERE idle_since IS NOT NULL AND EXISTS (SELECT FROM deliveries_destination
        WHERE lane_id = coalesce(deliveries_lane.home_id, deliveries_lane.id))
    ORDER BY idle_since LIMIT %(most)s FOR UPDATE SKIP LOCKED))
"""
NOTHING_YET = UUID(int=0)
TURN = 10.0  # seconds
PLACES = "ekiden:retention"
PLACES_LAST = 86_400  # seconds

# Which project's content or log -> the id of the last message that was looked at.
Places = dict[str, str]


def take_turn(*, now: datetime) -> bool:
    """Remove what is due, going on where the turns before stopped; return whether all was looked
    at.

    Valkey remembers the places for a day. Then all is looked at again, for what was live at the
    first look.
    """
    valkey = job_queues.connect()
    noted: Any = valkey.hgetall(PLACES)  # bytes; their type depends on the connection
    places = {
        key.decode("ascii", "replace"): value.decode("ascii", "replace")
        for key, value in noted.items()
    }
    is_done = retain(now=now, places=places)
    if places:
        valkey.hset(PLACES, mapping=dict(places))
        valkey.expire(PLACES, PLACES_LAST, nx=True)
    return is_done


def retain(*, now: datetime, seconds: float = TURN, places: Places | None = None) -> bool:
    """Remove what each project keeps no longer, and what the installation need not remember.

    False where the time was not enough: the rest is for another turn, since the sweeper of
    deadlines waits behind this one. Where one project keeps for a month what another keeps for a
    week, a turn reads little but what was dealt with long ago: so it begins at `places`, and moves
    them on.
    """
    until = time.monotonic() + seconds
    left = _all(now, {} if places is None else places)
    is_first = True  # each gets a batch in every turn, however much the others have to do
    while left:
        for name in list(left):
            if not is_first and time.monotonic() >= until:
                return False
            if not _step(name, left[name]):
                del left[name]
        is_first = False
    return True


def _all(now: datetime, places: Places) -> dict[str, Iterator[None]]:
    found = {
        name: _in_batches(name, statement, {})
        for name, statement in (("idle lanes", IDLE), ("lanes in use", IN_USE))
    }
    for table in kept.tables():
        if table.delete:
            before = kept.days_before(now, table.days)
            found[table.name] = _in_batches(
                table.name, table.delete, {"before": before, "before_id": first_id_of(before)}
            )
    for name, days, statement in (
        ("letters", LETTER_DAYS, LETTERS),
        ("unproven mail", UNPROVEN_DAYS, UNPROVEN),
    ):
        found[name] = _in_batches(
            name, statement, {"before_id": first_id_of(kept.days_before(now, days))}
        )
    for name, a_day in _rooms().items():
        found[f"{name} stock"] = _down_to(STOCK_DAYS * a_day, is_unproven=name == "unproven")
    for project in Project.objects.all():
        for what, days in (("content", project.content_days), ("log", project.log_days)):
            found[f"{project.pk} {what}"] = _remove(
                project.pk, what, places, before=first_id_of(kept.days_before(now, days))
            )
    return found


def _step(name: str, batches: Iterator[None]) -> bool:
    """Remove one batch; false where nothing is left, or where that failed: it comes again with the
    next turn.
    """
    with step(f"deliveries.retention {name}"):
        return next(batches, False) is None
    return False


def _remove(project: int, what: str, places: Places, *, before: UUID) -> Iterator[None]:
    key = f"{project} {what}"
    after = _place(places.get(key, "")) or (
        _oldest_content(before) if what == "content" else NOTHING_YET
    )
    while ids := _ended_messages(project, after=after, before=before):
        with transaction.atomic():
            for statement in STATEMENTS[what]:
                sql.run(statement, {"ids": ids})
        after = ids[-1]
        places[key] = str(after)
        yield


def _place(noted: str) -> UUID | None:
    with suppress(ValueError):  # Valkey may hold anything
        return UUID(noted)
    return None


def _oldest_content(before: UUID) -> UUID:
    """Return the id to begin at: messages older than any content that is left have been
    dealt with.
    """
    oldest = sql.value("SELECT message_id FROM deliveries_content ORDER BY message_id LIMIT 1")
    return UUID(int=oldest.int - 1) if oldest else before


def _ended_messages(project: int, *, after: UUID, before: UUID) -> list[UUID]:
    return sql.column(
        MESSAGES, {"project": project, "after": after, "before": before, "most": BATCH}
    )


def _rooms() -> dict[str, int]:
    """Return the bytes of inbound mail that a day may bring."""
    return {
        "unproven": settings.EKIDEN_INBOUND_BYTES_PER_DAY + settings.EKIDEN_DMARC_BYTES_PER_DAY,
        "proven": settings.EKIDEN_REPORT_BYTES_PER_DAY,
    }


def _down_to(room: int, *, is_unproven: bool) -> Iterator[None]:
    """Remove the oldest inbound mail above so many bytes, however young it is; the rows are not
    looked at while the table is small.
    """
    given = {"is_unproven": is_unproven, "room": room}
    if sql.value("SELECT pg_total_relation_size('deliveries_inboundmail')") <= room:
        return
    for newest in sql.column(OVER_STOCK, given):
        yield from _in_batches(
            "deliveries_inboundmail stock", DOWN_TO_STOCK, given | {"newest": newest}
        )


def _in_batches(name: str, statement: str, values: dict[str, Any]) -> Iterator[None]:
    removed = BATCH
    while removed == BATCH:
        with connection.cursor() as cursor:
            cursor.execute(statement, values | {"most": BATCH})
            removed = cursor.rowcount
            undone = sum(bool(row[0]) for row in cursor.fetchall()) if cursor.description else 0
        if undone:
            logger.warning("event=forgotten-unhandled table=%s rows=%d", name, undone)
        yield
