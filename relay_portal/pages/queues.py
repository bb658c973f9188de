"""RQ's queues, workers and scheduler, as names and counts.

It reads the plain keys and never a job: reading one means to trust what whoever can write to Valkey
has put there.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from redis import Redis
from redis.exceptions import RedisError
from rq.cron_scheduler_registry import get_registry_key
from rq.registry import FailedJobRegistry, StartedJobRegistry

from deliveries.backends import job_queues as our_queues
from deliveries.jobs import schedule

WORKERS, SCHEDULERS = "rq:workers", get_registry_key()
NAMES_MOST = 200


def queues(request: HttpRequest) -> HttpResponse:
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": _("Queues"),
        "rings": _rings(),
    }
    try:
        with our_queues.connect() as valkey:
            context |= {
                "queues": _queues(valkey),
                "workers": _workers(valkey),
                "schedulers": _schedulers(valkey),
            }
    except RedisError:
        context["is_down"] = True
    return TemplateResponse(request, "portal/queues.html", context)


def _queues(valkey: Redis) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "waiting": len(our_queues.queue(name, valkey)),
            # Their own clean-up would load jobs.
            "started": StartedJobRegistry(name, connection=valkey).get_job_count(cleanup=False),
            "failed": FailedJobRegistry(name, connection=valkey).get_job_count(cleanup=False),
        }
        for name in (our_queues.DELIVERIES, our_queues.MAINTENANCE)
    ]


def _workers(valkey: Redis) -> list[dict[str, Any]]:
    keys = sorted(map(_text, valkey.smembers(WORKERS)))[:NAMES_MOST]
    return [_worker(valkey, key) for key in keys]


def _worker(valkey: Redis, key: str) -> dict[str, Any]:
    state, queues, host, pid, seen = map(
        _text, valkey.hmget(key, ["state", "queues", "hostname", "pid", "last_heartbeat"])
    )
    return {
        "name": f"{host or '?'}:{pid}",
        "state": _(state) if state else "",
        "queues": queues.replace(",", ", "),
        "seen": _moment(seen),
    }


def _schedulers(valkey: Redis) -> list[dict[str, Any]]:
    found: Any = valkey.zrange(
        SCHEDULERS, 0, NAMES_MOST, withscores=True
    )  # its type depends on the arguments
    return [
        {"name": _text(name), "seen": datetime.fromtimestamp(score, UTC)} for name, score in found
    ]


def _rings() -> list[dict[str, Any]]:
    """What the scheduler rings, from our own table."""
    drain = {"name": "deliveries.jobs.drain", "seconds": schedule.DRAIN_EVERY}
    return [
        drain,
        *(
            {"name": f"{each.__module__}.{each.__name__}", "seconds": seconds}
            for each, seconds in schedule.TABLE
        ),
    ]


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
