"""The portal's list of deliveries; each of them is shown on its message's page."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from deliveries.admin import ordering
from deliveries.admin.delivery_filters import (
    SinceFilter,
    StateFilter,
    ended_time,
    range_of,
    since_of,
)
from deliveries.models import Delivery
from deliveries.models.messages import DeliveryQuerySet
from deliveries.models.states import ENDED, LIVE, DeliveryState
from domains.foundation import rights
from domains.foundation.text.addresses import BadAddress, parse_path
from domains.operations.pages import Pages

LABELS = {
    DeliveryState.QUEUED: "info",
    DeliveryState.DEFERRED: "warning",
    DeliveryState.DELIVERED: "success",
    DeliveryState.BOUNCED: "danger",
    DeliveryState.EXPIRED: "danger",
    DeliveryState.SUPPRESSED: "",
    DeliveryState.CANCELLED: "",
}


def key_of(text: str) -> str | None:
    """Return the canonical key of an address that a person typed, or None."""
    try:
        return parse_path(text.strip().strip("<>"), smtputf8=True).key
    except BadAddress:
        return None


def uuid_of(text: str) -> UUID | None:
    try:
        return UUID(text.strip())
    except ValueError:
        return None


@admin.register(Delivery)
class DeliveryPages(Pages):
    """The list; each of them is shown on its message's page."""

    project_path = "project"
    list_display = ("recipient", "state_label", "project", "attempt_count", "due_at", "ended_at")
    list_select_related = ("project",)
    list_filter = (StateFilter, SinceFilter)
    lookups = frozenset({"lane"})
    list_before_template = "deliveries/all_that_match.html"
    list_disable_select_all = True  # a link of its own leads to all that match
    actions = ordering.actions()
    search_fields = ("pk",)
    search_help_text = _("Recipient or delivery id")

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return (
            super().get_actions(request)
            if rights.may(request.user, rights.ADD, "deliveries.order")
            else {}
        )

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        matching = (
            _selection_of(request)
            if rights.may(request.user, rights.ADD, "deliveries.order")
            else ""
        )
        given = {"matching": matching, **_what_is_cut(request), **(extra_context or {})}
        # as above
        return super().changelist_view(request, given)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        rows = super().get_queryset(request)
        # The index that begins with the lane holds the live ones only.
        return rows.filter(ended_at__isnull=True) if "lane" in request.GET else rows

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        assert isinstance(queryset, DeliveryQuerySet)
        if not search_term:  # of a lane all are shown: they wait there too
            return (queryset if "lane" in request.GET else queryset.besides_reports()), False
        if (id_ := uuid_of(search_term)) is not None:
            return queryset.filter(pk=id_), False
        key = key_of(search_term)
        return (queryset.to_address(key) if key is not None else queryset.none()), False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        return HttpResponseRedirect(
            reverse("admin:deliveries_message_change", args=[row.message_id])
            + f"?delivery={row.pk}#{row.pk}"
        )

    @display(description=_("state"), label=LABELS)
    def state_label(self, row: Delivery) -> tuple[str, str]:
        return row.state, row.get_state_display()


def _what_is_cut(request: HttpRequest) -> dict[str, Any]:
    """Return which part of the time is listed, and the address of a list of all of it."""
    time = ended_time(request.GET, now=timezone.now())
    if time is None or not time.is_cut:
        return {}
    asked = {"state": request.GET["state"], "from": time.since, "to": time.until}
    query = {
        name: timezone.localtime(value).isoformat() if isinstance(value, datetime) else value
        for name, value in asked.items()
        if value
    }
    messages = f"{reverse('admin:deliveries_message_changelist')}?{urlencode(query)}"
    return {"cut_time": time, "messages_url": messages}


def _selection_of(request: HttpRequest) -> str:
    """Return the list's filters as the page for a new order knows them.

    Return "" where they are about what has ended.
    """
    asked = request.GET
    if asked.get("state") in ENDED:
        return ""
    given: dict[str, Any] = {
        "lane": asked.get("lane"),
        "state": asked.get("state") if asked.get("state") in LIVE else None,
    }
    since, before = range_of(asked.get("since")) or (since_of(asked.get("since")), None)
    given |= {"since": since and since.isoformat(), "before": before and before.isoformat()}
    query = asked.get("q", "")
    given["ids" if uuid_of(query) else "recipient"] = query
    named = {name: value for name, value in given.items() if value} or {"everything": "on"}
    if not (query or "lane" in asked):
        named["besides_reports"] = "on"  # as `get_search_results` leaves them out
    return urlencode(named)
