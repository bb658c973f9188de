"""The demands of receivers as rows: the shipped ones kept up to date, those that people changed
left alone, and back to shipped.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict

from django.db import transaction

from deliveries.authentication.shipped_demands import ShippedDemand, shipped
from deliveries.models import ReceiverDemand


@transaction.atomic
def sync() -> None:
    """Bring the rows up to the demands that this version ships.

    A row that people changed stays as it is. A row that is shipped no more is deleted, unless
    people changed it.
    """
    known = {row.name: row for row in ReceiverDemand.objects.select_for_update()}
    for name, demand in shipped().items():
        if name not in known or not known[name].is_edited:
            _write(name, demand)
    for row in known.values():
        if row.is_shipped and row.name not in shipped():
            _let_go(row)


def save(row: ReceiverDemand, columns: Collection[str]) -> None:
    """Write down these columns, which a person changed."""
    row.is_edited = True
    row.save(update_fields={*columns, "is_edited"})


def reset(row: ReceiverDemand) -> None:
    """Restore what is shipped. Raises `KeyError` for a demand that people added."""
    _write(row.name, shipped()[row.name])
    row.refresh_from_db()


def _write(name: str, demand: ShippedDemand) -> None:
    fixed = {"is_asked": True, "is_shipped": True, "is_edited": False}
    ReceiverDemand.objects.update_or_create(name=name, defaults=asdict(demand) | fixed)


def _let_go(row: ReceiverDemand) -> None:
    if row.is_edited:
        row.is_shipped = False
        row.save(update_fields=["is_shipped"])
    else:
        row.delete()
