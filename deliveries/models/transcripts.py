"""What was said with a receiver at an attempt, where a project or a person wants it kept."""

from __future__ import annotations

import json
from typing import Any

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from deliveries.models.messages import Delivery


class Transcript(models.Model):
    """The SMTP dialogue of one attempt, which has the same delivery and time.

    As on the rest of the mail's path there are no foreign-key constraints.
    """

    id = models.BigAutoField(primary_key=True)
    delivery = models.ForeignKey(
        Delivery, models.DO_NOTHING, db_constraint=False, verbose_name=_("delivery")
    )
    at = models.DateTimeField(_("at"))
    lines = models.TextField(_("lines"))
    expires_at = models.DateTimeField(_("kept until"), db_index=True)

    class Meta:
        verbose_name = _("transcript")
        verbose_name_plural = _("transcripts")

    def __str__(self) -> str:
        return f"{self.delivery_id} {self.at}"

    @property
    def said(self) -> list[tuple[float, str, str, str]]:
        """Seconds since the connection, who, what, and the stage of each line."""
        given: Any = json.loads(self.lines)
        return [(float(at), str(who), str(what), str(stage)) for at, who, what, stage in given]


class TranscriptRequest(models.Model):
    """A person wants the dialogue of this delivery's next attempt, whatever its project keeps."""

    delivery = models.OneToOneField(
        Delivery,
        models.DO_NOTHING,
        primary_key=True,
        db_constraint=False,
        verbose_name=_("delivery"),
    )
    at = models.DateTimeField(_("at"), db_default=Now(), db_index=True)
    by = models.TextField(_("by"))

    class Meta:
        verbose_name = _("request for a transcript")
        verbose_name_plural = _("requests for transcripts")

    def __str__(self) -> str:
        return str(self.delivery_id)
