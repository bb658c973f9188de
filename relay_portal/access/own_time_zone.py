"""The time zone in which one person reads the portal's times."""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import available_timezones

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from relay_portal.models import User


@lru_cache(maxsize=1)
def zones() -> tuple[str, ...]:
    """List the zones by region and place; the data base's other names for them are left out."""
    return ("UTC", *sorted(name for name in available_timezones() if _is_place(name)))


def _is_place(name: str) -> bool:
    region, slash, _place = name.partition("/")
    return bool(slash) and region not in ("Etc", "SystemV", "posix", "right", "US")


@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    """Keep the zone that a person has chosen; an empty one is the installation's."""
    chosen = request.POST.get("zone", "")
    if chosen and chosen not in zones():
        messages.error(request, _("That is no time zone."))
    else:
        User.objects.filter(username=request.user.get_username()).update(time_zone=chosen)
        messages.success(request, _("Times are shown in this zone from now on."))
    return redirect("two_factor:profile")
