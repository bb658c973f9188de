"""Knows how large the database is, and was on each of the last days."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from deliveries.backends import job_queues
from domains.foundation import sql

KEY = "ekiden:growth"
KEY_LASTS = 2_592_000  # seconds: 30 days
DAYS = 8  # that are noted

# Estimates, as autovacuum last left them: nothing is counted.
TABLES = """
SELECT class.relname, pg_total_relation_size(class.oid),
    greatest(class.reltuples::bigint, stat.n_live_tup, 0), stat.n_dead_tup
FROM pg_class class JOIN pg_stat_user_tables stat ON stat.relid = class.oid
WHERE class.relnamespace = current_schema()::regnamespace
ORDER BY 2 DESC
"""


@dataclass(frozen=True, slots=True)
class TableSize:
    """One table with its indexes; sizes in bytes, rows by estimate."""

    name: str
    size: int
    rows: int
    dead: int


@dataclass(frozen=True, slots=True)
class Growth:
    """Bytes a day, since the first day that is noted; below zero where it shrank."""

    per_day: float
    since: date


def tables() -> list[TableSize]:
    """Return all tables, the largest first."""
    return [TableSize(*row) for row in sql.rows(TABLES)]


def database_size() -> int:
    return int(sql.value("SELECT pg_database_size(current_database())"))


def note(*, now: datetime) -> None:
    """Write down today's size, once; what is older than some days is left out."""
    valkey = job_queues.connect()
    if not valkey.hsetnx(
        KEY, f"{now:%Y-%m-%d}", json.dumps({"at": now.isoformat(), "bytes": database_size()})
    ):
        return
    first: Any = now.date() - timedelta(days=DAYS)
    noted: Any = valkey.hkeys(KEY)  # bytes; their type depends on the connection
    if old := [name for name in noted if name.decode("ascii", "replace") < str(first)]:
        valkey.hdel(KEY, *old)
    valkey.expire(KEY, KEY_LASTS)


def since_noted(size: int, *, now: datetime) -> Growth | None:
    """Return the growth to this size; None where nothing was noted at least half a day ago."""
    noted: Any = job_queues.connect().hvals(KEY)
    points = sorted(_points(noted))
    if not points or now - points[0][0] < timedelta(hours=12):
        return None
    at, then = points[0]
    return Growth((size - then) / ((now - at) / timedelta(days=1)), at.date())


def _points(noted: list[bytes]) -> Iterator[tuple[datetime, int]]:
    for text in noted:
        with suppress(ValueError, TypeError, KeyError):  # Valkey may hold anything
            point = json.loads(text)
            at, size = datetime.fromisoformat(point["at"]), int(point["bytes"])
            if at.tzinfo is not None:
                yield at, size
