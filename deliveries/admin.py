"""The portal's pages about messages, deliveries, lanes, routes and inbound mail."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from deliveries import codec, routes
from deliveries.bounces.receive import LARGEST
from deliveries.ids import first_id_of
from deliveries.models import Delivery, InboundMail, Lane, Message, Route
from deliveries.querysets import DeliveryQuerySet
from deliveries.reading import read
from deliveries.states import ENDED, State
from deliveries.tracing import site_name, why_waiting
from domains.addresses import BadAddress, parse_path
from domains.pages import Pages

FOUND_MOST = 200
SHOWN_MOST = 200  # deliveries on a message's page
COUNTED_MOST = 10_000
DAY = timedelta(days=1)

LABELS = {
    State.QUEUED: "info",
    State.DEFERRED: "warning",
    State.DELIVERED: "success",
    State.BOUNCED: "danger",
    State.EXPIRED: "danger",
    State.SUPPRESSED: "",
    State.CANCELLED: "",
}


def key_of(text: str) -> str | None:
    """The canonical key of an address that a person typed."""
    try:
        return parse_path(text.strip().strip("<>"), smtputf8=True).key
    except BadAddress:
        return None


def uuid_of(text: str) -> UUID | None:
    try:
        return UUID(text.strip())
    except ValueError:
        return None


@admin.register(Message)
class MessagePages(Pages):
    """Found by what is indexed: queue id, Message-ID, a recipient's canonical key."""

    project_path = "project"
    list_display = ("accepted", "sender", "states", "project", "size")
    list_select_related = ("project",)
    search_fields = ("pk",)
    search_help_text = _("Queue id, Message-ID or recipient")
    change_form_template = "deliveries/message.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        return super().get_queryset(request).prefetch_related("deliveries")

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Message], search_term: str) -> tuple[QuerySet[Message], bool]:
        if not search_term:
            return queryset, False
        if (id_ := uuid_of(search_term)) is not None:
            return queryset.filter(pk=id_), False
        found = list(Message.objects.with_message_id(search_term).order_by("-id").values_list("pk", flat=True)[:FOUND_MOST])
        if (key := key_of(search_term)) is not None:
            found += Delivery.objects.to_address(key).order_by("-id").values_list("message_id", flat=True)[:FOUND_MOST]
        return queryset.filter(pk__in=found), False

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        rows = Delivery.objects.filter(message=uuid_of(object_id)).select_related("lane").prefetch_related("attempts").order_by("id")
        now = timezone.now()
        shown = [{"row": row, "waiting": why_waiting(row, now=now)} for row in rows[:SHOWN_MOST]]
        given = {"deliveries": shown, "shown_most": SHOWN_MOST, **(extra_context or {})}
        return super().change_view(request, object_id, form_url, given)  # type: ignore[no-any-return]  # Unfold publishes no types

    @display(description=_("accepted"))
    def accepted(self, row: Message) -> Any:
        return row.accepted_at

    @display(description=_("reverse-path"))
    def sender(self, row: Message) -> str:
        return row.mail_from or "<>"

    @display(description=_("recipients"))
    def states(self, row: Message) -> SafeString:
        """Each recipient with its state, the first few of many."""
        rows = sorted(row.deliveries.all(), key=lambda each: each.pk)
        named = format_html_join(" ", '<span class="portal-badge portal-state-{}">{}</span> {}', (
            (each.state, each.get_state_display(), each.recipient) for each in rows[:2]
        ))  # fmt: skip
        return format_html("{} +{}", named, len(rows) - 2) if len(rows) > 2 else named


class StateFilter(admin.SimpleListFilter):
    """The live ones have an index; those that ended are looked for among a day's, whose ids are a range."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("live", _("All that wait")), *((state.value, state.label) for state in State)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        asked = self.value()
        if asked == "live":
            return queryset.filter(ended_at__isnull=True)
        if asked in ENDED:
            return queryset.filter(state=asked, id__gte=first_id_of(timezone.now() - DAY))
        return queryset.filter(state=asked, ended_at__isnull=True) if asked in State.values else queryset


class SinceFilter(admin.SimpleListFilter):
    title = _("time of acceptance")
    parameter_name = "since"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("hour", _("In the last hour")), ("today", _("Today"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        now = timezone.localtime()
        begins = {"hour": now - timedelta(hours=1), "today": now.replace(hour=0, minute=0, second=0, microsecond=0)}
        since = begins.get(self.value() or "")
        return queryset.filter(id__gte=first_id_of(since)) if since else queryset


@admin.register(Delivery)
class DeliveryPages(Pages):
    """The list; each of them is shown on its message's page."""

    project_path = "project"
    list_display = ("recipient", "state_label", "project", "attempt_count", "due_at", "ended_at")
    list_select_related = ("project",)
    list_filter = (StateFilter, SinceFilter)
    lookups = frozenset({"lane"})
    search_fields = ("pk",)
    search_help_text = _("Recipient or delivery id")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        rows = super().get_queryset(request)
        # The index that begins with the lane holds the live ones only.
        return rows.filter(ended_at__isnull=True) if "lane" in request.GET else rows

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[QuerySet[Any], bool]:
        assert isinstance(queryset, DeliveryQuerySet)
        if not search_term:
            return queryset, False
        if (id_ := uuid_of(search_term)) is not None:
            return queryset.filter(pk=id_), False
        key = key_of(search_term)
        return (queryset.to_address(key) if key is not None else queryset.none()), False

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        return HttpResponseRedirect(reverse("admin:deliveries_message_change", args=[row.message_id]) + f"#{row.pk}")

    @display(description=_("state"), label=LABELS)
    def state_label(self, row: Delivery) -> tuple[str, str]:
        return row.state, row.get_state_display()


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


class RouteForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the stubs only
    port = forms.IntegerField(label=_("port"), min_value=1, max_value=65_535, initial=25, widget=UnfoldAdminIntegerFieldWidget)

    def clean_host(self) -> str:
        host = str(self.cleaned_data["host"]).removeprefix("[").removesuffix("]").lower()
        if not routes.is_host(host):
            raise ValidationError(_("This is neither a host name nor an address."))
        return host

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if "pattern" in given:
            given["pattern"] = routes.canonical_pattern(given["pattern"])
        return given


@admin.register(Route)
class RoutePages(Pages):
    form = RouteForm
    may_add = may_delete = True
    list_display = ("pattern", "host", "port", "tls", "is_sandbox")
    fields = ("pattern", "host", "port", "tls")
    ordering = ("pattern",)

    # `follow` waits until routers have seen the change, which they cannot before it is committed.
    def save_model(self, request: HttpRequest, obj: Route, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        transaction.on_commit(partial(routes.follow, obj.pattern))

    def delete_model(self, request: HttpRequest, obj: Route) -> None:
        obj.delete()
        transaction.on_commit(partial(routes.follow, obj.pattern))


@admin.register(InboundMail)
class InboundMailPages(Pages):
    list_display = ("received", "kind", "mail_from", "short_finding", "handled_at")
    change_form_template = "deliveries/inbound_mail.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[InboundMail]:
        rows = super().get_queryset(request)
        return rows if request.resolver_match and request.resolver_match.kwargs else rows.defer("data")

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        row = self.get_object(request, object_id)
        given = (
            {"reading": _read_inbound(row), "delivery": _delivery_of(row), "finding": finding_text(row), **(extra_context or {})}
            if row is not None
            else {}
        )
        return super().change_view(request, object_id, form_url, given)  # type: ignore[no-any-return]  # Unfold publishes no types

    @display(description=_("received"))
    def received(self, row: InboundMail) -> Any:
        return row.received_at

    @display(description=_("finding"))
    def short_finding(self, row: InboundMail) -> str:
        return finding_text(row)[:120]


def finding_text(row: InboundMail) -> str:
    """In the reader's language; what stands after a colon is the reporter's word or a state."""
    head, colon, rest = row.finding.partition(": ")
    return f"{gettext(head)}{colon}{rest}" if head else ""


def _read_inbound(row: InboundMail) -> Any:
    try:
        return read(codec.decompress(bytes(row.data), most=LARGEST))
    except ValueError:
        return None


def _delivery_of(row: InboundMail) -> Delivery | None:
    return Delivery.objects.filter(pk=row.delivery_id).first() if row.delivery_id else None
