"""The ways that deliveries take: static routes, lanes, and which of them a recipient domain leads
to.
"""

from datetime import datetime
from typing import Any, Self

from django.db import models, transaction
from django.db.models import OuterRef, Q, Subquery
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce, Now
from django.utils.translation import gettext_lazy as _

from deliveries.models.smarthosts import Smarthost

# By the claim-order index, which begins with the lane.
WAITING = """
(SELECT count(*) FROM (SELECT FROM deliveries_delivery WHERE lane_id = deliveries_lane.id
    AND ended_at IS NULL LIMIT %s) AS few)
"""


class LaneQuerySet(models.QuerySet["Lane"]):
    def update(self, **values: Any) -> int:
        """Lock the rows in the one order for lanes, then update them (`queue.row_locks`)."""
        with transaction.atomic(using=self.db):
            locked = self.select_for_update(no_key=True, of=("self",)).order_by("site", "source")
            return super(
                LaneQuerySet,
                self.model.objects.filter(pk__in=list(locked.values_list("pk", flat=True))),
            ).update(**values)

    def paused(self, *, now: datetime) -> Self:
        return self.filter(paused_until__gt=now)

    def with_domains(self) -> Self:
        """Add `first_domain` and `second_domain` of those that lead to the lane's site, for
        names.
        """
        site = Coalesce(OuterRef("home_id"), OuterRef("pk"))
        led = Destination.objects.filter(lane=site).order_by("domain").values("domain")
        return self.annotate(first_domain=Subquery(led[:1]), second_domain=Subquery(led[1:2]))

    def with_waiting(self, most: int) -> Self:
        """Add `waiting_count`: how many deliveries wait there, counted up to `most`."""
        # Django bounds a count by no limit; the text is a constant, and `most` a parameter.
        waiting = RawSQL(WAITING, [most], output_field=models.IntegerField())  # noqa: S611
        return self.annotate(waiting_count=waiting)


class Route(models.Model):
    """A fixed next hop for recipient domains, instead of their MX hosts."""

    class Tls(models.TextChoices):
        NONE = "none", _("Never")
        OPPORTUNISTIC = "opportunistic", _("Where offered")
        REQUIRED = "required", _("Required, any certificate")
        VERIFIED = "verified", _("Required, verified certificate")

    pattern = models.CharField(
        _("recipient domains"),
        max_length=253,
        unique=True,
        help_text=_("example.test, *.example.test, or * for all."),
    )
    host = models.CharField(_("host"), max_length=253, blank=True, default="", db_default="")
    smarthost = models.ForeignKey(
        Smarthost,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="routes",
        verbose_name=_("smarthost"),
        help_text=_("In place of a host: its hosts, TLS and log-in."),
    )
    port = models.PositiveIntegerField(_("port"), default=25)
    tls = models.CharField(_("TLS"), max_length=13, choices=Tls.choices, default=Tls.OPPORTUNISTIC)
    is_sandbox = models.BooleanField(_("leads to the sandbox"), default=False, editable=False)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("route")
        verbose_name_plural = _("routes")
        ordering = ["pattern"]
        constraints = [
            models.CheckConstraint(
                condition=Q(port__gte=1, port__lte=65535), name="route_port_is_a_port"
            ),
            models.CheckConstraint(
                condition=(Q(host="") & Q(smarthost__isnull=False))
                | (~Q(host="") & Q(smarthost__isnull=True)),
                name="route_leads_to_one_of_both",
                violation_error_message=_("A route leads either to a host or to a smarthost."),
            ),
        ]

    def __str__(self) -> str:
        if self.smarthost is not None:
            return f"{self.pattern} → {self.smarthost}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.pattern} → {host}:{self.port}"


class Lane(models.Model):
    """One site seen from one source address: what is leased, paced and paused as a whole."""

    # The lane of deliveries whose domain has not been resolved yet; the drain that leases it does
    # the routing.
    ROUTING = 1
    # The lane of deliveries that a person holds back; nobody leases it.
    PARKED = 0

    site = models.TextField(_("site"))
    source = models.CharField(_("source"), max_length=45, blank=True)
    # Of a lane from one of our sources: the lane of its site, from which mail is led to it.
    home = models.ForeignKey(
        "self", models.DO_NOTHING, null=True, editable=False, related_name="source_lanes",
        db_index=False, db_constraint=False,
    )  # fmt: skip
    hosts = models.JSONField(_("hosts"), default=list, help_text=_("[[preference, host, port], …]"))
    tls = models.CharField(
        _("TLS"), max_length=13, choices=Route.Tls.choices, default=Route.Tls.OPPORTUNISTIC
    )
    is_forced = models.BooleanField(
        _("by a person's order"), default=False, db_default=False, editable=False
    )
    # No constraint: a lane whose smarthost is gone gives its mail back to be routed.
    smarthost = models.ForeignKey(
        Smarthost,
        models.DO_NOTHING,
        null=True,
        db_constraint=False,
        db_index=False,
        editable=False,
        related_name="lanes",
    )
    is_routed = models.BooleanField(
        _("by a route"), default=False, help_text=_("May lead to a private address.")
    )
    # The lease. `epoch` grows with each new holder and fences off the former one's writes.
    holder = models.UUIDField(_("holder"), null=True, editable=False)
    leased_until = models.DateTimeField(_("leased until"), null=True, editable=False)
    epoch = models.BigIntegerField(default=0, editable=False)
    # What was learned.
    failures = models.PositiveSmallIntegerField(_("failures in a row"), default=0)
    paused_until = models.DateTimeField(_("paused until"), null=True, blank=True)
    pause_reason = models.TextField(_("why paused"), blank=True)
    last_success_at = models.DateTimeField(_("last success"), null=True, blank=True)
    provider = models.CharField(_("rule"), max_length=40, blank=True, default="", db_default="")
    window = models.PositiveSmallIntegerField(_("connections allowed now"), null=True, blank=True)
    rate = models.FloatField(
        _("messages a second allowed now"),
        null=True,
        blank=True,
        help_text=_("Empty: as many as it takes."),
    )
    pace = models.JSONField(_("pace"), default=dict, db_default={}, editable=False)
    experience = models.JSONField(_("experience"), default=dict, db_default={}, editable=False)

    # Closed until a person opens it: by a person, or by an answer that only a person can deal with.
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    closed_by = models.TextField(_("closed by"), blank=True, default="", db_default="")
    close_reason = models.TextField(_("why closed"), blank=True, default="", db_default="")
    # Since when no domain leads here; `retention` notes it, and who leads one here again takes it
    # back.
    idle_since = models.DateTimeField(null=True, editable=False)

    objects = LaneQuerySet.as_manager()

    class Meta:
        verbose_name = _("lane")
        verbose_name_plural = _("lanes")
        constraints = [
            models.UniqueConstraint(fields=["site", "source"], name="lane_once_per_site_and_source")
        ]
        indexes = [
            models.Index(
                fields=["idle_since"], condition=Q(idle_since__isnull=False), name="lane_idle"
            ),
            models.Index(fields=["home"], condition=Q(home__isnull=False), name="lane_by_home"),
        ]

    def __str__(self) -> str:
        return self.site


class Destination(models.Model):
    """The lane to which a recipient domain led when it was last resolved."""

    domain = models.CharField(_("domain"), max_length=253, primary_key=True)
    lane = models.ForeignKey(
        Lane, models.CASCADE, related_name="destinations", verbose_name=_("lane")
    )
    expires_at = models.DateTimeField(_("to be resolved again"))

    class Meta:
        verbose_name = _("destination")
        verbose_name_plural = _("destinations")
        indexes = [models.Index(fields=["expires_at"], name="destination_by_time")]

    def __str__(self) -> str:
        return self.domain
