"""The zone of delegated keys as a file, for a name server that takes no updates."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from django.conf import settings

from domains.foundation.dns.server_answers import ZoneServers
from domains.identity import looks
from domains.identity.zone_text import zone_file
from domains.senders import key_zone
from domains.senders.delegation import CannotDelegate
from domains.senders.records import Purpose, Record

TTL = 300  # seconds


def text(*, now: datetime) -> str:
    """Return the whole zone with a serial above that which is served; raise `CannotDelegate`."""
    name, host = _name(), settings.EKIDEN_HOSTNAME
    served = asyncio.run(_served(name))
    if served is None or not served.soa:
        soa = f"{host}. hostmaster.{name}. {int(now.timestamp())} 3600 900 1209600 {TTL}"
        return zone_file(name, records(), soa=soa, host=host)
    return zone_file(
        name, records(), soa=_next(served.soa, now), servers=served.hosts, host=host,
        addresses=[(server.host, server.address) for server in served.servers],
    )  # fmt: skip


def facts() -> dict[str, Any]:
    """Return what programs read."""
    found = [{"name": each.name, "type": each.type, "value": each.value} for each in records()]
    return {"zone": _name(), "server": settings.EKIDEN_KEY_ZONE_SERVER, "records": found}


def records() -> list[Record]:
    """Return the records of all keys that stand in our zone."""
    rows = ((row.target, row.value) for row in key_zone.wanted())  # type: ignore[attr-defined]  # annotated there
    return [Record(Purpose.DKIM, name, "TXT", value) for name, value in rows if value]


def _name() -> str:
    if not settings.EKIDEN_KEY_ZONE:
        raise CannotDelegate(
            "This relay keeps no zone for keys. Set EKIDEN_KEY_ZONE to a zone of your own first."
        )
    return str(settings.EKIDEN_KEY_ZONE)


async def _served(name: str) -> ZoneServers | None:
    questions = looks.Questions()
    zone = await looks.authorities(questions.resolver(), questions.pace).zone_of(name)
    return zone if zone is not None and zone.name == name else None


def _next(soa: str, now: datetime) -> str:
    fields = soa.split()
    fields[2] = str(max(int(fields[2]) + 1, int(now.timestamp())))
    return " ".join(fields)
