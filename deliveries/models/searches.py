"""What a person keeps of the page that finds messages: searches by name, and exports."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class SavedSearch(models.Model):
    """One person's search under a name; `query` is what the page's address then holds."""

    owner = models.CharField(_("person"), max_length=150)
    name = models.CharField(_("name"), max_length=60)
    query = models.TextField(_("query"))
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("saved search")
        verbose_name_plural = _("saved searches")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="saved_search_once_per_name")
        ]

    def __str__(self) -> str:
        return self.name


class ExportState(models.TextChoices):
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")


class MessageExport(models.Model):
    """Messages that a person had written into a file, a batch at a time; its parts are the file."""

    created_by = models.CharField(_("by"), max_length=150)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    query = models.JSONField(_("query"), default=dict)
    # Whose messages the person may see; null: all.
    projects = ArrayField(models.BigIntegerField(), null=True)
    state = models.CharField(
        _("state"),
        max_length=7,
        choices=ExportState.choices,
        default=ExportState.RUNNING,
        editable=False,
    )
    messages = models.PositiveIntegerField(_("messages"), default=0)
    rows = models.PositiveIntegerField(_("rows"), default=0)
    position = models.UUIDField(null=True, editable=False)  # the last message that is written
    ended_at = models.DateTimeField(_("ended"), null=True, editable=False)
    leased_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("export")
        verbose_name_plural = _("exports")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["created_at"], name="export_by_time"),
            models.Index(
                fields=["id"], condition=models.Q(ended_at__isnull=True), name="export_unfinished"
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class ExportPart(models.Model):
    """A part of an export's file, compressed; they go as old as the export does."""

    export = models.ForeignKey(
        MessageExport, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="parts"
    )
    number = models.PositiveIntegerField()
    at = models.DateTimeField(db_default=Now())
    data = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["export", "number"], name="export_part_once")
        ]
        indexes = [models.Index(fields=["at"], name="export_part_by_time")]

    def __str__(self) -> str:
        return f"{self.export_id}.{self.number}"
