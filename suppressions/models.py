"""Whom we must not write to, and why."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from domains.models import Project
from suppressions.querysets import SuppressionQuerySet


class Suppression(models.Model):
    """One address that a project, or the whole installation, does not write to."""

    class Source(models.TextChoices):
        AUTOMATIC = "automatic", _("Automatic")
        COMPLAINT = "complaint", _("Complaint")
        PERSON = "person", _("A person")

    project = models.ForeignKey(
        Project,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="suppressions",
        verbose_name=_("project"),
        help_text=_("Empty: the whole installation."),
    )
    address_key = models.CharField(_("address"), max_length=320, help_text=_("The canonical key of the address."))
    source = models.CharField(_("source"), max_length=10, choices=Source.choices, default=Source.PERSON)
    reason = models.TextField(_("reason"))
    created_at = models.DateTimeField(_("since"), db_default=Now(), editable=False)

    objects = SuppressionQuerySet.as_manager()

    class Meta:
        verbose_name = _("suppression")
        verbose_name_plural = _("suppressions")
        constraints = [
            models.UniqueConstraint(fields=["address_key", "project"], nulls_distinct=False, name="suppression_once_per_scope"),
            models.CheckConstraint(condition=~Q(reason=""), name="suppression_has_a_reason"),
        ]

    def __str__(self) -> str:
        return self.address_key
