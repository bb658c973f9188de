"""What large receivers ask of who sends to them."""

from typing import Self

from django.core.validators import URLValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from domains.models import name_validator


class ReceiverDemandQuerySet(models.QuerySet["ReceiverDemand"]):
    def in_force(self) -> Self:
        return self.filter(is_asked=True).order_by("receiver", "name")


class DemandMeasure(models.TextChoices):
    SPF_OR_DKIM = "spf-or-dkim", _("SPF or DKIM passes")
    SPF = "spf", _("SPF passes")
    SPF_AND_DKIM = "spf-and-dkim", _("SPF and DKIM pass")
    DMARC = "dmarc", _("A DMARC policy is published")
    ALIGNED = "aligned", _("SPF or DKIM aligns with From")
    PTR = "ptr", _("Source addresses have forward-confirmed reverse DNS")
    TLS = "tls", _("Mail is handed over by TLS")
    COMPLAINTS = "complaints", _("Complaints stay below the limit")
    ONE_CLICK = "one-click", _("Bulk mail unsubscribes with one click")


class ReceiverDemand(models.Model):
    """One thing that one receiver asks for, with the page that says so and the day it was read."""

    name = models.CharField(_("name"), max_length=63, unique=True, validators=[name_validator])
    receiver = models.CharField(
        _("receiver"), max_length=63, help_text=_("The name of its rule for receivers.")
    )
    measure = models.CharField(_("what it asks for"), max_length=12, choices=DemandMeasure.choices)
    limit = models.FloatField(
        _("limit"), null=True, blank=True, help_text=_("Per cent, for complaints and TLS.")
    )
    asked_from = models.PositiveIntegerField(
        _("messages a day"),
        default=0,
        help_text=_("Asked of who sends as many to this receiver. 0: of everybody."),
    )
    since = models.DateField(_("asked since"), null=True, blank=True)
    source = models.CharField(
        pgettext_lazy("of a claim", "source"),
        max_length=300,
        validators=[URLValidator(["https", "http"])],
    )
    read_on = models.DateField(_("source read on"))
    is_asked = models.BooleanField(_("is looked at"), default=True)
    is_shipped = models.BooleanField(_("shipped"), default=False, editable=False)
    is_edited = models.BooleanField(_("changed here"), default=False, editable=False)

    objects = ReceiverDemandQuerySet.as_manager()

    class Meta:
        verbose_name = _("demand of a receiver")
        verbose_name_plural = _("demands of receivers")
        ordering = ["receiver", "name"]

    def __str__(self) -> str:
        return self.name
