"""What grows: the database and its largest tables, Valkey, the data folder, and how long the disk
lasts at that pace.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from redis.exceptions import RedisError

from deliveries.backends import job_queues
from deliveries.insight import growth
from relay_portal.doctor.finding import Finding, Level, good
from relay_portal.servers import embedded

LARGEST = 5
MIB = 2**20
DEAD_LEAST, DEAD_PART = 100_000, 0.5  # rows that autovacuum should have removed
LASTS_LEAST = 14  # days


def database() -> Iterator[Finding]:
    now, size = datetime.now(UTC), growth.database_size()
    tables = growth.tables()
    try:
        grown = growth.since_noted(size, now=now)
    except RedisError:  # reported by its own check
        grown = None
    pace = (
        f"{'+' if grown.per_day >= 0 else '-'}{human(abs(grown.per_day))} a day since {grown.since}"
        if grown
        else "growth not known yet"
    )
    yield Finding(
        "growth", Level.GOOD, f"database {human(size)}, {pace}",
        figures={"database_bytes": size, "bytes_per_day": round(grown.per_day) if grown else None},
    )  # fmt: skip
    for table in tables[:LARGEST]:
        yield _finding_of(table)
    for table in tables:
        if table.dead >= DEAD_LEAST and table.dead > DEAD_PART * (table.rows + table.dead):
            text = f"{table.name}: {table.dead:,} of {table.rows + table.dead:,} rows are dead."
            yield Finding(
                "growth",
                Level.WARNING,
                text,
                f"Is autovacuum on, and no transaction open for hours? VACUUM {table.name};",
            )
    if grown and grown.per_day >= MIB:
        yield from _lasts(grown.per_day)


def _finding_of(table: growth.TableSize) -> Finding:
    text = f"{table.name} {human(table.size)}, about {table.rows:,} rows, {table.dead:,} dead"
    figures = {
        "table": table.name,
        "bytes": table.size,
        "rows": table.rows,
        "dead_rows": table.dead,
    }
    return Finding("growth", Level.GOOD, text, figures=figures)


def _lasts(per_day: float) -> Iterator[Finding]:
    """Say how long the disk lasts, if the database is this machine's: another's disk cannot be seen
    from here.
    """
    if embedded.postgres_url(settings.EKIDEN_DATA) != settings.DATABASE_URL:
        return
    folder = embedded.state_folder(settings.EKIDEN_DATA)
    if not folder.exists():
        return
    free = shutil.disk_usage(folder).free
    days = free / per_day
    figures = {"free_bytes": free, "lasts_days": round(days)}
    if days < LASTS_LEAST:
        advice = "Make room, or shorten a project's --content-days and --log-days."
        yield Finding(
            "growth",
            Level.WARNING,
            f"At this pace the disk at {folder} is full in {days:.0f} days.",
            advice,
            figures,
        )
    else:
        yield Finding(
            "growth",
            Level.GOOD,
            f"at this pace the disk at {folder} lasts {days:,.0f} days",
            figures=figures,
        )


def valkey() -> Iterator[Finding]:
    try:
        with job_queues.connect() as connected:
            used, keys = int(connected.info("memory")["used_memory"]), connected.dbsize()
    except RedisError:  # reported by its own check
        return
    yield Finding(
        "growth",
        Level.GOOD,
        f"Valkey {human(used)} in {keys:,} keys",
        figures={"valkey_bytes": used, "keys": keys},
    )


def folders() -> Iterator[Finding]:
    data: Path = settings.EKIDEN_DATA
    roots = dict.fromkeys((data, embedded.state_folder(data)))
    parts = {
        each.name: size_of(each)
        for root in roots
        if os.access(root, os.R_OK)
        for each in sorted(root.iterdir())
        if each.is_dir()
    }
    if not parts:
        yield good("growth", f"{data} holds nothing yet")
        return
    listed = ", ".join(
        f"{name} {human(size)}" for name, size in sorted(parts.items(), key=lambda part: -part[1])
    )
    yield Finding("growth", Level.GOOD, f"{data}: {listed}", figures={"folders": parts})


def size_of(folder: Path) -> int:
    """Return the bytes of all files that this account may see; what goes meanwhile counts
    nothing.
    """
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_blocks * 512
            except OSError:
                continue
    return total


def human(size: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
