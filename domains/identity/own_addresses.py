"""The addresses that mail leaves from: the one that is set, or all that our host name has."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address

from django.conf import settings

from domains.foundation.dns.names import IpAddress
from domains.foundation.dns.resolver import NoSuchName, Resolver, TemporaryFailure
from domains.foundation.dns.servers import nameservers


async def own_addresses(resolver: Resolver) -> list[IpAddress]:
    """Raise `TemporaryFailure` where the host name's addresses cannot be had now."""
    if settings.EKIDEN_SOURCE:
        return [ip_address(settings.EKIDEN_SOURCE)]
    try:
        return list(await resolver.addresses(settings.EKIDEN_HOSTNAME))
    except NoSuchName:
        return []


def known_now() -> frozenset[str]:
    """Return them as text, for code without an event loop; none where DNS gives no answer."""
    try:
        found = asyncio.run(own_addresses(Resolver(nameservers(settings.EKIDEN_DNS))))
    except TemporaryFailure:
        return frozenset()
    return frozenset(map(str, found))
