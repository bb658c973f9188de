"""The form in which each package says how long its rows and its keys are kept;
`deliveries.jobs.retention` carries it out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from types import ModuleType

from django.apps import apps
from django.utils.module_loading import module_has_submodule

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
PLACE = "retained"  # the module of each package that holds its TABLES and KEYS


@dataclass(frozen=True, slots=True)
class RetainedTable:
    """One table: how long a row is kept, what removes it, and why; the texts are those of
    docs/operations.md.

    `delete` removes at most %(most)s rows that are older than `days`, by an index. It gets the time
    also as %(before)s and, for ids that sort by time, as %(before_id)s. Where it returns a column,
    that says of each row whether it is gone undone.
    """

    name: str
    kept: str
    removal: str
    reason: str
    days: int = 0
    delete: str = ""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of Valkey that match one glob pattern.

    Those that `expire` are never there without a time to live.
    """

    pattern: str
    kept: str
    removal: str
    reason: str
    expires: bool = True


BY_RETENTION = "every ten minutes, in batches"


def oldest(table: str, condition: str, *, key: str = "id", order: str, returning: str = "") -> str:
    """Return the statement that removes a batch, the oldest first.

    Rows that somebody has locked are left for the next time, so that neither waits for the other.
    The batch is an array, of which PostgreSQL expects a few rows: joined with a subquery it may
    read the whole table.
    """
    # S608 : constants
    picked = (
        f"SELECT {key} FROM {table} WHERE {condition} ORDER BY {order} LIMIT %(most)s "  # noqa: S608
        "FOR UPDATE "
        "SKIP LOCKED"
    )
    ending = f" RETURNING {returning}" if returning else ""
    # S608 : put together from constants
    return f"DELETE FROM {table} WHERE {key} = ANY(ARRAY({picked})){ending}"  # noqa: S608


def days_before(now: datetime, days: int) -> datetime:
    """Return the moment so many days before `now`, however many people have chosen: nothing is
    older than the beginning, so that it is kept for ever.
    """
    return max(now - timedelta(days=min(days, (now - BEGINNING).days)), BEGINNING)


def tables() -> list[RetainedTable]:
    """Return the tables of all packages, the ground floor first."""
    return [table for module in _modules() for table in module.TABLES]


def key_patterns() -> list[Keys]:
    return [each for module in _modules() for each in module.KEYS]


def _modules() -> Iterator[ModuleType]:
    for config in apps.get_app_configs():
        if config.module is not None and module_has_submodule(config.module, PLACE):
            yield import_module(f"{config.name}.{PLACE}")
