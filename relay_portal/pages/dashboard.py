"""The overview: is mail flowing, and if not, where does it stop.

Every number leads to the rows behind it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from deliveries.capacity import inflow
from deliveries.insight import error_rates, stats
from deliveries.insight.tracing import site_name, why_waiting
from deliveries.models import Alert, Delivery, Lane
from deliveries.models.states import LIVE, State
from deliveries.steering import pauses
from domains.models import SetAside
from smtp_listener.admission import low_disks
from suppressions.models import Brake

MINUTES = 60
DAY = timedelta(days=1)
FAILURES = 8
# The colours of the bars, from the foot up; the two live states share one.
KINDS = ("delivered", "live", "failed")
FAILED = (State.BOUNCED, State.EXPIRED, State.SUPPRESSED, State.CANCELLED)


def dashboard(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    today = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    minutes = stats.per_minute(MINUTES, now=now)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": _("Overview"),
        "private_networks": ", ".join(settings.EKIDEN_PRIVATE_NETWORKS),
        "tiles": _tiles(stats.counts(since=today)),
        "bars": [
            _bar(minute, most=max([1, *(each["accepted"] for each in minutes)]))
            for minute in minutes
        ],
        "peak": max(each["accepted"] for each in minutes),
        "accepted": sum(each["accepted"] for each in minutes),
        "first": minutes[0]["at"],
        "oldest": _oldest(now=now),
        "paused": [_paused(lane, amount) for lane, amount in stats.paused_lanes(now=now)],
        "brakes": list(Brake.objects.filter(ended_at__isnull=True)),
        "alerts": list(
            Alert.objects.filter(ended_at__isnull=True).select_related("credential__project")
        ),
        "low_disks": low_disks.find(),
        "in_flow": inflow.find(),
        "set_aside": SetAside.objects.troubles().count(),
        "errors": error_rates.total(error_rates.RateScope(now - DAY, now + DAY)),
        "stopped": pauses.everything(),
        "is_stopped": pauses.emergency() is not None,
        "failures": [
            {**failure, "label": State(failure["state"]).label}
            for failure in stats.recent_failures(FAILURES)
        ],
    }
    return TemplateResponse(request, "portal/dashboard.html", context)


def _tiles(counts: dict[str, int]) -> list[dict[str, Any]]:
    """The states of what was accepted today."""
    listed = reverse("admin:deliveries_delivery_changelist")
    return [
        {
            "state": each,
            "label": each.label,
            "amount": counts[each],
            "url": f"{listed}?state={each}&since=today",
        }
        for each in State
    ]


def _bar(minute: stats.Minute, *, most: int) -> dict[str, Any]:
    """Heights in percent of the highest bar."""
    states = minute["states"]
    live = sum(states.get(state, 0) for state in LIVE)
    failed = sum(states.get(state, 0) for state in FAILED)
    amounts = dict(zip(KINDS, (states.get(State.DELIVERED, 0), live, failed), strict=True))
    return {
        "at": minute["at"],
        "accepted": minute["accepted"],
        "parts": [
            (kind, f"{amount * 100 / most:.2f}") for kind, amount in amounts.items() if amount
        ],
        **amounts,
    }


def _oldest(*, now: datetime) -> dict[str, Any] | None:
    delivery = stats.oldest_waiting()
    if delivery is None:
        return None
    looked_up = (
        Delivery.objects.select_related("lane", "message")
        .prefetch_related("attempts")
        .get(pk=delivery.pk)
    )
    return {
        "delivery": looked_up,
        "accepted_at": looked_up.message.accepted_at,
        "waiting": why_waiting(looked_up, now=now),
    }


def _paused(lane: Lane, amount: int) -> dict[str, Any]:
    return {"lane": lane, "site": site_name(lane), "amount": amount}
