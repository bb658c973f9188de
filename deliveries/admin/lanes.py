"""The portal's pages about lanes."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from deliveries.models import Delivery, Lane
from deliveries.tracing import site_name
from domains.pages import Pages

COUNTED_MOST = 10_000


class PausedFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("paused", _("Paused"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Lane]) -> QuerySet[Lane]:
        return queryset.filter(paused_until__gt=timezone.now()) if self.value() == "paused" else queryset


@admin.register(Lane)
class LanePages(Pages):
    list_display = ("name", "source", "condition", "waiting", "last_success_at")
    list_filter = (PausedFilter,)
    search_fields = ("pk",)
    search_help_text = _("Recipient domain")
    fields = (
        "site", "source", "host_names", "tls", "is_routed", "at_work", "pause_reason", "failures", "waiting", "last_success_at",
        "leased_until", "domains",
    )  # fmt: skip
    readonly_fields = fields

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Lane], search_term: str) -> tuple[QuerySet[Lane], bool]:
        return (queryset.filter(destinations__domain=search_term.strip().lower()) if search_term else queryset), False

    @display(description=_("site"))
    def name(self, row: Lane) -> Any:
        return _("(being routed)") if row.pk == Lane.ROUTING else site_name(row)

    @display(description=_("condition"), label={"paused": "warning", "working": "success", "idle": ""})
    def condition(self, row: Lane) -> tuple[str, Any]:
        now = timezone.now()
        if row.paused_until and row.paused_until > now:
            return "paused", _("Paused until %s") % timezone.localtime(row.paused_until).strftime("%H:%M:%S")
        return ("working", _("At work")) if row.leased_until and row.leased_until > now else ("idle", _("Idle"))

    @display(description=_("hosts"))
    def host_names(self, row: Lane) -> str:
        return ", ".join(f"{host}:{port} ({preference})" for preference, host, port in row.hosts) or "–"

    @display(description=_("condition"))
    def at_work(self, row: Lane) -> Any:
        return self.condition(row)[1]

    @display(description=_("waiting"))
    def waiting(self, row: Lane) -> SafeString:
        """Counted up to a bound: a long line is long, however long."""
        amount = Delivery.objects.live().filter(lane=row)[:COUNTED_MOST].count()
        url = reverse("admin:deliveries_delivery_changelist") + f"?lane={row.pk}"
        return format_html('<a class="portal-link" href="{}">{}{}</a>', url, amount, "+" if amount == COUNTED_MOST else "")

    @display(description=_("recipient domains"))
    def domains(self, row: Lane) -> str:
        return ", ".join(row.destinations.order_by("domain").values_list("domain", flat=True)[:100]) or "–"
