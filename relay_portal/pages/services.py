"""Whether each process and service is there, for the portal's first page."""

from __future__ import annotations

import time
from threading import Lock
from typing import NamedTuple

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from redis.exceptions import RedisError
from rq import Worker

from deliveries.backends import job_queues
from relay_portal.process import readiness

LOOK_EVERY = 15.0  # seconds: many open pages ask the ports of a machine no more often


# As Supervisor calls them.
STATES = {
    "running": pgettext_lazy("of a process", "running"),
    "starting": pgettext_lazy("of a process", "starting"),
    "stopping": pgettext_lazy("of a process", "stopping"),
    "stopped": pgettext_lazy("of a process", "stopped"),
    "backoff": pgettext_lazy("of a process", "could not start; it is tried again"),
    "exited": pgettext_lazy("of a process", "ended"),
    "fatal": pgettext_lazy("of a process", "cannot start"),
    "unknown": pgettext_lazy("of a process", "not known"),
}


class ServiceHealth(NamedTuple):
    """A process or service by its name for people; `detail` says how many, where, or how it is."""

    name: str | Promise
    is_there: bool
    detail: str | Promise = ""


class Services:
    """One look for all pages of this process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._found: list[ServiceHealth] = []
        self._at = -LOOK_EVERY

    def find(self) -> list[ServiceHealth]:
        with self._lock:
            if time.monotonic() - self._at >= LOOK_EVERY:
                self._found, self._at = look(), time.monotonic()
            return self._found


def look() -> list[ServiceHealth]:
    """Ask each part in its own language; PostgreSQL has answered whoever asks."""
    has_valkey = readiness.has_valkey()
    workers = _workers() if has_valkey else {}
    found = [
        ServiceHealth("PostgreSQL", is_there=True),
        ServiceHealth("Valkey", has_valkey),
        _at_work(_("Delivery workers"), workers.get(job_queues.DELIVERIES, 0)),
        _at_work(_("Maintenance workers"), workers.get(job_queues.MAINTENANCE, 0)),
    ]
    ports = {
        _("Listener, submission"): settings.EKIDEN_SUBMISSION_PORT,
        _("Listener, MX"): settings.EKIDEN_MX_PORT,
    }
    found += [
        ServiceHealth(name, readiness.greets(port), str(port))
        for name, port in ports.items()
        if port
    ]
    return found + [of_process(each["name"], each["state"]) for each in readiness.supervised()]


def of_process(name: str, state: str) -> ServiceHealth:
    return ServiceHealth(name, state == "running", STATES.get(state, state))


def _at_work(name: Promise, amount: int) -> ServiceHealth:
    return ServiceHealth(name, amount > 0, str(amount))


def _workers() -> dict[str, int]:
    """Count the workers of each queue."""
    found: dict[str, int] = {}
    try:
        with job_queues.connect(patience=readiness.PATIENCE) as valkey:
            for worker in Worker.all(connection=valkey):
                for queue in worker.queues:
                    found[queue.name] = found.get(queue.name, 0) + 1
    except RedisError:
        return {}
    return found


services = Services()
