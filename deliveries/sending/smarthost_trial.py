"""Tries a smarthost for a person: connects to each of its hosts and logs in, without a message."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from deliveries.backends.database import Database
from deliveries.models import Smarthost
from deliveries.sending.known_smarthosts import KnownSmarthost, known
from deliveries.sending.login_words import in_words
from deliveries.sending.smarthost_door import SmarthostDoor
from deliveries.sending.smarthost_logins import NoLogin, SmarthostLogins
from deliveries.smtp.connection import ConnectionFailed, Endpoint, Timeouts
from deliveries.smtp.peer import Peer
from domains.foundation.dns.resolver import NoSuchName, Resolver, TemporaryFailure
from domains.foundation.dns.servers import nameservers

PATIENCE = Timeouts(
    connect=10, greeting=20, ehlo=20, starttls=20, handshake=20, auth=20, quit=2, opening=45
)


async def trial(row: Smarthost) -> list[dict[str, Any]]:
    """Return what each host said: whether it let us in, over which TLS."""
    database = Database("ekiden smarthost trial")
    logins = SmarthostLogins(database)
    try:
        door = SmarthostDoor(of_row(row), logins)
        resolver = Resolver(nameservers(settings.EKIDEN_DNS))
        return [await _host(door, resolver, host, port) for host, port, _ in row.hosts]
    finally:
        await logins.close()
        await database.close()


def of_row(row: Smarthost) -> KnownSmarthost:
    limits = (
        row.connections, row.messages_per_connection, row.per_second, row.per_minute,
        row.per_hour, row.per_day,
    )  # fmt: skip
    head = (row.pk, row.name, row.hosts, row.mechanism, row.username, row.sealed, row.grant)
    return known((*head, *limits))


async def _host(door: SmarthostDoor, resolver: Resolver, host: str, port: int) -> dict[str, Any]:
    result: dict[str, Any] = {"host": host, "port": port, "address": "", "tls": "", "ok": False}
    started = time.monotonic()
    try:
        addresses = (await resolver.addresses(host)).records
        if not addresses:
            return result | {"said": _("it has no address in DNS")}
        result["address"] = str(addresses[0])
        connection = await door.open(
            Endpoint(host, result["address"], port), source=settings.EKIDEN_SOURCE or None,
            ehlo_name=settings.EKIDEN_HOSTNAME, timeouts=PATIENCE, peer=Peer(), without=frozenset(),
        )  # fmt: skip
    except (NoSuchName, TemporaryFailure) as error:
        return result | {"said": _("looking it up failed: %s") % error}
    except NoLogin as error:
        return result | {"said": in_words(str(error))}
    except ConnectionFailed as error:
        return result | {"said": f"{error.stage}: {error.reply}", "tls": error.tls}
    result |= {"ok": True, "tls": connection.tls}
    await connection.close()
    return result | {"said": _("logged in within %.1f s") % (time.monotonic() - started)}
