"""How a domain's DNS looked at the last check, and every difference between two checks."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from domains.models.senders import Domain


class DomainReport(models.Model):
    """What the last check of a domain saw, as `domains.identity.checking` writes it."""

    domain = models.OneToOneField(
        Domain, on_delete=models.CASCADE, primary_key=True, related_name="report"
    )
    checked_at = models.DateTimeField(_("last checked"))
    report = models.JSONField(default=dict)

    def __str__(self) -> str:
        return str(self.domain)


class DomainChange(models.Model):
    """One thing of a domain's DNS that a check saw differently from the one before."""

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="changes")
    at = models.DateTimeField(_("time"), db_default=Now())
    subject = models.CharField(_("record"), max_length=300)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)

    class Meta:
        indexes = [
            models.Index(fields=["domain", "-at"], name="domain_change_by_domain"),
            models.Index(fields=["at"], name="domain_change_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.domain}: {self.subject}"
