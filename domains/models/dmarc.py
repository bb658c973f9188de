"""What receivers report of mail that bears our domains in From (RFC 9990)."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from domains.models.senders import Domain


class DmarcReport(models.Model):
    """One aggregate report of one receiver; it may send the same again."""

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="dmarc_reports")
    organization = models.CharField(_("receiver"), max_length=255)
    report_id = models.CharField(_("id of the report"), max_length=255)
    begins_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"))
    received_at = models.DateTimeField(_("received"), db_default=Now())
    policy = models.JSONField(_("policy that the receiver saw"), default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["domain", "organization", "report_id"], name="dmarc_report_once"
            )
        ]
        indexes = [models.Index(fields=["ends_at"], name="dmarc_report_by_age")]

    def __str__(self) -> str:
        return f"{self.organization} {self.report_id}"


class DmarcCount(models.Model):
    """Messages of one day from one address that one report counts together."""

    report = models.ForeignKey(DmarcReport, on_delete=models.CASCADE, related_name="counts")
    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="dmarc_counts")
    day = models.DateField(_("day"))
    ends_at = models.DateTimeField()  # as of its report: when both are forgotten
    # None: all that one report has beyond the most that is kept of it
    source = models.GenericIPAddressField(_("address"), null=True)
    is_ours = models.BooleanField(_("ours"))
    dkim = models.BooleanField(_("DKIM aligned"))
    spf = models.BooleanField(_("SPF aligned"))
    disposition = models.CharField(_("what was done"), max_length=10)
    header_from = models.CharField(_("From"), max_length=253)
    results = models.TextField(_("what was looked at"), blank=True)
    amount = models.PositiveBigIntegerField(_("messages"))

    class Meta:
        indexes = [
            models.Index(fields=["domain", "day"], name="dmarc_count_by_day"),
            models.Index(fields=["ends_at"], name="dmarc_count_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.source}: {self.amount}"
