"""Figures for Prometheus, for whoever shows the token: what waits, since when, and what each lane
is allowed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any

from django.conf import settings
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from redis.exceptions import RedisError

from deliveries.backends import job_queues
from deliveries.capacity import inflow
from deliveries.insight import error_rates, stats, traffic
from deliveries.models import Alert, Stop
from deliveries.steering import alerts
from domains.models import SetAside
from domains.senders import domain_alerts
from smtp_listener.admission import low_disks
from smtp_listener.admission.limits import FORGED_RETURN_PATHS

# Text format 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})

HELP = {
    "ekiden_deliveries_today": (
        "Deliveries since midnight, by what happened to them: accepted, delivered, deferred "
        "(tries), bounced, expired, suppressed, cancelled."
    ),
    "ekiden_time_to_delivery_seconds": (
        "From acceptance to delivery, of what was delivered within an hour, by priority and "
        "quantile; absent where nothing was."
    ),
    "ekiden_ended_24h": (
        "Deliveries that ended within 24 hours, by class (delivered, suppressed, or why not)."
    ),
    "ekiden_hard_bounce_percent": (
        "Of a credential's deliveries within the hours of its "
        "project's alert; those with mail only."
    ),
    "ekiden_alert_open": "1 for a credential whose hard bounces are above its project's threshold.",
    "ekiden_domain_alert_open": (
        "1 for each kind of trouble with a domain: its return path, or its ownership."
    ),
    "ekiden_set_aside": (
        "Items that made their loop fail three times, by kind: each waits for a person."
    ),
    "ekiden_low_disk_free_bytes": (
        "Free bytes of a folder with too little room for a listener to take mail; absent where "
        "there is enough."
    ),
    "ekiden_inflow_seconds_behind": (
        "How far delivery is behind what is accepted, where this machine is what it waits for."
    ),
    "ekiden_inflow_urgent_seconds_behind": (
        "How long urgent mail waited lately until it was taken up, where this machine is the cause."
    ),
    "ekiden_inflow_messages_per_second": (
        "Messages that are let in, of those that are not urgent; absent where all are."
    ),
    "ekiden_inflow_waiting": "Messages whose apps wait for their turn.",
    "ekiden_forged_return_paths": (
        "Mail to return paths that are not ours or too old, refused, within 90 days."
    ),
    "ekiden_delivery_stopped": "1 while the emergency stop holds all delivery back.",
    "ekiden_lane_waiting": "Deliveries that wait in the lane.",
    "ekiden_lane_oldest_waiting_seconds": "For how long the oldest of them has been waiting.",
    "ekiden_lane_window": "Connections at once that the lane is allowed now.",
    "ekiden_lane_messages_per_second": (
        "Messages a second that the lane is allowed now; absent without a limit."
    ),
    "ekiden_lane_paused": "1 while the lane is paused by an answer of its receiver.",
    "ekiden_lane_closed": "1 while the lane is closed until a person opens it.",
}


@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Return the metrics to who sends `Authorization: Bearer TOKEN`, else 401.

    Without a token in the settings there is no such page.
    """
    token = settings.EKIDEN_METRICS_TOKEN
    if not token:
        raise Http404
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not compare_digest(given.encode(), token.encode()):
        return HttpResponse(
            "unauthorized\n",
            status=401,
            content_type="text/plain",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return HttpResponse("".join(_lines(timezone.now())), content_type=CONTENT_TYPE)


def _lines(now: datetime) -> Iterator[str]:
    samples = list(_samples(now))
    for name, text in HELP.items():
        yield f"# HELP {name} {text}\n# TYPE {name} gauge\n"
        for labels, value in ((labels, value) for each, labels, value in samples if each == name):
            yield f"{name}{_braces(labels)} {value:g}\n"


def _samples(now: datetime) -> Iterator[tuple[str, dict[str, str], float]]:
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    for event, amount in asdict(traffic.totals(midnight, now)).items():
        yield "ekiden_deliveries_today", {"event": event}, amount
    for priority, time in traffic.times_to_delivery(now - timedelta(hours=1), now).items():
        for quantile in (50, 95, 99):
            labels = {"priority": priority.name.lower(), "quantile": f"0.{quantile}".rstrip("0")}
            yield "ekiden_time_to_delivery_seconds", labels, getattr(time, f"p{quantile}")
    yield from _forged()
    yield from _errors(now)
    for kind, amount in (
        SetAside.objects.troubles().order_by().values_list("kind").annotate(amount=Count("pk"))
    ):
        yield "ekiden_set_aside", {"kind": kind}, amount
    flow = inflow.find()
    yield "ekiden_inflow_seconds_behind", {}, flow.seconds_behind
    yield "ekiden_inflow_urgent_seconds_behind", {}, flow.urgent_seconds_behind
    if flow.limit is not None:
        yield "ekiden_inflow_messages_per_second", {}, flow.limit
    yield "ekiden_inflow_waiting", {}, flow.waiting
    for low in low_disks.find():
        labels = {
            "node": low.node,
            "folder": low.folder,
            "refuses": "apps" if low.refuses_apps else "strangers",
        }
        yield "ekiden_low_disk_free_bytes", labels, low.free
    yield "ekiden_delivery_stopped", {}, Stop.objects.filter(scope=Stop.Scope.ALL).exists()
    for lane in stats.waiting_lanes(now=now):
        labels = {"lane": str(lane["id"]), "site": lane["site"]}
        yield "ekiden_lane_waiting", labels, lane["waiting"]
        yield "ekiden_lane_oldest_waiting_seconds", labels, (now - lane["oldest"]).total_seconds()
        yield "ekiden_lane_paused", labels, lane["is_paused"]
        yield "ekiden_lane_closed", labels, lane["is_closed"]
        if lane["window"] is not None:
            yield "ekiden_lane_window", labels, lane["window"]
        if lane["per_second"] is not None:
            yield "ekiden_lane_messages_per_second", labels, lane["per_second"]


def _errors(now: datetime) -> Iterator[tuple[str, dict[str, str], float]]:
    for category, amount in error_rates.categories(since=now - timedelta(hours=24)).items():
        yield "ekiden_ended_24h", {"class": category}, amount
    for figures in alerts.current_figures(now=now):
        yield (
            "ekiden_hard_bounce_percent",
            {"credential": str(figures.credential_id)},
            round(figures.rate, 2),
        )
    for alert in Alert.objects.filter(ended_at__isnull=True):
        yield "ekiden_alert_open", {"credential": str(alert.credential_id)}, 1
    for each in domain_alerts.open_alerts():
        domain = each.domain
        labels = {"domain": domain.name, "project": domain.project.name, "kind": each.kind}
        yield "ekiden_domain_alert_open", labels, 1


def _forged() -> Iterator[tuple[str, dict[str, str], float]]:
    """Yield the count of forged return paths, if Valkey can be asked: the other figures do not need
    it.
    """
    with suppress(RedisError, OSError, ValueError), job_queues.connect(patience=2) as valkey:
        found: Any = valkey.get(FORGED_RETURN_PATHS)  # bytes; their type depends on the connection
        yield "ekiden_forged_return_paths", {}, int(found or 0)


def _braces(labels: dict[str, str]) -> str:
    inner = ",".join(f'{name}="{value.translate(ESCAPES)}"' for name, value in labels.items())
    return f"{{{inner}}}" if inner else ""
