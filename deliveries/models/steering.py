"""What people say about how mail flows: rules for receivers, what is paused, and orders for many
deliveries at once.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from deliveries.models.lanes import Route
from deliveries.models.messages import Delivery
from domains.models import Credential, Project


class StopQuerySet(models.QuerySet["Stop"]):
    def covering(self, delivery: Delivery) -> Self:
        """Choose what is stopped that this delivery belongs to."""
        own = (
            models.Q(project=delivery.project_id)
            | models.Q(credential=delivery.flow)
            | models.Q(domain=delivery.domain)
        )
        return self.filter(own | models.Q(scope="all")).select_related(
            "project", "credential__project"
        )


class ShapingRuleQuerySet(models.QuerySet["ShapingRule"]):
    def must_have(self, names: Iterable[str]) -> None:
        """Raise `ValidationError` where one of these names is no rule's; it says which are meant,
        or all.
        """
        known = sorted(self.values_list("name", flat=True))
        for name in sorted(set(names) - set(known)):
            meant = get_close_matches(name, known, n=3) or known
            raise ValidationError(
                gettext("No receiver has a shaping rule with the name %(name)s. Known: %(known)s.")
                % {"name": name, "known": ", ".join(meant)}
            )


class ShapingRule(models.Model):
    """How one receiver wants to be written to. A limit that is empty is the default rule's."""

    DEFAULT = "default"

    name = models.SlugField(_("name"), max_length=40, primary_key=True)
    title = models.CharField(_("receiver"), max_length=100)
    mx_suffixes = ArrayField(
        models.CharField(max_length=253),
        verbose_name=_("MX host suffixes"),
        default=list,
        blank=True,
    )
    domains = ArrayField(
        models.CharField(max_length=253),
        verbose_name=_("recipient domains"),
        default=list,
        blank=True,
    )
    connections = models.PositiveIntegerField(_("connections at once"), null=True, blank=True)
    connections_per_minute = models.PositiveIntegerField(
        _("new connections a minute"), null=True, blank=True
    )
    messages_per_connection = models.PositiveIntegerField(
        _("messages per connection"), null=True, blank=True
    )
    recipients_per_transaction = models.PositiveIntegerField(
        _("recipients per transaction"), null=True, blank=True
    )
    per_second = models.PositiveIntegerField(_("messages a second"), null=True, blank=True)
    per_minute = models.PositiveIntegerField(_("messages a minute"), null=True, blank=True)
    per_hour = models.PositiveIntegerField(_("messages an hour"), null=True, blank=True)
    per_day = models.PositiveIntegerField(_("messages a day"), null=True, blank=True)
    connect_timeout = models.PositiveIntegerField(
        _("seconds for a connection"), null=True, blank=True
    )
    greeting_timeout = models.PositiveIntegerField(
        _("seconds for the greeting"), null=True, blank=True
    )
    reply_timeout = models.PositiveIntegerField(_("seconds for a reply"), null=True, blank=True)
    body_timeout = models.PositiveIntegerField(
        _("seconds for the reply to the whole message"), null=True, blank=True
    )
    tls = models.CharField(
        _("TLS"), max_length=13, choices=Route.Tls.choices, blank=True, default=""
    )
    resets_are_throttling = models.BooleanField(
        _('a reset or a silence at connecting means "too fast"'), default=False
    )
    is_shipped = models.BooleanField(_("shipped"), default=False, editable=False)
    is_edited = models.BooleanField(_("changed here"), default=False, editable=False)
    changed_at = models.DateTimeField(_("changed"), db_default=Now(), editable=False)

    objects = ShapingRuleQuerySet.as_manager()

    class Meta:
        verbose_name = _("shaping rule")
        verbose_name_plural = _("shaping rules")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.title


class Stop(models.Model):
    """Something whose mail is accepted and not sent: all of it, or that of one project, credential
    or recipient domain.
    """

    class Scope(models.TextChoices):
        ALL = "all", _("All delivery")
        PROJECT = "project", _("Project")
        CREDENTIAL = "credential", _("Credential")
        DOMAIN = "domain", _("Recipient domain")

    scope = models.CharField(_("what"), max_length=10, choices=Scope.choices)
    project = models.ForeignKey(
        Project, models.CASCADE, null=True, blank=True, verbose_name=_("project")
    )
    credential = models.ForeignKey(
        Credential, models.CASCADE, null=True, blank=True, verbose_name=_("credential")
    )
    domain = models.CharField(_("recipient domain"), max_length=253, blank=True, default="")
    reason = models.TextField(_("reason"))
    created_by = models.TextField(_("by"))
    created_at = models.DateTimeField(_("since"), db_default=Now(), editable=False)

    objects = StopQuerySet.as_manager()

    class Meta:
        verbose_name = _("pause")
        verbose_name_plural = _("pauses")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["scope", "project", "credential", "domain"],
                nulls_distinct=False,
                name="stop_once_for_each_thing",
            ),
            models.CheckConstraint(
                condition=Q(scope="all", project__isnull=True, credential__isnull=True, domain="")
                | Q(scope="project", project__isnull=False, credential__isnull=True, domain="")
                | Q(scope="credential", project__isnull=True, credential__isnull=False, domain="")
                | (
                    Q(scope="domain", project__isnull=True, credential__isnull=True) & ~Q(domain="")
                ),
                name="stop_names_one_thing",
            ),
        ]

    def __str__(self) -> str:
        return self.domain or str(self.project or self.credential or self.get_scope_display())


class Order(models.Model):
    """Something to be done to many deliveries, a batch at a time, with its progress."""

    class Verb(models.TextChoices):
        RETRY = "retry", _("Try now")
        CANCEL = "cancel", _("Cancel")
        BOUNCE = "bounce", _("Bounce")
        REROUTE = "reroute", _("Reroute")
        HOLD = "hold", _("Hold")
        RELEASE = "release", _("Release")

    verb = models.CharField(_("what"), max_length=10, choices=Verb.choices)
    selection = models.JSONField(_("which deliveries"), default=dict)
    parameters = models.JSONField(_("how"), default=dict)
    reason = models.TextField(_("reason"))
    created_by = models.TextField(_("by"))
    created_at = models.DateTimeField(_("given"), db_default=Now(), editable=False)
    expected = models.PositiveBigIntegerField(_("selected"), default=0)
    seen = models.PositiveBigIntegerField(_("looked at"), default=0)
    done = models.PositiveBigIntegerField(_("done"), default=0)
    position = models.JSONField(null=True, editable=False)  # where the next batch begins
    touched_at = models.DateTimeField(_("last progress"), db_default=Now(), editable=False)
    finished_at = models.DateTimeField(_("finished"), null=True, editable=False)
    stopped_at = models.DateTimeField(_("stopped"), null=True, editable=False)

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["id"], condition=Q(finished_at__isnull=True), name="order_unfinished"
            ),
            models.Index(
                fields=["finished_at"], condition=Q(finished_at__isnull=False), name="order_by_end"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_verb_display()} #{self.pk}"
