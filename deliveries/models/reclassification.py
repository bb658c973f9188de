"""A second look at the answers of the last weeks, with the rules of today."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class ReclassificationState(models.TextChoices):
    COUNTING = "counting", _("Counting")
    COUNTED = "counted", _("Counted")
    APPLYING = "applying", _("Under way")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")


class Reclassification(models.Model):
    """First counted, and carried out only when somebody has seen the counts.

    `table` has [class before, class after, hard before, hard after, amount] of each change.
    """

    state = models.CharField(
        _("state"),
        max_length=8,
        choices=ReclassificationState.choices,
        default=ReclassificationState.COUNTING,
    )
    version = models.CharField(_("version of the rules"), max_length=80, blank=True, default="")
    seen = models.PositiveIntegerField(_("looked at"), default=0)
    changed = models.PositiveIntegerField(_("would be another"), default=0)
    table = models.JSONField(_("before and after"), default=list)
    lifted = models.PositiveIntegerField(_("suppressions lifted"), default=0)
    renewed = models.PositiveIntegerField(_("addresses judged anew"), default=0)
    created_by = models.TextField(_("made by"))
    created_at = models.DateTimeField(_("given"), db_default=Now())
    ended_at = models.DateTimeField(_("ended"), null=True)
    leased_until = models.DateTimeField(null=True, editable=False)  # by the job that is at it

    class Meta:
        verbose_name = _("second look")
        verbose_name_plural = _("second looks")
        ordering = ["-id"]
        indexes = [models.Index(fields=["created_at"], name="second_look_by_time")]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"
