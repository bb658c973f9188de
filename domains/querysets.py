"""The named queries about projects, domains, keys and credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

if TYPE_CHECKING:
    from domains.models import Credential, Domain, SigningKey  # noqa: F401  (names for the generic querysets)


class DomainQuerySet(models.QuerySet["Domain"]):
    def verified(self) -> DomainQuerySet:
        return self.filter(verified_at__isnull=False)

    def unverified(self) -> DomainQuerySet:
        return self.filter(verified_at__isnull=True)


class SigningKeyQuerySet(models.QuerySet["SigningKey"]):
    def active(self) -> SigningKeyQuerySet:
        return self.filter(is_active=True)


class CredentialQuerySet(models.QuerySet["Credential"]):
    def usable(self) -> CredentialQuerySet:
        return self.filter(revoked_at__isnull=True)
