"""The home page: does mail flow, and if not, where does it stop.

It counts no rows: its figures come from the traffic counts. Every number leads to the rows behind
it. What changes is a fragment of its own, which the page asks for again while it is open.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from deliveries.capacity import inflow
from deliveries.insight import error_rates, stats, traffic
from deliveries.insight.tracing import why_waiting
from deliveries.insight.traffic import UNITS, Traffic
from deliveries.models import Alert, Delivery, TrafficEvent
from deliveries.models.states import DeliveryState
from deliveries.search.narrowing import in_own_zone
from deliveries.steering import pauses
from domains.models import Credential, SetAside
from domains.senders import domain_alerts
from relay_portal.pages import attention, spans
from relay_portal.pages.error_rates import SPANS
from relay_portal.pages.services import services
from relay_portal.pages.spans import ChosenSpan
from smtp_listener.admission import low_disks
from suppressions.models import Brake

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FAILURES = 8
ROWS = 100  # of the table under the chart: each has links, and a day has 1,440 minutes
# What is drawn, from the foot of a bar up. Accepted is a line: it is another time of the same mail.
DRAWN = (TrafficEvent.DELIVERED, TrafficEvent.DEFERRED, TrafficEvent.BOUNCED, TrafficEvent.EXPIRED,
    TrafficEvent.SUPPRESSED, TrafficEvent.CANCELLED)  # fmt: skip
# The state that a list is asked for, where the event has one.
LISTED = {event.value: event.value for event in TrafficEvent if event.value in DeliveryState.values}
FORMATS = {"minute": "H:i", "hour": "m-d H:i", "day": "m-d"}


@never_cache
def page(request: HttpRequest) -> HttpResponse:
    asked = {name: str(value) for name, value in request.GET.items()}
    if (in_zone := in_own_zone(asked)) != asked:  # as the form sends it: a time of the reader's
        return redirect(f"{request.path}?{urlencode(in_zone)}")
    context = {
        **admin.site.each_context(request),
        "title": _("Overview"),
        "private_networks": ", ".join(settings.EKIDEN_PRIVATE_NETWORKS),
        **_figures(request),
    }
    return TemplateResponse(request, "portal/home.html", context)


@never_cache
def figures(request: HttpRequest) -> HttpResponse:
    """Show what changes, without the page around it."""
    return TemplateResponse(request, "portal/home_figures.html", _figures(request))


def _figures(request: HttpRequest) -> dict[str, Any]:
    now = timezone.now()
    span = spans.chosen(request.GET, now=now)
    found = traffic.figures(span.span)
    return {
        "now": now,
        "span": span,
        "from": spans.local(span.span.since),
        "to": spans.local(min(span.span.until, now)),
        "ranges": _ranges(span),
        "units": [
            (spans.TITLES[unit], f"?{span.query(by=unit)}", unit == span.span.unit, unit)
            for unit in span.units()
        ],
        "refresh": f"{reverse('admin:home_figures')}?{span.query()}" if span.is_live else "",
        "total": found.total,
        "tiles": _tiles(found.total, span),
        "rates_url": _rates_url(span.span.since, now=now),
        **_chart(span, found.series),
        "times": [
            (Credential.PriorityLevel(priority).label, time)
            for priority, time in found.times.items()
        ],
        **_queue(now=now),
        "receivers": attention.receivers(now=now),
        "notices": attention.notices(),
        "services": services.find(),
        "stopped": pauses.everything(),
        "is_stopped": pauses.emergency() is not None,
        "brakes": list(Brake.objects.filter(ended_at__isnull=True)),
        "alerts": list(
            Alert.objects.filter(ended_at__isnull=True).select_related("credential__project")
        ),
        "domain_alerts": [
            {"domain": alert.domain, "text": domain_alerts.sentence(alert)}
            for alert in domain_alerts.open_alerts()
        ],
        "low_disks": low_disks.find(),
        "in_flow": inflow.find(),
        "set_aside": SetAside.objects.troubles().count(),
        "errors": error_rates.total(error_rates.RateScope(now - DAY, now + DAY)),
        "failures": [
            {**failure, "label": DeliveryState(failure["state"]).label}
            for failure in stats.recent_failures(FAILURES)
        ],
    }


def _ranges(span: ChosenSpan) -> list[tuple[Any, str, bool]]:
    return [
        (title, f"?range={name}", name == span.name)
        for name, (_length, _unit, title) in spans.RANGES.items()
    ]


def _tiles(total: Traffic, span: ChosenSpan) -> list[dict[str, Any]]:
    return [
        {
            "event": event.value,
            "label": event.label,
            "amount": getattr(total, event),
            "url": _list_url(event, span.span.since, span.span.until),
        }
        for event in TrafficEvent
    ]


def _rates_url(since: datetime, *, now: datetime) -> str:
    """Return the link to the error rates of a time that reaches as far back, or the longest."""
    reach = [hours for hours, (amount, _title) in SPANS.items() if now - since <= amount * HOUR]
    return f"{reverse('admin:error_rates')}?hours={[*reach, list(SPANS)[-1]][0]}"


@lru_cache(maxsize=1)
def _list_path() -> str:
    return reverse("admin:deliveries_delivery_changelist")


def _list_url(event: str, since: datetime, until: datetime) -> str:
    """Return the link to the deliveries accepted in that time that are now in the event's state."""
    asked = {"state": LISTED.get(event, ""), "since": f"{since.isoformat()}/{until.isoformat()}"}
    query = urlencode({name: value for name, value in asked.items() if value})
    return f"{_list_path()}?{query}"


def _chart(span: ChosenSpan, points: list[tuple[datetime, Traffic]]) -> dict[str, Any]:
    """Return what the script draws, and the same as rows of a table, the newest first."""
    form = FORMATS[span.span.unit]
    step = UNITS[span.span.unit]
    labels = [date_format(at, form) for at, _each in points]
    listed = [
        (label, at, each)
        for label, (at, each) in zip(labels, points, strict=True)
        if any(getattr(each, event) for event in TrafficEvent)
    ]
    newest = list(reversed(listed))[:ROWS]
    rows = [
        (
            label,
            each,
            [
                (
                    getattr(each, event),
                    _list_url(event, at, at + step) if getattr(each, event) else "",
                )
                for event in TrafficEvent
            ],
        )
        for label, at, each in newest
    ]
    return {
        "chart": {
            "labels": labels,
            "series": [
                {
                    "event": event.value,
                    "label": str(event.label),
                    "values": [getattr(each, event) for _at, each in points],
                }
                for event in (TrafficEvent.ACCEPTED, *DRAWN)
            ],
            "urls": [_list_url("", at, at + step) for at, _each in points],
        },
        "columns": [event.label for event in TrafficEvent],
        "rows": rows,
        "rows_shown": len(rows) if len(rows) < len(listed) else 0,
    }


def _queue(*, now: datetime) -> dict[str, Any]:
    size = stats.queue_size()
    delivery = stats.oldest_waiting()
    if delivery is None:
        return {"queue_size": size, "oldest": None}
    row = (
        Delivery.objects.select_related("lane", "message")
        .prefetch_related("attempts")
        .get(pk=delivery.pk)
    )
    return {
        "queue_size": size,
        "is_queue_longer": size == stats.QUEUE_MOST,
        "oldest": {
            "delivery": row,
            "accepted_at": row.message.accepted_at,
            "waiting": why_waiting(row, now=now),
        },
    }
