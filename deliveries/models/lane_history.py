"""What a lane did over time: its pace by the minute, and when it backed off and why."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from deliveries.models.lanes import Lane

LEAST_SENT = 10  # messages between two notes; of fewer, on a lane without any limit, none is made


class LanePace(models.Model):
    """One minute of a lane, from the notes that its agent makes anyway; rates are a second.

    A lane has one agent at a time, so no two write the same row.
    """

    id = models.BigAutoField(primary_key=True)
    lane = models.ForeignKey(
        Lane, models.DO_NOTHING, db_constraint=False, db_index=False, verbose_name=_("lane")
    )
    at = models.DateTimeField(_("at"))
    allowed = models.FloatField(_("allowed by the rule"), null=True)
    learned = models.FloatField(_("learned"), null=True)
    connections = models.PositiveSmallIntegerField(_("connections allowed"))
    sent = models.PositiveIntegerField(_("sent"))

    class Meta:
        verbose_name = _("minute of a lane")
        verbose_name_plural = _("minutes of lanes")
        constraints = [
            models.UniqueConstraint(fields=["lane", "at"], name="lane_pace_once_a_minute")
        ]
        indexes = [models.Index(fields=["at"], name="lane_pace_by_time")]

    def __str__(self) -> str:
        return f"{self.lane_id} {self.at}"


class BackOffKind(models.TextChoices):
    SLOWED = "slowed", _("Slower")
    PAUSED = "paused", _("Paused")
    CLOSED = "closed", _("Paused until somebody resumes it")


class BackOff(models.Model):
    """One answer after which a lane went slower, paused, or was closed."""

    id = models.BigAutoField(primary_key=True)
    lane = models.ForeignKey(
        Lane, models.DO_NOTHING, db_constraint=False, db_index=False, verbose_name=_("lane")
    )
    at = models.DateTimeField(_("at"))
    kind = models.CharField(_("what"), max_length=6, choices=BackOffKind.choices)
    seconds = models.FloatField(_("seconds"), null=True)
    rate = models.FloatField(_("messages a second"), null=True)
    reply = models.TextField(_("answer"))

    class Meta:
        verbose_name = _("back-off")
        verbose_name_plural = _("back-offs")
        indexes = [
            models.Index(fields=["lane", "at"], name="back_off_of_lane"),
            models.Index(fields=["at"], name="back_off_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.reply}"
