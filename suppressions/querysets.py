"""The named queries about suppressions."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q

if TYPE_CHECKING:
    from suppressions.models import Suppression  # noqa: F401  (names the generic queryset)


class SuppressionQuerySet(models.QuerySet["Suppression"]):
    def on_probation(self) -> SuppressionQuerySet:
        """A delivery is trying the address, or has."""
        return self.filter(probe_id__isnull=False).order_by("probe_until")

    def over(self, *, now: datetime) -> SuppressionQuerySet:
        return self.filter(until__isnull=False, until__lte=now)

    def covering(self, project_id: int, address_key: str) -> SuppressionQuerySet:
        """The rows that forbid this project to write to this address, whatever the sending domain."""
        keys = [address_key, f"@{address_key.rpartition('@')[2]}"]
        return self.filter(Q(project_id=project_id) | Q(project__isnull=True), address_key__in=keys)
