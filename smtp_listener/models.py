"""What the sandbox MX has received."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class SandboxMessage(models.Model):
    """One message that the sandbox MX accepted; only the last ones are kept."""

    received_at = models.DateTimeField(_("received"), db_default=Now())
    mail_from = models.TextField(_("reverse-path"), blank=True)
    recipient = models.TextField(_("recipient"))
    tls = models.TextField(_("TLS"), blank=True)
    data = models.BinaryField(_("bytes as they came"))

    class Meta:
        verbose_name = _("sandbox message")
        verbose_name_plural = _("sandbox mailbox")
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.recipient
