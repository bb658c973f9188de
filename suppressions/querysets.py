"""The named queries about suppressions."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q
from django.db.models.functions import Reverse

from foundation.text.texts import storable
from suppressions.keys import known_key

if TYPE_CHECKING:
    from suppressions.models import Suppression  # noqa: F401  (names the generic queryset)

FOUND_MOST = 1000


class SuppressionQuerySet(models.QuerySet["Suppression"]):
    def on_probation(self) -> SuppressionQuerySet:
        """A delivery is trying the address, or has."""
        return self.filter(probe_id__isnull=False).order_by("pk")

    def over(self, *, now: datetime) -> SuppressionQuerySet:
        return self.filter(until__isnull=False, until__lte=now)

    def covering(self, project_id: int, address_key: str) -> SuppressionQuerySet:
        """The rows that forbid this project to write to this address, whatever the sending domain."""
        return self.filter(Q(project_id=project_id) | Q(project__isnull=True), address_key__in=_with_domain(address_key))

    def matching(self, text: str) -> SuppressionQuerySet:
        """By a whole address (with what covers its domain), by "@domain" (with all its addresses), or by how an address begins.

        Of very many the first thousand: each way has an index, and none is sorted by age.
        """
        text = storable(text).strip().strip("<>")
        key = known_key(text)
        if key is not None and not key.startswith("@"):
            return self.filter(address_key__in=_with_domain(key))
        if key is not None:
            found = self.model._default_manager.annotate(turned=Reverse("address_key")).filter(turned__startswith=key[::-1])
        else:
            found = self.model._default_manager.filter(address_key__startswith=text.lower())
        return self.filter(pk__in=list(found.order_by().values_list("pk", flat=True)[:FOUND_MOST]))


def _with_domain(key: str) -> list[str]:
    return [key, f"@{key.rpartition('@')[2]}"]
