"""The portal's pages about lanes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

from django.contrib import admin
from django.db.models import Case, Q, QuerySet, When
from django.db.models.functions import Now
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from deliveries.admin.lane_history import history
from deliveries.admin.pauses import FLUSH, flush, since
from deliveries.insight import host_notes
from deliveries.insight.receiver_names import receiver_name
from deliveries.models import Lane
from deliveries.models.lanes import LaneQuerySet
from deliveries.steering import pauses
from deliveries.steering.selection import Selection
from domains.operations.labels import Labels
from domains.operations.pages import Pages, RowVerb, reason_of

COUNTED_MOST = 10_000
DOMAINS_MOST = 100
PAUSE = _(
    "Nothing leaves by this lane until you resume; its mail waits. What still waits at its "
    "deadline expires."
)


def may_pause(lane: Lane) -> bool:
    """Tell whether a lane may be paused: the two lanes of our own are no receiver's."""
    return lane.pk not in (Lane.ROUTING, Lane.PARKED)


TROUBLED_FIRST = (
    Case(
        When(closed_at__isnull=False, then=0),
        When(paused_until__gt=Now(), then=1),
        When(failures__gt=0, then=2),
        default=3,
    ),
    "-pk",
)


class PausedFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("paused", _("Paused")), ("closed", _("Paused until somebody resumes it"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Lane]) -> QuerySet[Lane]:
        chosen: dict[str, dict[str, Any]] = {
            "paused": {"paused_until__gt": timezone.now()},
            "closed": {"closed_at__isnull": False},
        }
        return queryset.filter(**chosen.get(self.value() or "", {}))


@admin.register(Lane)
class LanePages(Pages):
    list_display = ("name", "source", "condition", "waiting", "last_success_at")
    list_filter = (PausedFilter,)
    ordering = TROUBLED_FIRST
    change_form_outer_after_template = "deliveries/lane_history.html"
    list_reads = frozenset({"hosts"})
    search_fields = ("pk",)
    search_help_text = _("Recipient domain")
    fields = (
        "site_shown", "source", "host_names", "tls", "is_routed", "is_forced", "at_work",
        "pause_reason",
        "failures", "provider", "window",
        "rate", "remembered", "waiting", "last_success_at", "leased_until", "domains",
    )  # fmt: skip
    readonly_fields = fields
    verbs = (
        RowVerb(
            "pause",
            _("Pause"),
            "pause_circle",
            PAUSE,
            lambda lane: may_pause(lane) and lane.closed_at is None,
            asks_reason=True,
        ),
        RowVerb(
            "resume",
            _("Resume"),
            "play_circle",
            applies=lambda lane: lane.closed_at is not None,
            asks_reason=True,
        ),
        replace(FLUSH, applies=may_pause),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Lane]:
        rows = super().get_queryset(request)
        assert isinstance(rows, LaneQuerySet)
        return rows.with_domains().with_waiting(COUNTED_MOST)

    def page_context(self, request: HttpRequest, row: Lane) -> dict[str, Any]:
        return history(row, request.GET.get("range", ""))

    @display(description=_("site"))
    def site_shown(self, row: Lane) -> str:
        """Name the site; a lane that leads nowhere is called what it holds."""
        return receiver_name(row) if row.pk in (Lane.ROUTING, Lane.PARKED) else row.site

    def shown_name(self, row: Lane) -> str:
        return receiver_name(row)

    def notice(self, row: Lane) -> str:
        return since(row.closed_at, row.closed_by, row.close_reason) if row.closed_at else ""

    def pause(self, request: HttpRequest, row: Lane) -> str:
        with suppress(pauses.AlreadyStopped):  # by somebody else, at this moment: the page says who
            pauses.close(row, reason=reason_of(request), by=request.user.get_username())
        return gettext("Paused: nothing leaves by this lane, and its mail waits.")

    def resume(self, request: HttpRequest, row: Lane) -> str:
        pauses.reopen(row)
        return gettext("Resumed: its mail goes on.")

    def flush(self, request: HttpRequest, row: Lane) -> str:
        pauses.wake(row)
        return flush(request, Selection(lane=row.pk))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Lane], search_term: str
    ) -> tuple[QuerySet[Lane], bool]:
        return (
            queryset.filter(
                Q(destinations__domain=(domain := search_term.strip().lower()))
                | Q(home__destinations__domain=domain)
            )
            if search_term
            else queryset
        ), False

    @display(description=_("site"))
    def name(self, row: Lane) -> Any:
        return receiver_name(row)

    @display(
        description=_("condition"),
        label=Labels({"closed": "danger", "paused": "warning", "working": "success", "idle": ""}),
    )
    def condition(self, row: Lane) -> tuple[str, Any]:
        now = timezone.now()
        if row.closed_at:
            return "closed", _("Paused until somebody resumes it")
        if row.paused_until and row.paused_until > now:
            return "paused", _("Paused until %s") % timezone.localtime(row.paused_until).strftime(
                "%H:%M:%S %Z"
            )
        return (
            ("working", _("At work"))
            if row.leased_until and row.leased_until > now
            else ("idle", _("Idle"))
        )

    @display(description=_("hosts"))
    def host_names(self, row: Lane) -> str:
        return (
            ", ".join(f"{host}:{port} ({preference})" for preference, host, port in row.hosts)
            or "–"
        )

    @display(description=_("remembered for a while"))
    def remembered(self, row: Lane) -> SafeString | str:
        return (
            format_html_join(
                "", "<div>{}</div>", ([line] for line in host_notes.lines(row, now=timezone.now()))
            )
            or "–"
        )

    @display(description=_("condition"))
    def at_work(self, row: Lane) -> Any:
        return self.condition(row)[1]

    @display(description=_("waiting"))
    def waiting(self, row: Lane) -> SafeString:
        """Show how many deliveries wait, up to a bound: a long line is long, however long."""
        amount = row.waiting_count  # type: ignore[attr-defined]  # annotated
        url = reverse("admin:deliveries_delivery_changelist") + f"?lane={row.pk}"
        return format_html(
            '<a class="portal-link" href="{}">{}{}</a>',
            url,
            amount,
            "+" if amount == COUNTED_MOST else "",
        )

    @display(description=_("recipient domains"))
    def domains(self, row: Lane) -> str:
        """Name the recipient domains that lead there, as many as a person reads."""
        led = row.destinations.order_by("domain").values_list("domain", flat=True)
        found = list(led[: DOMAINS_MOST + 1])
        return ", ".join(found[:DOMAINS_MOST] + ["…"] * (len(found) > DOMAINS_MOST)) or "–"
