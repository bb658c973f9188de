"""A second opinion on a name that our resolvers do not know: that of the servers of the zone above
it, asked directly.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from domains.foundation.dns.exchange import ServerFailure, ask_for_its_own
from domains.foundation.dns.names import IpAddress
from domains.foundation.dns.resolver import NoSuchName, Resolver, TemporaryFailure

PORT = 53
TOTAL_TIMEOUT, TRY_TIMEOUT = 6.0, 2.0  # seconds
SERVERS = 3  # that are asked for one zone
STEPS = 3  # zones that are asked, from the parent down


class Parents:
    """Asks name servers that strangers name, so only at addresses for which `may_ask` is true, and
    never recursively.
    """

    def __init__(
        self, resolver: Resolver, may_ask: Callable[[IpAddress], bool], *, port: int | None = None,
        try_timeout: float = TRY_TIMEOUT, total_timeout: float = TOTAL_TIMEOUT,
    ) -> None:  # fmt: skip
        self._resolver = resolver
        self._may_ask = may_ask
        self._port = PORT if port is None else port
        self._try_timeout = try_timeout
        self._total_timeout = total_timeout

    async def know(self, domain: str) -> bool | None:
        """Return whether the name exists by the word of a server that answers for a zone above it.

        None where none can be asked within `total_timeout` seconds, or none answers for itself:
        many networks let nobody but their own resolver ask, or answer in everybody's name.
        """
        try:
            name = dns.name.from_text(domain)
            async with asyncio.timeout(self._total_timeout):
                zone, hosts = await self._zone_above(name)
                return await self._descend(name, zone, hosts)
        except (TimeoutError, TemporaryFailure, NoSuchName, dns.exception.DNSException):
            return None

    async def _zone_above(self, name: dns.name.Name) -> tuple[dns.name.Name, tuple[str, ...]]:
        """Return the closest zone above that our resolvers know, and its name servers."""
        for ancestor in _above(name):
            try:
                if hosts := (await self._resolver.ns(ancestor.to_text())).records:
                    return ancestor, hosts
            except NoSuchName:
                continue  # what does not know the name may not know the one above it either
        return dns.name.root, ()

    async def _descend(
        self, name: dns.name.Name, zone: dns.name.Name, hosts: tuple[str, ...]
    ) -> bool | None:
        """Follow referrals, since the zone above answers for a name only until the name's own zone
        begins (RFC 1034, section 4.3.2).
        """
        known: bool | None = None
        for _ in range(STEPS):
            message = await self._word_of(name, zone, hosts)
            if message is None:
                return known
            below = _referral(message, name, zone)
            if below is None:
                return message.rcode() == dns.rcode.NOERROR
            zone, hosts = below.name, tuple(rdata.target.to_text() for rdata in below)
            known = True  # it is delegated, whatever the servers of its zone say
        return known

    async def _word_of(
        self, name: dns.name.Name, zone: dns.name.Name, hosts: tuple[str, ...]
    ) -> dns.message.QueryMessage | None:
        """Return what one of the zone's servers says for itself, or None.

        Servers that say nothing to the point are passed over.
        """
        for host in random.sample(hosts, min(len(hosts), SERVERS)):
            try:
                address = next(
                    filter(self._may_ask, (await self._resolver.addresses(host)).records), None
                )
                if address is None:
                    continue
                server = str(address), self._port
                message = await ask_for_its_own(
                    server, name, dns.rdatatype.MX, timeout=self._try_timeout
                )
            except (ServerFailure, TemporaryFailure, NoSuchName):
                continue
            is_answer = bool(message.flags & dns.flags.AA) and message.rcode() in (
                dns.rcode.NOERROR,
                dns.rcode.NXDOMAIN,
            )
            if is_answer or _referral(message, name, zone):
                return message
        return None


def _above(name: dns.name.Name) -> Iterator[dns.name.Name]:
    while len(name) > 2:  # the last label is the root's
        name = name.parent()
        yield name


def _referral(
    message: dns.message.QueryMessage, name: dns.name.Name, zone: dns.name.Name
) -> dns.rrset.RRset | None:
    """Return the name servers of a zone below this one.

    Return None unless the answer is that these are to be asked.
    """
    if (
        message.rcode() != dns.rcode.NOERROR
        or message.answer
        or message.flags & (dns.flags.AA | dns.flags.RA)
    ):
        return None
    is_below = (
        each for each in message.authority if each.name != zone and each.name.is_subdomain(zone)
    )
    return next(
        (
            each
            for each in is_below
            if each.rdtype == dns.rdatatype.NS and name.is_subdomain(each.name)
        ),
        None,
    )
