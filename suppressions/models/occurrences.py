"""What was learned about an address, one row for each refusal, bounce, complaint or
unsubscription.
"""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from domains.models import Project
from suppressions.classes import MEANINGS, Class, Meaning
from suppressions.models.suppressions import CATEGORY_LENGTH


class OccurrenceKind(models.TextChoices):
    REPLY = "reply", _("A reply")
    REPORT = "report", _("A report")
    EXPIRY = "expiry", _("The end of its time")
    COMPLAINT = "complaint", _("A complaint")
    UNSUBSCRIBE = "unsubscribe", _("An unsubscription")


class Occurrence(models.Model):
    """Written in the transaction that ends the delivery, and looked at by `suppressions.recording`
    soon after.

    As on the rest of the mail's path there are no foreign-key constraints: the rows come with the
    ledger's statement.
    """

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(_("at"), db_default=Now())
    project = models.ForeignKey(
        Project, models.DO_NOTHING, db_constraint=False, db_index=False, verbose_name=_("project")
    )
    credential_id = models.BigIntegerField(_("credential"), default=0)
    address_key = models.TextField(_("address"))
    kind = models.CharField(_("kind"), max_length=11, choices=OccurrenceKind.choices)
    category = models.CharField(_("class"), max_length=CATEGORY_LENGTH)
    is_hard = models.BooleanField(_("hard"))
    provider = models.TextField(_("provider"), blank=True, default="")
    delivery_id = models.UUIDField(_("delivery"), null=True)
    inbound_id = models.UUIDField(_("inbound mail"), null=True)
    stage = models.CharField(_("stage"), max_length=11, blank=True, default="")
    host = models.TextField(_("host"), blank=True, default="")
    code = models.PositiveSmallIntegerField(_("code"), null=True)
    enhanced = models.CharField(_("enhanced code"), max_length=11, blank=True, default="")
    text = models.TextField(_("text"), blank=True, default="")
    rule = models.TextField(_("rule"), blank=True, default="")
    handled_at = models.DateTimeField(_("handled"), null=True)
    # Lifted by a person or disproved by a delivery on probation: what was before counts no more.
    is_void = models.BooleanField(_("counts no more"), default=False, db_default=False)
    # Learned under a brake: it counts (again) if a person believes it.
    is_held = models.BooleanField(_("held"), default=False, db_default=False, editable=False)

    class Meta:
        verbose_name = _("occurrence")
        verbose_name_plural = _("occurrences")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["address_key", "project", "at"], name="occurrence_by_address"),
            models.Index(fields=["project", "at"], name="occurrence_by_project"),
            models.Index(fields=["at"], name="occurrence_by_time"),
            models.Index(
                fields=["id"], condition=Q(handled_at__isnull=True), name="occurrence_unhandled"
            ),
            models.Index(fields=["category"], condition=Q(is_held=True), name="occurrence_held"),
        ]

    def __str__(self) -> str:
        return f"{self.address_key}: {self.category}"

    @property
    def meaning(self) -> Meaning | None:
        return MEANINGS[Class(self.category)] if self.category else None
