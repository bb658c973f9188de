"""The named queries about suppressions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q

if TYPE_CHECKING:
    from suppressions.models import Suppression  # noqa: F401  (names the generic queryset)


class SuppressionQuerySet(models.QuerySet["Suppression"]):
    def covering(self, project_id: int, address_key: str) -> SuppressionQuerySet:
        """The rows that forbid this project to write to this address."""
        return self.filter(Q(project_id=project_id) | Q(project__isnull=True), address_key=address_key)
