"""A row that a job moves is leased while the job lives: two never work on one, and of one that
died another takes it over.

A job stands in Valkey, which may be wiped, and its worker may be killed. The row's state in
PostgreSQL says that there is something to do, its lease (`leased_until`) whether somebody is at it;
a job of the schedule looks for what is left (`deliveries.jobs.carry_on`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import models, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

DURATION = timedelta(minutes=1)  # renewed with each batch, which takes seconds
IS_FREE = Q(leased_until=None) | Q(leased_until__lt=Now())


class LeaseLost(Exception):
    """Another has taken the row: the lease was over before it was renewed.

    What is not committed yet is the other's to do.
    """


class Lease:
    """One row in the hands of one job."""

    def __init__(self, rows: QuerySet[Any], until: datetime, *, follows_a_death: bool) -> None:
        self._rows = rows
        self._until = until
        self.follows_a_death = follows_a_death  # who held the row before did not end it

    @classmethod
    def take(cls, rows: QuerySet[Any]) -> Lease | None:
        """Lease the only row of `rows`; None where it is not in that state any more, or another is
        at it.
        """
        with transaction.atomic():
            row = (
                rows.select_for_update(skip_locked=True)
                .filter(IS_FREE)
                .only("pk", "leased_until")
                .first()
            )
            if row is None:
                return None
            only = row._meta.model.objects.filter(pk=row.pk)
            return cls(only, _renewed(only), follows_a_death=row.leased_until is not None)

    @transaction.atomic
    def renew(self) -> None:
        """Call it in the transaction of each batch, which `LeaseLost` then rolls back."""
        own = self._rows.filter(leased_until=self._until)
        if not own.select_for_update().exists():
            raise LeaseLost
        self._until = _renewed(own)


def _renewed(rows: QuerySet[models.Model]) -> datetime:
    pk = rows.values_list("pk", flat=True)[0]
    rows.update(leased_until=Now() + DURATION)
    until: datetime = rows.model._default_manager.values_list("leased_until", flat=True).get(pk=pk)
    return until


def left(rows: QuerySet[Any]) -> list[int]:
    """List the rows that are to be moved and that no job works on, the oldest first."""
    return list(rows.filter(IS_FREE).order_by("pk").values_list("pk", flat=True))
