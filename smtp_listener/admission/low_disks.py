"""Which machines' listeners refuse mail for lack of room: reported through Valkey, so that every
machine's `status` knows.
"""

from __future__ import annotations

import json
import socket
import time
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from django.conf import settings
from redis.exceptions import RedisError

from deliveries.backends import job_queues
from smtp_listener.admission.disk import Disk, LowDisk
from smtp_listener.admission.limits import Counters

KEY = "ekiden:low-disk"
KEEP = 120  # seconds for which a listener's word counts; it is renewed every 30


def node() -> str:
    return socket.gethostname()


async def tell(counters: Counters, disk: Disk) -> None:
    """Say that this machine has no room; where it has, say nothing: the last word passes."""
    if (found := disk.low(node())) is not None:
        await counters.note(
            KEY,
            f"{found.node} {found.folder}",
            json.dumps({"at": time.time(), **asdict(found)}),
            KEEP,
        )


def find() -> list[LowDisk]:
    """Return those of this machine, looked at now, and what the listeners of others have said.

    A full disk may keep Valkey from taking their word, so this machine's own is not asked for.
    """
    here = Disk(settings.EKIDEN_DATA, settings.EKIDEN_LOW_DISK).low(node())
    return [*([here] if here else []), *(each for each in _reported() if each.node != node())]


def _reported() -> list[LowDisk]:
    try:
        with job_queues.connect(patience=2) as valkey:
            noted: Any = valkey.hvals(KEY)  # bytes; their type depends on the connection
    except (RedisError, OSError):
        return []
    found = []
    for text in noted:
        with suppress(ValueError, TypeError, KeyError):  # Valkey may hold anything
            report = json.loads(text)
            if float(report.pop("at")) > time.time() - KEEP:
                found.append(
                    LowDisk(
                        str(report["node"]),
                        str(report["folder"]),
                        int(report["free"]),
                        int(report["mark"]),
                    )
                )
    return sorted(found, key=lambda each: (each.node, each.folder))
