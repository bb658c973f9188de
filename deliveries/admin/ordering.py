"""The portal's pages about orders: a look at what is meant, the order itself, and how far it is."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from deliveries.admin.order_forms import MEANINGS, OrderForm, SelectionForm
from deliveries.insight.tracing import why_waiting
from deliveries.models import Order
from deliveries.steering import orders
from deliveries.steering.selection import Selection, described, preview
from domains.operations.large_lists import InOrder
from domains.operations.pages import Pages, RowVerb


class OrderList(InOrder):
    """Looks up at once what all orders of a page name."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        meant = described([Selection.of_json(row.selection) for row in self.result_list])
        for row, words in zip(self.result_list, meant, strict=True):
            row.meant = words


@admin.register(Order)
class OrderPages(Pages):
    list_reads = frozenset({"selection"})
    list_display = ("name", "which", "progress", "author", "created_at")
    change_form_template = "deliveries/order.html"
    verbs = (
        RowVerb("stop_order", _("Stop it"), "stop_circle", _("What is done stays done."),
            lambda order: order.finished_at is None),
    )  # fmt: skip

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[OrderList]:
        return OrderList

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Ask which deliveries are meant, show them, then take the order."""
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
        """Show the page on which an order is given.

        It has a look at the deliveries as soon as it is known which.
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

    def page_context(self, request: HttpRequest, row: Order) -> dict[str, Any]:
        return {"which": Selection.of_json(row.selection), "in_hand": orders.in_hand(row)}

    def stop_order(self, request: HttpRequest, row: Order) -> str:
        orders.stop(row)
        return gettext("Stopped. What is done stays done.")

    @display(description=_("order"))
    def name(self, row: Order) -> str:
        return str(row)

    @display(description=_("which deliveries"))
    def which(self, row: Order) -> str:
        return str(row.meant)  # type: ignore[attr-defined]  # by the list

    @display(description=_("done"))
    def progress(self, row: Order) -> str:
        return f"{row.done:,} / {row.expected:,}"


def pages() -> OrderPages:
    """Return the registered order pages, for other pages that lead here."""
    found = admin.site._registry[Order]
    assert isinstance(found, OrderPages)
    return found


def actions() -> list[Any]:
    """Return one list action for each verb of an order."""
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
