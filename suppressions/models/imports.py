"""The files of suppressions that were read in, and how far each has come."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from domains.models import Project


class ImportState(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")


class Import(models.Model):
    """One file. `errors` are its first bad lines: number, text, and what is wrong with it."""

    project = models.ForeignKey(
        Project,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        verbose_name=_("project"),
        help_text=_("Empty: the whole installation."),
    )
    name = models.TextField(_("file"))
    format = models.TextField(_("format"), blank=True, default="")
    state = models.CharField(
        _("state"), max_length=7, choices=ImportState.choices, default=ImportState.WAITING
    )
    lines = models.PositiveIntegerField(_("lines"), default=0)
    added = models.PositiveIntegerField(_("new"), default=0)
    updated = models.PositiveIntegerField(_("known before"), default=0)
    refused = models.PositiveIntegerField(_("refused"), default=0)
    errors = models.JSONField(_("errors"), default=list)
    data = models.BinaryField(_("packed file"), default=b"", editable=False)  # until it is taken in
    created_by = models.TextField(_("made by"))
    created_at = models.DateTimeField(_("given"), db_default=Now())
    ended_at = models.DateTimeField(_("ended"), null=True)
    leased_until = models.DateTimeField(null=True, editable=False)  # by the job that is at it

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ["-id"]
        indexes = [models.Index(fields=["created_at"], name="import_by_time")]

    def __str__(self) -> str:
        return self.name
