"""What is wrong with a domain, as long as it is."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from domains.models.senders import Domain


class DomainAlertKind(models.TextChoices):
    RETURN_PATH = "return-path", _("Return path")
    OWNERSHIP = "ownership", _("Ownership")
    SUBDOMAINS = "subdomains", _("Names below it")
    KEY_GONE = "key-gone", _("Record of the new key")
    KEY_REFUSED = "key-refused", _("Signatures of the new key")


class DomainAlert(models.Model):
    """One kind of trouble with a domain: since when, of what it speaks, and when it ended."""

    domain = models.ForeignKey(
        Domain, on_delete=models.CASCADE, related_name="alerts", verbose_name=_("domain")
    )
    kind = models.CharField(_("kind"), max_length=20, choices=DomainAlertKind.choices)
    given = models.JSONField(default=dict)
    opened_at = models.DateTimeField(_("since"))
    repeated_at = models.DateTimeField(_("said again"), null=True)
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        verbose_name = _("alert of a domain")
        verbose_name_plural = _("alerts of domains")
        ordering = ["-opened_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["domain", "kind"],
                condition=Q(ended_at__isnull=True),
                name="domain_alert_open_once",
            )
        ]
        indexes = [
            models.Index(
                fields=["ended_at"],
                condition=Q(ended_at__isnull=False),
                name="domain_alert_by_end",
            )
        ]

    def __str__(self) -> str:
        return f"{self.domain}: {self.kind}"
