"""What a project makes of refusals and complaints, row by row; a project without a row has the
standard.
"""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from domains.models import Project
from suppressions.policy import STANDARD, Rules

PERCENT = [MinValueValidator(0), MaxValueValidator(100)]
DAYS = [MinValueValidator(1), MaxValueValidator(3650)]


class Policy(models.Model):
    """`rules` is what the decisions are made by; the preset is only where the values came from."""

    class Preset(models.TextChoices):
        STANDARD = "standard", _("Standard")
        STRICT = "strict", _("Strict")
        LENIENT = "lenient", _("Lenient")
        COMPLAINTS = "complaints", _("Complaints only")
        CUSTOM = "custom", _("Its own")

    class OnSuppressed(models.TextChoices):
        REFUSE = "refuse", _("Refuse the recipient at once (550)")
        DROP = "drop", _("Accept the message and drop it, with an event")

    project = models.OneToOneField(
        Project, on_delete=models.CASCADE, related_name="policy", verbose_name=_("project")
    )
    preset = models.CharField(
        _("preset"), max_length=10, choices=Preset.choices, default=Preset.STANDARD
    )
    permanent = models.PositiveSmallIntegerField(
        _("hard bounces"), default=STANDARD.permanent, help_text=_("So many suppress; 0: never.")
    )
    temporary = models.PositiveSmallIntegerField(
        _("soft bounces"), default=STANDARD.temporary, help_text=_("So many suppress; 0: never.")
    )
    unknown = models.PositiveSmallIntegerField(
        _("bounces without a reason"),
        default=STANDARD.unknown,
        help_text=_("So many suppress; 0: never."),
    )
    within_days = models.PositiveSmallIntegerField(
        _("within days"),
        default=STANDARD.within_days,
        validators=[*DAYS[:1], MaxValueValidator(90)],
    )
    is_in_a_row = models.BooleanField(
        _("in a row"),
        default=STANDARD.is_in_a_row,
        help_text=_("A delivery in between begins the count anew."),
    )
    full_days = models.PositiveSmallIntegerField(
        _("days of a full mailbox"),
        default=STANDARD.full_days,
        validators=[MaxValueValidator(45)],
        help_text=_("Full for so long suppresses; 0: never."),
    )
    heeds_complaints = models.BooleanField(
        _("complaints suppress"), default=STANDARD.heeds_complaints
    )
    lasts_days = models.PositiveSmallIntegerField(
        _("ends after days"),
        null=True,
        blank=True,
        validators=DAYS,
        help_text=_("Empty: until somebody lifts it."),
    )
    permanent_probation_days = models.PositiveSmallIntegerField(
        _("probation of a dead address after days"), null=True, blank=True,
        default=STANDARD.permanent_probation_days, validators=DAYS,
        help_text=_("Then one message may try it: success lifts the suppression, failure renews "
            "it. Empty: never."),
    )  # fmt: skip
    other_probation_days = models.PositiveSmallIntegerField(
        _("probation of others after days"), null=True, blank=True,
        default=STANDARD.other_probation_days, validators=DAYS,
        help_text=_("Empty: never."),
    )  # fmt: skip
    on_suppressed = models.CharField(
        _("mail to a suppressed address"),
        max_length=6,
        choices=OnSuppressed.choices,
        default=OnSuppressed.REFUSE,
    )
    adds_unsubscribe = models.BooleanField(
        _("add one-click unsubscribe"),
        default=False,
        help_text=_("RFC 8058 header fields in messages to one recipient."),
    )
    alert_rate = models.DecimalField(
        _("alert above a hard-bounce rate of"), max_digits=5, decimal_places=2, default=5,
        validators=PERCENT,
        help_text=_("Per cent of a credential's ended deliveries; 0: no alert."),
    )  # fmt: skip
    alert_least = models.PositiveIntegerField(
        _("of at least so many deliveries"), default=100, validators=[MinValueValidator(1)]
    )
    alert_hours = models.PositiveSmallIntegerField(
        _("within hours"), default=24, validators=[MinValueValidator(1), MaxValueValidator(168)]
    )
    pauses_credential = models.BooleanField(_("pause the credential at an alert"), default=False)
    changed_at = models.DateTimeField(_("changed"), db_default=Now())

    class Meta:
        verbose_name = _("suppression policy")
        verbose_name_plural = _("suppression policies")
        constraints = [
            models.CheckConstraint(condition=Q(within_days__gte=1), name="policy_looks_at_a_day")
        ]

    def __str__(self) -> str:
        return str(self.project)

    @property
    def rules(self) -> Rules:
        return Rules(**{name: getattr(self, name) for name in Rules.__slots__})
