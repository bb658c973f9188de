"""Whether the parts of the service answer, each asked in its own language."""

from __future__ import annotations

import http.client
import socket
from typing import Any

from django.conf import settings
from django.db import Error, connection
from redis.exceptions import RedisError
from rq import Worker

from deliveries.backends import job_queues
from domains.foundation import sql
from domains.foundation.process.own_address import own_address
from relay_portal.process import processes
from relay_portal.process.supervision import SETUP

PATIENCE = 2.0


def has_database() -> bool:
    """Tell whether it answers, and takes writes."""
    try:
        return bool(sql.value("SELECT current_setting('transaction_read_only')") == "off")
    except Error:
        connection.close()
        return False


def has_valkey() -> bool:
    """Tell whether it answers, and takes writes."""
    try:
        with job_queues.connect(patience=PATIENCE) as valkey:
            # A replica, and one that is full, answers a ping as well.
            return bool(valkey.set("ekiden:status", "1", ex=60))
    except RedisError:
        return False


def workers() -> set[str]:
    """Return the queues that somebody works on."""
    try:
        with job_queues.connect(patience=PATIENCE) as valkey:
            return {
                queue.name for worker in Worker.all(connection=valkey) for queue in worker.queues
            }
    except RedisError:
        return set()


def greets(port: int) -> bool:
    """Tell whether an SMTP server speaks first there."""
    try:
        with socket.create_connection((own_address(), port), PATIENCE) as peer:
            peer.settimeout(PATIENCE)
            return peer.recv(4) == b"220 "
    except OSError:
        return False


def is_open(port: int) -> bool:
    try:
        with socket.create_connection((own_address(), port), PATIENCE):
            return True
    except OSError:
        return False


def has_portal() -> bool:
    asking = http.client.HTTPConnection(own_address(), settings.EKIDEN_PORTAL_PORT, timeout=10)
    try:
        asking.request("GET", "/health/", headers={"Host": "localhost"})
        return asking.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        asking.close()


def parts() -> dict[str, bool]:
    """Return each part by name, and whether it answers."""
    is_there = has_valkey()
    at_work = workers() if is_there else set()
    ports = {"submission": settings.EKIDEN_SUBMISSION_PORT, "mx": settings.EKIDEN_MX_PORT}
    return {
        "PostgreSQL": has_database(),
        "Valkey": is_there,
        "delivery worker": job_queues.DELIVERIES in at_work,
        "maintenance worker": job_queues.MAINTENANCE in at_work,
        "portal": has_portal(),
        "submissions port": not settings.EKIDEN_SUBMISSIONS_PORT
        or is_open(settings.EKIDEN_SUBMISSIONS_PORT),
        **{f"{name} port": not port or greets(port) for name, port in ports.items()},
    }


def waiting_for() -> list[str]:
    """Return the parts that are not there; empty when all is up."""
    return [name for name, is_there in parts().items() if not is_there] + [
        process["name"] for process in supervised() if process["state"] != "running"
    ]


def supervised() -> list[dict[str, Any]]:
    """Return the processes that `ekiden up` runs; empty where something else runs them."""
    with processes.supervisor() as supervisor:
        found = supervisor.getAllProcessInfo() if supervisor is not None else []
    return [
        {
            "name": info["name"],
            "state": info["statename"].lower(),
            "pid": info["pid"] or None,
            "seconds": info["now"] - info["start"],
        }
        for info in found
        if info["name"] != SETUP
    ]


def where() -> str:
    """Return the addresses of the service, for people."""
    address = own_address()
    host = (
        "localhost"
        if address in ("127.0.0.1", "::1")
        else f"[{address}]"
        if ":" in address
        else address
    )
    apps = (
        [f"{host}:{settings.EKIDEN_SUBMISSION_PORT} (STARTTLS)"]
        if settings.EKIDEN_SUBMISSION_PORT
        else []
    )
    apps += (
        [f"{host}:{settings.EKIDEN_SUBMISSIONS_PORT} (TLS)"]
        if settings.EKIDEN_SUBMISSIONS_PORT
        else []
    )
    return (
        f"Portal: http://{host}:{settings.EKIDEN_PORTAL_PORT}/   SMTP for apps: "
        f"{', '.join(apps) or 'off'}"
    )
