"""Mail that came back to us, as it is kept."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from deliveries.message.ids import new_id


class InboundKind(models.TextChoices):
    REPORT = "report", _("At a return path")
    POSTMASTER = "postmaster", _("To postmaster")
    ABUSE = "abuse", _("To abuse")
    FEEDBACK = "feedback", _("To feedback")
    DMARC = "dmarc", _("DMARC report")
    FORENSIC = "forensic", _("DMARC report about one message")


class InboundMail(models.Model):
    """Mail that came to port 25: a report at a return path of ours, a letter to postmaster,
    abuse or feedback, or a DMARC report.
    """

    id = models.UUIDField(_("id"), primary_key=True, default=new_id, editable=False)
    received_at = models.DateTimeField(_("received"), db_default=Now())
    kind = models.CharField(_("kind"), max_length=10, choices=InboundKind.choices)
    delivery_id = models.UUIDField(_("delivery"), null=True, db_index=True)
    # Which sending domain a DMARC report was sent for; it may be gone.
    domain_id = models.BigIntegerField(_("domain"), null=True)
    mail_from = models.TextField(_("reverse-path"), blank=True)
    client_address = models.GenericIPAddressField(_("client address"), null=True)
    data = models.BinaryField(_("compressed bytes"))
    handled_at = models.DateTimeField(_("handled"), null=True)
    finding = models.TextField(_("finding"), blank=True)

    class Meta:
        verbose_name = _("inbound mail")
        verbose_name_plural = _("inbound mail")
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["id"], condition=Q(handled_at__isnull=True), name="inbound_mail_unhandled"
            ),
            models.Index(
                fields=["id"], condition=Q(delivery_id__isnull=True), name="inbound_mail_unproven"
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)
