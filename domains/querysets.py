"""The named queries about projects, domains, keys and credentials."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import F, Q

if TYPE_CHECKING:
    from domains.models import Credential, Domain, SetAside, SigningKey  # noqa: F401  (names for the generic querysets)


class DomainQuerySet(models.QuerySet["Domain"]):
    def verified(self) -> DomainQuerySet:
        return self.filter(verified_at__isnull=False)

    def unverified(self) -> DomainQuerySet:
        return self.filter(verified_at__isnull=True)

    def due_for_check(self, *, before: datetime) -> DomainQuerySet:
        """The unverified ones, and those not looked at since `before`; who has waited longest comes first."""
        due = Q(verified_at__isnull=True) | Q(checked_at__isnull=True) | Q(checked_at__lt=before)
        return self.filter(due).order_by(F("checked_at").asc(nulls_first=True))


class SigningKeyQuerySet(models.QuerySet["SigningKey"]):
    def active(self) -> SigningKeyQuerySet:
        return self.filter(is_active=True)


class SetAsideQuerySet(models.QuerySet["SetAside"]):
    def troubles(self) -> SetAsideQuerySet:
        """What a person should look at: put aside, or failing again and again where nothing is ever put aside."""
        return self.filter(Q(set_aside_at__isnull=False) | Q(failures__gte=3))


class CredentialQuerySet(models.QuerySet["Credential"]):
    def usable(self) -> CredentialQuerySet:
        return self.filter(revoked_at__isnull=True)

    def revoked(self) -> CredentialQuerySet:
        return self.filter(revoked_at__isnull=False)
