"""Saves what a form has changed of a row and nothing else: the rest may be another's by now."""

from __future__ import annotations

from typing import Any

from django.db.models import Model


def save_changed(row: Model, form: Any, *besides: str) -> None:
    """Write the columns that were changed in the form, and those that are named besides."""
    columns = {field.name for field in row._meta.concrete_fields}
    row.save(update_fields=columns.intersection({*form.changed_data, *besides}))
