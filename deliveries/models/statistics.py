"""What has ended, added up, and what the sums gave cause to warn of."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from domains.models import Credential, Project


class Tally(models.Model):
    """A difference to the number of deliveries that ended in one hour: the sum over a key's rows
    counts, never a single row.

    Each group of the ledger adds rows of its own, so that no two workers wait for one another's
    counter; a job merges them. `category` is "delivered", "suppressed", or the class of the
    failure. A late bounce is one less delivered and one more of its class.
    """

    id = models.BigAutoField(primary_key=True)
    hour = models.DateTimeField(_("hour"))
    project = models.ForeignKey(
        Project, models.DO_NOTHING, db_constraint=False, db_index=False, verbose_name=_("project")
    )
    credential_id = models.BigIntegerField(_("credential"))
    provider = models.TextField(_("provider"))
    category = models.CharField(_("class"), max_length=17)
    is_hard = models.BooleanField(_("hard"))
    amount = models.IntegerField(_("amount"))

    class Meta:
        verbose_name = _("tally")
        verbose_name_plural = _("tallies")
        indexes = [models.Index(fields=["hour", "project"], name="tally_by_hour")]

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H}: {self.amount} {self.category}"


class Alert(models.Model):
    """A credential's hard-bounce rate passed its project's threshold."""

    credential = models.ForeignKey(
        Credential, on_delete=models.CASCADE, related_name="alerts", verbose_name=_("credential")
    )
    opened_at = models.DateTimeField(_("since"), db_default=Now())
    ended_at = models.DateTimeField(_("ended"), null=True)
    rate = models.FloatField(_("rate"), help_text=_("Per cent, when it was opened."))
    bounced = models.PositiveIntegerField(_("hard bounces"))
    total = models.PositiveIntegerField(_("deliveries"))
    hours = models.PositiveSmallIntegerField(_("within hours"))
    has_paused = models.BooleanField(_("the credential was paused"), default=False)

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["credential"], condition=Q(ended_at__isnull=True), name="alert_open_once"
            )
        ]
        indexes = [
            models.Index(
                fields=["ended_at"], condition=Q(ended_at__isnull=False), name="alert_by_end"
            )
        ]

    def __str__(self) -> str:
        return f"{self.credential}: {self.rate:.1f} %"
