"""What the listener refused of an app, so that it leaves a trace: many clients call a message sent
though a recipient was refused.
"""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from domains.models import Project


class Refusal(models.Model):
    """One recipient that was refused, or one of a message that was; written soon after by the
    listener, and not all of a flood.

    As on the rest of the mail's path there are no foreign-key constraints.
    """

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(_("at"), default=timezone.now)
    project = models.ForeignKey(
        Project, models.DO_NOTHING, db_constraint=False, db_index=False, verbose_name=_("project")
    )
    credential_id = models.BigIntegerField(_("credential"))
    mail_from = models.TextField(_("reverse-path"), blank=True)
    recipient = models.TextField(_("recipient"), blank=True)
    recipient_key = models.TextField(_("recipient key"), blank=True)
    command = models.CharField(_("command"), max_length=4)
    code = models.PositiveSmallIntegerField(_("code"))
    enhanced = models.CharField(_("enhanced code"), max_length=11, blank=True)
    text = models.TextField(_("text"))

    class Meta:
        verbose_name = _("refusal")
        verbose_name_plural = _("refusals")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["recipient_key", "id"], name="refusal_by_recipient"),
            models.Index(fields=["project", "id"], name="refusal_by_project"),
            models.Index(fields=["at"], name="refusal_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.enhanced} {self.text}"
