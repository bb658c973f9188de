"""Every column of every table that holds text: what is found there, and put in its place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from domains.foundation import sql
from relay_portal.erasure.spellings import Spellings

# What PostgreSQL holds as text, alone, in arrays or in JSON; the audit log is done by its own rule.
COLUMNS = """
SELECT c.table_name, c.column_name, c.udt_name, c.character_maximum_length
FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
WHERE table_schema = current_schema() AND t.table_type = 'BASE TABLE' AND c.is_generated = 'NEVER'
  AND c.udt_name IN ('text', 'varchar', 'bpchar', 'json', 'jsonb', '_text', '_varchar')
ORDER BY 1, 2
"""
AUDIT = "domains_auditentry"


@dataclass(frozen=True, slots=True)
class TextColumn:
    table: str
    name: str
    kind: str
    longest: int | None

    @property
    def found(self) -> str:
        """A condition; the first half is quick, and the second exact."""
        text = f'"{self.name}"::text'
        return f"({text} ILIKE ANY(%(likes)s) AND {text} ~* %(pattern)s)"

    @property
    def replaced(self) -> str:
        text = f"regexp_replace(\"{self.name}\"::text, %(pattern)s, %(instead)s, 'gi')"
        return f"left({text}, {self.longest})" if self.longest else f"{text}::{self.kind}"


def text_columns() -> list[TextColumn]:
    return [TextColumn(*row) for row in sql.rows(COLUMNS)]


def count(spellings: Spellings) -> dict[tuple[str, str], int]:
    """Return how many rows of each table and column hold the address; those with none are left
    out.
    """
    found: dict[tuple[str, str], int] = {}
    for table, columns in _by_table(text_columns()):
        counts = ", ".join(f"count(*) FILTER (WHERE {each.found})" for each in columns)
        [row] = sql.rows(f'SELECT {counts} FROM "{table}"', _given(spellings))  # noqa: S608
        found |= {
            (table, each.name): amount for each, amount in zip(columns, row, strict=True) if amount
        }
    return found


def replace(spellings: Spellings, instead: str, where: Iterable[tuple[str, str]]) -> None:
    """Put another text in its place, a table in a transaction; the audit log is left out."""
    wanted = set(where)
    for table, columns in _by_table(text_columns()):
        meant = [each for each in columns if (table, each.name) in wanted]
        if not meant or table == AUDIT:
            continue
        values = ", ".join(f'"{each.name}" = {each.replaced}' for each in meant)
        rows = " OR ".join(each.found for each in meant)
        with transaction.atomic():
            sql.run(
                f'UPDATE "{table}" SET {values} WHERE {rows}',  # noqa: S608
                _given(spellings) | {"instead": instead},
            )


def _given(spellings: Spellings) -> dict[str, Any]:
    return {"likes": spellings.likes, "pattern": spellings.pattern}


def _by_table(columns: list[TextColumn]) -> list[tuple[str, list[TextColumn]]]:
    tables: dict[str, list[TextColumn]] = {}
    for each in columns:
        tables.setdefault(each.table, []).append(each)
    return list(tables.items())
