"""Statements of our own on Django's connection, each in one call."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection

Parameters = Mapping[str, Any] | Sequence[Any] | None


def rows(statement: str, given: Parameters = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def column(statement: str, given: Parameters = None) -> list[Any]:
    """Return the first column of all rows."""
    return [row[0] for row in rows(statement, given)]


def value(statement: str, given: Parameters = None) -> Any:
    """Return the first column of the first row; None where there is no row."""
    return next(iter(column(statement, given)), None)


def run(statement: str, given: Parameters = None) -> int:
    """Return how many rows the statement changed."""
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        return int(cursor.rowcount)
