"""Writes the index of terms, some seconds after the messages and off their way."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import DatabaseError, connection, transaction

from deliveries.message.ids import made_at
from deliveries.models import MessageTerms
from deliveries.search import terms
from domains.foundation import sql

logger = logging.getLogger(__name__)

BATCH = 2000
TURN = 20.0  # seconds
# While the machine has more mail than it can send, that goes first, and the index may be so late.
LATE_UNDER_LOAD = timedelta(minutes=2)
# Ids are made just before their commit; one that was committed later than this after a younger one
# is found by its recipient and ids still.
LATE = 60_000  # milliseconds

FIELDS = """
SELECT message.id, message.project_id, message.credential_id, message.mail_from,
    message.header_from, message.subject,
    ARRAY(SELECT DISTINCT domain FROM deliveries_delivery WHERE message_id = message.id)
FROM deliveries_message message
"""
# By primary keys alone: the newest indexed id, the messages after it, their deliveries.
UNINDEXED = f"""{FIELDS}
WHERE message.id > %(after)s AND message.origin = 'submission'
  AND NOT EXISTS (SELECT FROM deliveries_messageterms known WHERE known.message_id = message.id)
ORDER BY message.id LIMIT %(most)s
"""
OF_IDS = f"{FIELDS} WHERE message.id = ANY(%(ids)s) AND message.origin = 'submission'"
NEWEST = "SELECT message_id FROM deliveries_messageterms ORDER BY message_id DESC LIMIT 1"
# An array of arrays would need them of one length: so the terms of a message are one text.
WRITE = """
INSERT INTO deliveries_messageterms (message_id, terms)
SELECT id, string_to_array(words, E'\\n')
FROM unnest(%(ids)s::uuid[], %(words)s::text[]) AS given(id, words)
ON CONFLICT (message_id) DO NOTHING
"""


def may_wait(*, now: datetime) -> bool:
    """Tell whether the newest message in the index is no older than `LATE_UNDER_LOAD`."""
    newest = sql.value(NEWEST)
    return newest is not None and made_at(newest) > now - LATE_UNDER_LOAD


def take_turn(*, seconds: float = TURN) -> bool:
    """Index what has come; false where the time was not enough. Running it twice is harmless."""
    until = time.monotonic() + seconds
    after = _start()
    while time.monotonic() < until:
        rows = sql.rows(UNINDEXED, {"after": after, "most": BATCH})
        if rows:
            _write(rows)
            after = rows[-1][0]
        if len(rows) < BATCH:
            return True
    return False


def renew(ids: Collection[UUID]) -> None:
    """Write the terms of these messages anew, from what their rows say now."""
    with transaction.atomic():
        MessageTerms.objects.filter(pk__in=ids).delete()
        rows = sql.rows(OF_IDS, {"ids": list(ids)})
        if rows:
            _write(rows)


def _start() -> UUID:
    newest = sql.value(NEWEST)
    return UUID(int=max(newest.int - (LATE << 80), 0)) if newest else UUID(int=0)


def _write(rows: list[tuple[Any, ...]]) -> None:
    """Write them together; where PostgreSQL refuses that, each by itself, without the bad one."""
    try:
        with transaction.atomic():
            _insert(rows)
    except DatabaseError as error:
        if not connection.is_usable():
            raise
        if len(rows) == 1:
            logger.warning("event=not-indexed message=%s error=%s", rows[0][0], error)
            return
        for row in rows:
            _write([row])


def _insert(rows: list[tuple[Any, ...]]) -> None:
    ids, words = [], []
    for id_, project, credential, mail_from, header_from, subject, domains in rows:
        found = terms.of_message(
            project=project, credential=credential,
            senders=[mail_from, *terms.named_in(header_from)],
            domains=domains, subject=subject,
        )  # fmt: skip
        ids.append(id_)
        words.append("\n".join(found))
    sql.run(WRITE, {"ids": ids, "words": words})
