"""The portal's pages about orders: which deliveries, a look at them, the order itself, and how far
it is.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from deliveries.insight.tracing import why_waiting
from deliveries.models import Lane, Order, Route
from deliveries.models.states import LIVE
from deliveries.routing import routes
from deliveries.steering import orders
from deliveries.steering.selection import Selection, preview
from domains.foundation.text.addresses import BadAddress, canonical_domain, parse_path
from domains.models import Credential, Project
from domains.operations import audit
from domains.operations.pages import Pages, RowVerb

MEANINGS: dict[str, Promise | str] = {
    Order.Verb.RETRY: _(
        "They are due at once, and their lanes forget the pauses that they have learned."
    ),
    Order.Verb.HOLD: _(
        "They wait until they are released. What is still held at its deadline expires."
    ),
    Order.Verb.RELEASE: _(
        "They go on, whatever else is paused; only the emergency stop and a pause of their lane "
        "hold them up."
    ),
    Order.Verb.REROUTE: _("Where they go is looked up anew; or they go to the host that you name."),
    Order.Verb.CANCEL: _("They end here, and nobody is told. It cannot be undone."),
    Order.Verb.BOUNCE: _(
        "They end here, and their senders get a report that holds your reason. It cannot be undone."
    ),
}
HOUR = 3600
AGES = (
    (0, _("any")),
    (HOUR, _("1 hour")),
    (6 * HOUR, _("6 hours")),
    (24 * HOUR, _("1 day")),
    (72 * HOUR, _("3 days")),
)


class SelectionForm(forms.Form):
    """Which deliveries are meant; what it has no field for on the page comes from the page that
    led here.
    """

    project = forms.ModelChoiceField(Project.objects.all(), label=_("project"), required=False)
    credential = forms.ModelChoiceField(
        Credential.objects.select_related("project"), label=_("credential"), required=False
    )
    domain = forms.CharField(label=_("recipient domain"), max_length=253, required=False)
    recipient = forms.CharField(label=_("recipient"), max_length=320, required=False)
    state = forms.ChoiceField(
        label=_("state"),
        choices=[("", _("any")), *((each.value, each.label) for each in LIVE)],
        required=False,
    )
    older = forms.TypedChoiceField(
        label=_("waits longer than"), choices=AGES, coerce=int, empty_value="0", required=False
    )
    is_held = forms.BooleanField(label=_("only what is put aside"), required=False)
    everything = forms.BooleanField(label=_("everything that waits"), required=False)
    lane = forms.ModelChoiceField(Lane.objects.all(), required=False, widget=forms.HiddenInput)
    since = forms.DateTimeField(required=False, widget=forms.HiddenInput)
    before = forms.DateTimeField(required=False, widget=forms.HiddenInput)
    ids = forms.CharField(required=False, widget=forms.HiddenInput)
    messages = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean_domain(self) -> str:
        try:
            return (
                canonical_domain(self.cleaned_data["domain"]) if self.cleaned_data["domain"] else ""
            )
        except BadAddress as error:
            raise ValidationError(_("This is no domain name.")) from error

    def clean_recipient(self) -> str:
        try:
            given = self.cleaned_data["recipient"].strip().strip("<>")
            return parse_path(given, smtputf8=True).key if given else ""
        except BadAddress as error:
            raise ValidationError(_("This is no mail address.")) from error

    def clean_ids(self) -> str:
        return _checked_ids(self.cleaned_data["ids"])

    def clean_messages(self) -> str:
        return _checked_ids(self.cleaned_data["messages"])

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if not self.errors and not given.get("everything") and self.selection().is_everything:
            raise ValidationError(
                _("Say which deliveries, or that you mean everything that waits.")
            )
        return given

    def selection(self) -> Selection:
        given = self.cleaned_data
        before = (
            timezone.now() - timedelta(seconds=given["older"])
            if given.get("older") not in (None, 0, "0")
            else given.get("before")
        )
        return Selection(
            lane=_pk(given.get("lane")), domain=given["domain"], project=_pk(given.get("project")),
            credential=_pk(given.get("credential")),
            recipient=given["recipient"], state=given["state"], since=given.get("since"),
            before=before, ids=_ids(given["ids"]),
            messages=_ids(given["messages"]), is_held=given["is_held"],
        )  # fmt: skip


class OrderForm(forms.Form):
    """What is to be done to them."""

    verb = forms.ChoiceField(
        label=_("what"),
        choices=[(verb, Order.Verb(verb).label) for verb in MEANINGS],
        widget=forms.RadioSelect,
    )
    host = forms.CharField(
        label=_("to this host"),
        max_length=253,
        required=False,
        help_text=_("To reroute. Empty: looked up anew."),
    )
    port = forms.IntegerField(
        label=_("port"), min_value=1, max_value=65_535, initial=25, required=False
    )
    tls = forms.ChoiceField(
        label="TLS", choices=Route.Tls.choices, initial=Route.Tls.OPPORTUNISTIC, required=False
    )
    reason = forms.CharField(
        label=_("Why"),
        max_length=500,
        help_text=_("It goes into the audit log, and into the reports of a bounce."),
    )

    def clean_host(self) -> str:
        host = str(self.cleaned_data["host"]).strip().removeprefix("[").removesuffix("]").lower()
        if host and not routes.is_host(host):
            raise ValidationError(_("This is neither a host name nor an address."))
        return host

    def clean_reason(self) -> str:
        return audit.one_line(self.cleaned_data["reason"])

    def parameters(self) -> dict[str, Any]:
        """For a reroute to a host: the lane that leads there."""
        given = self.cleaned_data
        if given["verb"] != Order.Verb.REROUTE or not given["host"]:
            return {}
        port, tls = given.get("port") or 25, given.get("tls") or Route.Tls.OPPORTUNISTIC.value
        return {
            "lane": orders.forced_lane(given["host"], port, tls).pk,
            "to": f"{given['host']}:{port} ({tls})",
        }


@admin.register(Order)
class OrderPages(Pages):
    list_reads = frozenset({"selection"})
    list_display = ("name", "which", "progress", "created_by", "created_at")
    change_form_template = "deliveries/order.html"
    verbs = (
        RowVerb("stop_order", _("Stop it"), "stop_circle", _("What is done stays done."),
            lambda order: order.finished_at is None),
    )  # fmt: skip

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """First which deliveries, then a look at them, then the order."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        asked = request.POST if request.method == "POST" else request.GET
        if request.method == "POST" and "verb" in asked and "reason" in asked:
            return self._give(request)
        return self.ask(
            request,
            SelectionForm(_spelled(asked)) if asked else SelectionForm(),
            verb=asked.get("do", ""),
        )

    def ask(
        self,
        request: HttpRequest,
        chosen: SelectionForm,
        *,
        verb: str = "",
        form: OrderForm | None = None,
    ) -> HttpResponse:
        """The page on which an order is given; with a look at the deliveries as soon as it is
        known which.
        """
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "title": _("New order"),
            "chosen": chosen,
            "opts": self.opts,
        }
        if chosen.is_bound and chosen.is_valid():
            selection = chosen.selection()
            context |= {
                "selection": selection,
                "found": preview(selection),
                "now": timezone.now(),
                "meanings": MEANINGS,
            }
            context["form"] = form or OrderForm(initial={"verb": verb})
            context["examples"] = [
                (each, why_waiting(each, now=timezone.now())) for each in context["found"].examples
            ]
        return TemplateResponse(request, "deliveries/new_order.html", context)

    def _give(self, request: HttpRequest) -> HttpResponse:
        chosen, form = SelectionForm(_spelled(request.POST)), OrderForm(request.POST)
        if not (chosen.is_valid() and form.is_valid()):
            return self.ask(request, chosen, form=form)
        with transaction.atomic():
            given = {
                "reason": form.cleaned_data["reason"],
                "by": request.user.get_username(),
                "parameters": form.parameters(),
            }
            order = orders.give(form.cleaned_data["verb"], chosen.selection(), **given)
            self.note_order(request, order)
        return redirect(reverse("admin:deliveries_order_change", args=[order.pk]))

    def note_order(self, request: HttpRequest, order: Order) -> None:
        self.note(request, "order", order, details=orders.facts(order))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        order = self.get_object(request, object_id)
        given = (
            {"which": Selection.of_json(order.selection), "in_hand": orders.in_hand(order)}
            if order is not None
            else {}
        )
        # Unfold publishes no types
        return super().change_view(request, object_id, form_url, {**given, **(extra_context or {})})  # type: ignore[no-any-return]

    def stop_order(self, request: HttpRequest, row: Order) -> str:
        orders.stop(row)
        return gettext("Stopped. What is done stays done.")

    @display(description=_("order"))
    def name(self, row: Order) -> str:
        return str(row)

    @display(description=_("which deliveries"))
    def which(self, row: Order) -> str:
        return str(Selection.of_json(row.selection))

    @display(description=_("done"))
    def progress(self, row: Order) -> str:
        return f"{row.done:,} / {row.expected:,}"


def pages() -> OrderPages:
    """The registered ones, for other pages that lead here."""
    found = admin.site._registry[Order]
    assert isinstance(found, OrderPages)
    return found


def actions() -> list[Any]:
    """One for each verb, for a list of deliveries."""
    return [_action(verb) for verb in Order.Verb]


def _action(verb: Order.Verb) -> Any:
    @admin.action(description=verb.label)
    def ask(listed: Pages, request: HttpRequest, queryset: Any) -> HttpResponse:
        ids = ",".join(request.POST.getlist("_selected_action"))
        return pages().ask(request, SelectionForm({"ids": ids}), verb=verb)

    ask.__name__ = verb.value
    return ask


def _spelled(asked: Any) -> dict[str, Any]:
    """Check boxes send one value each."""
    given: dict[str, Any] = asked.dict()
    for name in ("ids", "messages"):
        given[name] = ",".join(asked.getlist(name))
    return given


def _checked_ids(text: str) -> str:
    try:
        return ",".join(map(str, _ids(text)))
    except ValueError as error:
        raise ValidationError(_("This is no id.")) from error


def _ids(text: str) -> tuple[UUID, ...]:
    return tuple(UUID(each) for each in text.split(",") if each)


def _pk(row: Any) -> int | None:
    return None if row is None else row.pk
