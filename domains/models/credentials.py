"""The credentials by which apps hand mail in."""

from datetime import datetime
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from domains.models.sandboxing import OwnSandbox
from domains.models.senders import Domain, Project, name_validator


class CredentialQuerySet(models.QuerySet["Credential"]):
    def usable(self) -> Self:
        return self.filter(revoked_at__isnull=True)

    def revoked(self) -> Self:
        return self.filter(revoked_at__isnull=False)


class CredentialKind(models.TextChoices):
    PASSWORD = "password", _("User name and secret")
    NETWORK = "network", _("Trusted network")


class Credential(OwnSandbox):
    """What an app shows to send: a user name with a generated secret, or the network it sends
    from.
    """

    class PriorityLevel(models.IntegerChoices):
        BULK = 0, _("Bulk")
        NORMAL = 1, _("Normal")
        URGENT = 2, _("Urgent")

    project = models.ForeignKey(
        Project, on_delete=models.PROTECT, related_name="credentials", verbose_name=_("project")
    )
    name = models.CharField(_("name"), max_length=63, validators=[name_validator])
    kind = models.CharField(
        _("kind"), max_length=8, choices=CredentialKind.choices, default=CredentialKind.PASSWORD
    )
    username = models.CharField(
        _("user name"), max_length=128, unique=True, null=True, blank=True, editable=False
    )
    secret_hash = models.BinaryField(_("hash of the secret"), null=True, editable=False)
    networks = ArrayField(
        models.CharField(max_length=49),
        verbose_name=_("client networks"),
        default=list,
        blank=True,
        help_text=_("CIDR blocks; empty: from anywhere (never for a trusted network)."),
    )
    domains = models.ManyToManyField(
        Domain,
        verbose_name=_("From domains"),
        blank=True,
        help_text=_("Empty: all verified domains of the project."),
    )
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)
    last_used_from = models.GenericIPAddressField(
        _("last used from"), null=True, blank=True, editable=False
    )
    priority = models.PositiveSmallIntegerField(
        _("priority"), choices=PriorityLevel.choices, default=PriorityLevel.NORMAL
    )
    highest_priority = models.PositiveSmallIntegerField(
        _("highest priority"),
        choices=PriorityLevel.choices,
        default=PriorityLevel.URGENT,
        db_default=PriorityLevel.URGENT,
        help_text=_("That a message may ask for by MT-PRIORITY or X-Ekiden-Priority."),
    )
    max_size = models.PositiveIntegerField(
        _("message size limit"), null=True, blank=True, help_text=_("In bytes.")
    )
    max_recipients = models.PositiveIntegerField(_("recipients per message"), null=True, blank=True)
    per_minute = models.PositiveIntegerField(_("messages per minute"), null=True, blank=True)
    per_day = models.PositiveIntegerField(_("messages per day"), null=True, blank=True)
    max_sessions = models.PositiveIntegerField(_("sessions at once"), null=True, blank=True)

    objects = CredentialQuerySet.as_manager()

    class Meta:
        verbose_name = _("credential")
        verbose_name_plural = _("credentials")
        ordering = ["project", "name"]
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="credential_once_per_project"),
            models.CheckConstraint(
                condition=Q(kind="password", username__isnull=False, secret_hash__isnull=False)
                | (
                    Q(kind="network", username__isnull=True, secret_hash__isnull=True)
                    & ~Q(networks=[])
                ),
                name="credential_has_a_proof",
                violation_error_message=_("A trusted network needs at least one client network."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.project}/{self.name}"

    def clean(self) -> None:
        if self.priority > self.highest_priority:
            raise ValidationError(
                _("The priority is above the highest that a message may ask for.")
            )

    @property
    def is_revoked(self) -> bool:
        return self.revoked_at is not None

    def revoke(self, *, now: datetime) -> None:
        """End its use; listeners notice within a second."""
        self.revoked_at = self.revoked_at or now
        self.save(update_fields=["revoked_at"])
