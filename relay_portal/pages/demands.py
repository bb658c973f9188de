"""How each domain stands to what receivers ask for."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from deliveries.authentication import demand_verdicts
from deliveries.models import DemandMeasure
from domains.foundation.text.texts import storable
from domains.models import Domain
from domains.operations.own_projects import projects_of

STATES = {
    "pass": (gettext_lazy("Met"), "delivered"),
    "fail": (gettext_lazy("Not met"), "bounced"),
    "unknown": (gettext_lazy("Cannot tell"), "deferred"),
}
LISTED = 500  # domains to choose from


def page(request: HttpRequest) -> HttpResponse:
    """Show the domain that is asked for, or the first."""
    domains = Domain.objects.select_related("project").order_by("name")
    if (mine := projects_of(request)) is not None:
        domains = domains.filter(project__in=mine)
    wanted = storable(request.GET.get("domain", "")).strip().lower()
    row = domains.filter(name=wanted).first() if wanted else domains.first()
    context = {
        **admin.site.each_context(request),
        "title": _("What receivers ask for"),
        "names": list(domains.values_list("name", flat=True)[:LISTED]),
        "domain": row,
        "receivers": _shown(row) if row is not None else [],
    }
    return TemplateResponse(request, "portal/demands.html", context)


def _shown(row: Domain) -> list[dict[str, Any]]:
    found = demand_verdicts.judge(row, now=timezone.now())
    return [
        {"name": receiver, "entries": [_entry(each) for each in entries]}
        for receiver, entries in groupby(found, key=lambda each: each["receiver"])
    ]


def _entry(each: dict[str, Any]) -> dict[str, Any]:
    label, colour = STATES[each["state"]]
    return {
        **each, "label": label, "colour": colour,
        "what": DemandMeasure(each["measure"]).label,
        "text": demand_verdicts.sentence(each["code"], each["given"]),
    }  # fmt: skip
