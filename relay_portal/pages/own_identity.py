"""How receivers see us: one light for each thing that they look at."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from domains.identity import own_lights
from domains.identity.block_lists import LISTS
from domains.identity.sentences import sentence

STATES = {
    "good": (gettext_lazy("Good"), "delivered"),
    "bad": (gettext_lazy("Bad"), "bounced"),
    "unknown": (gettext_lazy("Cannot tell"), "deferred"),
}
TITLES = {
    "ptr": gettext_lazy("PTR record"),
    "forward": gettext_lazy("PTR leads back"),
    "ehlo": gettext_lazy("EHLO name"),
} | {each.zone: each.name for each in LISTS}


def page(request: HttpRequest) -> HttpResponse:
    """Show what the hourly look found."""
    addresses: dict[str, list[dict[str, Any]]] = {}
    for each in own_lights.lights():
        addresses.setdefault(each["address"], []).append(_shown(each))
    context = {
        **admin.site.each_context(request), "title": _("How receivers see us"),
        "addresses": addresses.items(),
    }  # fmt: skip
    return TemplateResponse(request, "portal/own_identity.html", context)


def _shown(each: dict[str, Any]) -> dict[str, Any]:
    label, colour = STATES[each["state"]]
    return {
        "title": TITLES.get(each["check"], each["check"]), "label": label, "colour": colour,
        "text": sentence(each["slip"], each["given"]), "page": each["given"].get("page", ""),
        "since": parse_datetime(each["changed_at"]), "at": parse_datetime(each["checked_at"]),
    }  # fmt: skip
