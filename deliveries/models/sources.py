"""Where mail leaves from: our addresses, the pools that they form, the rules that choose a pool,
and the nodes that can bind them.
"""

from typing import Any, Self

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from deliveries.models.smarthosts import Smarthost
from deliveries.models.steering import ShapingRule
from domains.models import Credential, Project


class SourceQuerySet(models.QuerySet["Source"]):
    def warming_up(self) -> Self:
        """Keep the sources for which some receivers have a number of messages a day."""
        return self.filter(Q(state="warming") | Q(state="warm", warms_each=True))


class SourceState(models.TextChoices):
    COLD = "cold", _("Cold: sends nothing yet")
    WARMING = "warming", _("Warming: a daily number for each receiver")
    WARM = "warm", _("Warm")
    RESTING = "resting", _("Resting: its mail goes by others")
    OUT = "out", _("Out of use")


class Source(models.Model):
    """One identity that mail leaves by: an IPv4 address, an IPv6 address, or one of each, and the
    name that it says in EHLO.
    """

    name = models.SlugField(_("name"), max_length=40, unique=True)
    ipv4 = models.GenericIPAddressField(_("IPv4 address"), protocol="IPv4", null=True, blank=True)
    ipv6 = models.GenericIPAddressField(_("IPv6 address"), protocol="IPv6", null=True, blank=True)
    ehlo_name = models.CharField(
        _("EHLO name"),
        max_length=253,
        blank=True,
        help_text=_("Empty: EKIDEN_HOSTNAME. Reverse DNS should name it."),
    )
    state = models.CharField(
        _("state"), max_length=7, choices=SourceState.choices, default=SourceState.WARM
    )
    reason = models.CharField(_("why"), max_length=200, blank=True, default="", db_default="")
    warms_each = models.BooleanField(
        _("warms up with each new receiver"),
        default=False,
        db_default=False,
        help_text=_(
            "A receiver that has had no mail from it gets few messages a day at first. Set by a "
            "warm-up; without it, the source is warm for all."
        ),
    )
    # Where a warm-up begins with a receiver that gets its first mail from it.
    first_day = models.PositiveSmallIntegerField(default=1, db_default=1, editable=False)
    state_since = models.DateTimeField(_("in this state since"), db_default=Now(), editable=False)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    objects = SourceQuerySet.as_manager()

    class Meta:
        verbose_name = _("source")
        verbose_name_plural = _("sources")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ipv4__isnull=False) | Q(ipv6__isnull=False),
                name="source_has_an_address",
            ),
            models.UniqueConstraint(fields=["ipv4"], name="source_ipv4_once"),
            models.UniqueConstraint(fields=["ipv6"], name="source_ipv6_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({' '.join(self.addresses)})"

    def clean(self) -> None:
        """Raise `ValidationError` where there is no address."""
        if not self.addresses:
            raise ValidationError(_("Give an IPv4 address, an IPv6 address, or both."))

    @property
    def is_warming_up(self) -> bool:
        """Tell whether receivers that do not know it have a number of messages a day."""
        return self.state == SourceState.WARMING or (
            self.state == SourceState.WARM and self.warms_each
        )

    @property
    def addresses(self) -> list[str]:
        return [address for address in (self.ipv4, self.ipv6) if address]


class SourceRest(models.Model):
    """A source that sends nothing to one receiver for a while; its mail goes by others."""

    source = models.ForeignKey(
        Source, models.CASCADE, related_name="rests", verbose_name=_("source")
    )
    receiver = models.SlugField(_("receiver"), max_length=40, help_text=_("Name of its rule."))
    until = models.DateTimeField(
        _("until"), null=True, blank=True, help_text=_("Empty: until a person ends it.")
    )
    reason = models.CharField(_("why"), max_length=500)
    created_by = models.CharField(_("by"), max_length=150, blank=True, default="")
    created_at = models.DateTimeField(_("since"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("rest of a source")
        verbose_name_plural = _("rests of sources")
        constraints = [
            models.UniqueConstraint(fields=["source", "receiver"], name="one_rest_per_receiver")
        ]

    def __str__(self) -> str:
        return f"{self.source.name} ↛ {self.receiver}"


class Pool(models.Model):
    """Sources that share mail, each by its weight. Mail that no rule leads elsewhere leaves by the
    pool `default`; where that is not there, by all sources.
    """

    DEFAULT = "default"

    name = models.SlugField(_("name"), max_length=40, unique=True)
    urgent_warms = models.BooleanField(
        _("urgent mail warms sources as well"), default=False, db_default=False
    )
    overflow = models.ForeignKey(
        Smarthost,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="pools",
        verbose_name=_("overflow"),
        help_text=_("The smarthost that carries at once what no source of the pool may carry."),
    )

    class Meta:
        verbose_name = _("pool of sources")
        verbose_name_plural = _("pools of sources")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class PoolMember(models.Model):
    """A source's place in a pool: of 100 and 300, the second carries three quarters."""

    pool = models.ForeignKey(Pool, models.CASCADE, related_name="members", verbose_name=_("pool"))
    source = models.ForeignKey(
        Source, models.CASCADE, related_name="memberships", verbose_name=_("source")
    )
    weight = models.PositiveSmallIntegerField(_("weight"), default=100)

    class Meta:
        verbose_name = _("source of a pool")
        verbose_name_plural = _("sources of a pool")
        constraints = [
            models.UniqueConstraint(fields=["pool", "source"], name="source_once_in_a_pool"),
            models.CheckConstraint(condition=Q(weight__gte=1), name="weight_of_one_or_more"),
        ]

    def __str__(self) -> str:
        return f"{self.pool.name}: {self.source.name} × {self.weight}"


class EgressRule(models.Model):
    """Which pool carries mail that meets all of these conditions; the first that fits holds."""

    position = models.PositiveSmallIntegerField(
        _("position"), default=100, help_text=_("The lowest is asked first.")
    )
    project = models.ForeignKey(
        Project, models.CASCADE, null=True, blank=True, verbose_name=_("project")
    )
    credential = models.ForeignKey(
        Credential, models.CASCADE, null=True, blank=True, verbose_name=_("credential")
    )
    sending_domain = models.CharField(
        _("sending domain"),
        max_length=253,
        blank=True,
        default="",
        help_text=_("That of the From field."),
    )
    priority = models.SmallIntegerField(
        _("priority"), choices=Credential.PriorityLevel.choices, null=True, blank=True
    )
    receiver = models.SlugField(
        _("receiver"), max_length=40, blank=True, default="", help_text=_("Name of its rule.")
    )
    pool = models.ForeignKey(
        Pool, models.PROTECT, null=True, blank=True, related_name="rules", verbose_name=_("pool")
    )
    smarthost = models.ForeignKey(
        Smarthost,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="rules",
        verbose_name=_("smarthost"),
    )

    class Meta:
        verbose_name = _("egress rule")
        verbose_name_plural = _("egress rules")
        ordering = ["position", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(pool__isnull=False, smarthost__isnull=True)
                | Q(pool__isnull=True, smarthost__isnull=False),
                name="egressrule_leads_to_one_of_both",
                violation_error_message=_("A rule leads either to a pool or to a smarthost."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.mail} → {self.target}"

    def clean(self) -> None:
        """Raise `ValidationError` where the receiver is nobody's name: the rule would fit no
        mail.
        """
        if self.receiver:
            try:
                ShapingRule.objects.all().must_have([self.receiver])
            except ValidationError as error:
                raise ValidationError({"receiver": error.messages}) from error

    @property
    def target(self) -> str:
        """What it leads to, for people."""
        return str(self.pool) if self.pool else f"smarthost {self.smarthost}"

    @property
    def mail(self) -> str:
        """In words, for people."""
        asked = (
            (_("project"), self.project),
            (_("credential"), self.credential),
            (_("sending domain"), self.sending_domain),
            (_("priority"), self.get_priority_display()),
            (_("receiver"), self.receiver),
        )
        shown = [f"{capfirst(name)}: {value}" for name, value in asked if value]
        return " · ".join(shown) or str(_("all mail"))

    @property
    def conditions(self) -> str:
        """In a word each, as the command takes them; "" where all mail is meant."""
        given: list[tuple[str, Any]] = [
            ("project", self.project.name if self.project else ""),
            ("credential", self.credential.username if self.credential else ""),
            ("from", self.sending_domain),
            (
                "priority",
                "" if self.priority is None else Credential.PriorityLevel(self.priority).label,
            ),
            ("receiver", self.receiver),
        ]
        return " ".join(f"{name}={str(value).lower()}" for name, value in given if value)

    @property
    def as_asked(self) -> str:
        """The whole rule, as the command writes it."""
        return f"{self.conditions or 'all mail'} → {self.target}"


class Node(models.Model):
    """A machine with workers, and which sources it can bind."""

    name = models.CharField(_("name"), max_length=253, primary_key=True)
    sources = ArrayField(
        models.CharField(max_length=40), verbose_name=_("sources"), default=list, db_default=[]
    )
    first_seen_at = models.DateTimeField(_("since"), db_default=Now(), editable=False)
    seen_at = models.DateTimeField(_("last seen"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("node")
        verbose_name_plural = _("nodes")
        ordering = ["name"]
        indexes = [models.Index(fields=["seen_at"], name="node_by_time")]

    def __str__(self) -> str:
        return self.name
