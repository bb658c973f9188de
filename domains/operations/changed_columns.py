"""Tells which columns of a row were changed here: the rest may be another's by now."""

from __future__ import annotations

from typing import Any

from django.db.models import Model

Columns = dict[str, Any]


def columns_of(row: Model) -> Columns:
    """Return what the row holds, column by column, without those that were not read."""
    deferred = row.get_deferred_fields()
    fields = [field for field in row._meta.concrete_fields if field.attname not in deferred]
    return {field.name: field.value_from_object(row) for field in fields}


def changed_since(row: Model, before: Columns) -> set[str]:
    """Return the columns that hold something else than before."""
    return {name for name, value in columns_of(row).items() if value != before.get(name)}
