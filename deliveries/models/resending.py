"""Which message was resent as which, so that each of the two leads to the other."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from deliveries.models.messages import Message


class Resending(models.Model):
    """One message that a person sent again to another address; gone with either of the two.

    As on the rest of the mail's path there are no foreign-key constraints.
    """

    message = models.OneToOneField(
        Message,
        models.DO_NOTHING,
        primary_key=True,
        db_constraint=False,
        related_name="resent_from",
        verbose_name=_("message"),
    )
    original = models.ForeignKey(
        Message,
        models.DO_NOTHING,
        db_constraint=False,
        related_name="resent_as",
        verbose_name=_("resent from"),
    )
    recipient = models.TextField(_("recipient"))
    at = models.DateTimeField(_("at"), db_default=Now())
    by = models.TextField(_("by"))

    class Meta:
        verbose_name = _("resending")
        verbose_name_plural = _("resendings")

    def __str__(self) -> str:
        return f"{self.original_id} → {self.recipient}"
