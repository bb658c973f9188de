"""Whom we must not write to, and why."""

from datetime import datetime
from typing import Self

from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now, Reverse
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from domains.foundation.text.texts import storable
from domains.models import Project
from suppressions.classes import MEANINGS, Class, Meaning
from suppressions.fields import CurrentTransaction, TransactionIdField
from suppressions.keys import known_key

# The classes of `suppressions.classes`, or no class: a person's own reason.
CATEGORY_LENGTH = 17


class SuppressionQuerySet(models.QuerySet["Suppression"]):
    def on_probation(self) -> Self:
        """Choose the rows whose address a delivery is trying, or has."""
        return self.filter(probe_id__isnull=False).order_by("pk")

    def over(self, *, now: datetime) -> Self:
        return self.filter(until__isnull=False, until__lte=now)

    def covering(self, project_id: int, address_key: str) -> Self:
        """Choose the rows that forbid this project to write to this address, whatever the sending
        domain.
        """
        return self.filter(
            Q(project_id=project_id) | Q(project__isnull=True),
            address_key__in=_with_domain(address_key),
        )

    def matching(self, text: str) -> Self:
        """Find among these by a whole address (with what covers its domain), by "@domain" (with all
        its addresses), or by how an address begins.
        """
        text = storable(text).strip().strip("<>")
        key = known_key(text)
        if key is not None and not key.startswith("@"):
            return self.filter(address_key__in=_with_domain(key))
        if key is not None:
            return self.alias(turned=Reverse("address_key")).filter(turned__startswith=key[::-1])
        return self.filter(address_key__startswith=text.lower())


class Suppression(models.Model):
    """An address, or all addresses of a domain, that the installation, a project, or one of its
    sending domains does not write to.
    """

    class SuppressedBy(models.TextChoices):
        AUTOMATIC = "automatic", _("Automatic")
        COMPLAINT = "complaint", _("Complaint")
        UNSUBSCRIBE = "unsubscribe", _("Unsubscribe")
        IMPORTED = "imported", _("Imported")
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
    sender_domain = models.CharField(
        _("sending domain"),
        max_length=253,
        blank=True,
        default="",
        db_default="",
        help_text=_("Only mail whose reverse-path has this domain; empty: all."),
    )
    address_key = models.CharField(
        _("address"),
        max_length=320,
        help_text=_("The canonical key of the address; @domain for all of a domain."),
    )
    source = models.CharField(
        pgettext_lazy("of a suppression", "source"),
        max_length=11,
        choices=SuppressedBy.choices,
        default=SuppressedBy.PERSON,
    )
    category = models.CharField(
        _("class"), max_length=CATEGORY_LENGTH, blank=True, default="", db_default=""
    )
    is_hard = models.BooleanField(
        _("hard"), default=False, db_default=False, help_text=_("The address itself is dead.")
    )
    reason = models.TextField(_("reason"))
    # What was said: kind, stage, host, code, enhanced, text, rule, delivery, inbound; as far as
    # there is such a thing.
    evidence = models.JSONField(_("evidence"), default=dict, db_default={}, blank=True)
    first_seen_at = models.DateTimeField(_("first seen"), db_default=Now())
    last_seen_at = models.DateTimeField(_("last seen"), db_default=Now())
    count = models.PositiveIntegerField(_("how often"), default=1, db_default=1)
    until = models.DateTimeField(
        _("until"), null=True, blank=True, help_text=_("Empty: until somebody lifts it.")
    )
    probation_at = models.DateTimeField(
        _("tried again"),
        null=True,
        blank=True,
        help_text=_("From then on one message may try the address; empty: never."),
    )
    probe_id = models.UUIDField(_("the delivery that tries"), null=True, blank=True, editable=False)
    probe_until = models.DateTimeField(null=True, blank=True, editable=False)
    created_by = models.TextField(_("made by"), blank=True, default="", db_default="")
    created_at = models.DateTimeField(_("since"), db_default=Now(), editable=False)
    # Who keeps a copy of the list asks for what came after its last look (`suppressions.index`).
    made_in = TransactionIdField(db_default=CurrentTransaction(), editable=False)

    objects = SuppressionQuerySet.as_manager()

    class Meta:
        verbose_name = _("suppression")
        verbose_name_plural = _("suppressions")
        constraints = [
            models.UniqueConstraint(
                fields=["address_key", "project", "sender_domain"],
                nulls_distinct=False,
                name="suppression_once_per_scope",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="suppression_has_a_reason"),
            models.CheckConstraint(
                condition=Q(sender_domain="") | Q(project__isnull=False),
                name="suppression_of_a_domain_has_a_project",
            ),
            models.CheckConstraint(
                condition=Q(probe_id__isnull=True) | Q(probe_until__isnull=False),
                name="suppression_probe_ends",
            ),
        ]
        indexes = [
            models.Index(fields=["made_in"], name="suppression_by_transaction"),
            models.Index(fields=["project", "-id"], name="suppression_newest"),
            models.Index(
                fields=["probe_id"],
                condition=Q(probe_id__isnull=False),
                name="suppression_on_probation",
            ),
            models.Index(
                OpClass("address_key", "varchar_pattern_ops"), name="suppression_by_beginning"
            ),
            models.Index(
                OpClass(Reverse("address_key"), "text_pattern_ops"), name="suppression_by_domain"
            ),
            models.Index(
                fields=["until"], condition=Q(until__isnull=False), name="suppression_by_end"
            ),
        ]

    def __str__(self) -> str:
        return self.address_key

    @property
    def meaning(self) -> Meaning | None:
        """What the class means to people; None for a person's own reason."""
        return MEANINGS[Class(self.category)] if self.category else None

    @property
    def shown_reason(self) -> str:
        """The reason with its class in the reader's language."""
        title, colon, said = self.reason.partition(": ")
        is_class = self.meaning is not None and title == self.meaning.title
        return f"{gettext(title)}{colon}{said}" if is_class else self.reason


def _with_domain(key: str) -> list[str]:
    return [key, f"@{key.rpartition('@')[2]}"]
