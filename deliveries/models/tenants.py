"""What holds for projects whose mail is refused or complained of too often: rules, and where they
hold at this moment.
"""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from deliveries.models.sources import EgressRule, Pool
from domains.models import Project


class TenantMeasure(models.TextChoices):
    ERRORS = "errors", _("Hard bounces")
    COMPLAINTS = "complaints", _("Complaints")


class TenantRule(models.Model):
    """What is done with the mail of a project of which too much is refused or complained of.

    It begins at the threshold and ends below four fifths of it. Until it is live it only says what
    it would do.
    """

    class Action(models.TextChoices):
        PAUSE = "pause", _("Pause the project")
        POOL = "pool", _("Send by another pool")
        SLOW = "slow", _("Take fewer messages a minute")

    name = models.SlugField(_("name"), max_length=40, unique=True)
    project = models.ForeignKey(
        Project, models.CASCADE, null=True, blank=True, verbose_name=_("project"),
        help_text=_("Empty: each project for itself."),
    )  # fmt: skip
    source = models.SlugField(
        _("source"), max_length=40, blank=True, default="",
        help_text=_("Empty: all its mail, whatever source it leaves by."),
    )  # fmt: skip
    measure = models.CharField(_("measure"), max_length=10, choices=TenantMeasure.choices)
    threshold = models.FloatField(_("threshold"), help_text=_("Per cent."))
    least = models.PositiveIntegerField(
        _("of so many deliveries at least"), default=100, db_default=100
    )
    hours = models.PositiveSmallIntegerField(_("within hours"), default=24, db_default=24)
    action = models.CharField(_("what is done"), max_length=5, choices=Action.choices)
    pool = models.ForeignKey(
        Pool, models.PROTECT, null=True, blank=True, related_name="tenant_rules",
        verbose_name=_("pool"),
    )  # fmt: skip
    per_minute = models.PositiveIntegerField(
        _("messages per minute"), null=True, blank=True,
        help_text=_("Of each credential of the project."),
    )  # fmt: skip
    is_live = models.BooleanField(
        _("live"), default=False, db_default=False,
        help_text=_("Otherwise it only says what it would do."),
    )  # fmt: skip
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("rule for tenants")
        verbose_name_plural = _("rules for tenants")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(threshold__gt=0, threshold__lte=100), name="tenant_rule_per_cent"
            ),
            models.CheckConstraint(
                condition=Q(action="pause", pool=None, per_minute=None)
                | Q(action="pool", pool__isnull=False, per_minute=None)
                | Q(action="slow", pool=None, per_minute__gte=1),
                name="tenant_rule_has_what_it_does",
            ),
            models.CheckConstraint(
                condition=Q(hours__gte=1, hours__lte=168, least__gte=1), name="tenant_rule_times"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Raise `ValidationError` where the action lacks its pool or its number."""
        if (self.action == self.Action.POOL) != (self.pool_id is not None):
            raise ValidationError({"pool": _("Name a pool for the action that sends by one.")})
        if (self.action == self.Action.SLOW) != bool(self.per_minute):
            raise ValidationError(
                {"per_minute": _("Give a number of one or more for the action that slows down.")}
            )
        if not 0 < (self.threshold or 0) <= 100:
            raise ValidationError({"threshold": _("Give more than 0 and at most 100 per cent.")})
        if not 1 <= (self.hours or 0) <= 168:
            raise ValidationError({"hours": _("Give 1 to 168 hours.")})

    @property
    def deed(self) -> str:
        """Say in English what it does, as the audit log does."""
        if self.action == self.Action.POOL:
            return f"send by the pool {self.pool}"
        return f"take {self.per_minute} messages a minute" if self.per_minute else "pause it"


class TenantCase(models.Model):
    """A project to which a rule applies, from the threshold until it is good again."""

    rule = models.ForeignKey(
        TenantRule, models.CASCADE, related_name="cases", verbose_name=_("rule")
    )
    project = models.ForeignKey(
        Project, models.CASCADE, related_name="tenant_cases", verbose_name=_("project")
    )
    opened_at = models.DateTimeField(_("since"), db_default=Now())
    ended_at = models.DateTimeField(_("ended"), null=True)
    rate = models.FloatField(_("rate"), help_text=_("Per cent, when it was opened."))
    amount = models.PositiveIntegerField(_("errors or complaints"))
    total = models.PositiveIntegerField(_("deliveries"))
    has_acted = models.BooleanField(
        pgettext_lazy("of an action", "done"), default=False, db_default=False
    )
    # What it has set, and takes back: the number is read where messages are accepted.
    per_minute = models.PositiveIntegerField(_("messages per minute"), null=True)
    egress_rule = models.ForeignKey(
        EgressRule, models.SET_NULL, null=True, verbose_name=_("egress rule")
    )

    class Meta:
        verbose_name = _("case of a tenant")
        verbose_name_plural = _("cases of tenants")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "project"], condition=Q(ended_at__isnull=True),
                name="tenant_case_open_once",
            )
        ]  # fmt: skip
        indexes = [
            models.Index(
                fields=["ended_at"], condition=Q(ended_at__isnull=False), name="tenant_case_by_end"
            ),
            models.Index(
                fields=["project"], condition=Q(per_minute__isnull=False), name="tenant_case_slows"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.project}: {self.rate:.2f} %"
