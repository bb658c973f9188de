"""The addresses that mail leaves from: those of our sources, the one that is set, or all that our
host name has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from ipaddress import ip_address

from django.conf import settings

from domains.foundation.dns.names import IpAddress
from domains.foundation.dns.resolver import NoSuchName, Resolver, TemporaryFailure
from domains.foundation.dns.servers import nameservers
from domains.senders.source_addresses import of_sources


async def own_addresses(resolver: Resolver, sources: Collection[str] = ()) -> list[IpAddress]:
    """Return the addresses; `sources` are those of our sources, where we have some.

    Raise `TemporaryFailure` where the host name's addresses cannot be had now.
    """
    if sources:
        return [ip_address(address) for address in sources]
    if settings.EKIDEN_SOURCE:
        return [ip_address(settings.EKIDEN_SOURCE)]
    try:
        return list(await resolver.addresses(settings.EKIDEN_HOSTNAME))
    except NoSuchName:
        return []


def known_now() -> frozenset[str]:
    """Return them as text, for code without an event loop; none where DNS gives no answer."""
    if sources := of_sources():
        return frozenset(sources)
    try:
        found = asyncio.run(own_addresses(Resolver(nameservers(settings.EKIDEN_DNS))))
    except TemporaryFailure:
        return frozenset()
    return frozenset(map(str, found))
