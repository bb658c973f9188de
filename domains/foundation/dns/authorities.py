"""What each name server of a zone says for itself, beside what a resolver makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset

from domains.foundation.dns.exchange import ServerFailure, ask_for_its_own
from domains.foundation.dns.names import IpAddress
from domains.foundation.dns.question_rate import QuestionRate
from domains.foundation.dns.resolver import NoSuchName, Resolver, TemporaryFailure
from domains.foundation.dns.server_answers import (
    ServerAddress,
    ServerAnswer,
    ZoneServers,
    glue_of,
    host_text,
    read,
    referral,
)

TIMEOUT = 3.0  # seconds for one question to one server
SERVERS, ADDRESSES = 13, 4  # of one zone, of one server; as many as the root has, and few have more
STEPS = 4  # zones below each other that are followed by referral


class Authorities:
    """Asks name servers that strangers name: only where `may_ask` is true, never recursively."""

    def __init__(
        self, resolver: Resolver, may_ask: Callable[[IpAddress], bool], *, port: int = 53,
        timeout: float = TIMEOUT, pace: QuestionRate | None = None,
    ) -> None:  # fmt: skip
        self._resolver = resolver
        self._may_ask = may_ask
        self._port = port
        self._timeout = timeout
        self._pace = pace
        self._known: dict[str, asyncio.Task[ZoneServers | None]] = {}

    async def known_zone(self, domain: str) -> ZoneServers | None:
        """Return what `zone_of` said the first time: of a zone that many looks need."""
        if domain not in self._known:
            self._known[domain] = asyncio.ensure_future(self.zone_of(domain))
        return await self._known[domain]

    async def zone_of(self, domain: str) -> ZoneServers | None:
        """Return the zone that holds the domain, found by walking up; None where none can be."""
        try:
            name = dns.name.from_text(domain)
        except dns.exception.DNSException:
            return None
        above = name
        while len(above) > 1:
            hosts = await self._delegated_to(above)
            if hosts and (zone := await self._begun_at(above, hosts, {})) is not None:
                return zone if above == name else await self._descended(name, zone)
            above = above.parent()
        return None

    async def one_of(self, zone: str, hosts: Sequence[str], turn: int) -> ZoneServers | None:
        """Return a known zone with one address of one of its servers, another one each turn; None
        where that server has none.
        """
        host = hosts[turn % len(hosts)]
        found = await self._addresses(host, {})
        if not found:
            return None
        address = found[turn // len(hosts) % len(found)]
        return ZoneServers(zone, (ServerAddress(host, str(address)),))

    async def answers(self, zone: ZoneServers, qname: str, kind: str) -> list[ServerAnswer]:
        """Ask every address of every server at once; one answer each, in the zone's order. Where
        they say that a zone of its own begins above the name, its servers answer.
        """
        try:
            name = dns.name.from_text(qname)
        except dns.exception.DNSException:  # too long to be one
            return []
        rdtype, apex = dns.rdatatype.from_text(kind), dns.name.from_text(zone.name)
        asked = (self._answer(each, name, rdtype, apex) for each in zone.servers)
        found: list[ServerAnswer] = []
        for each in await asyncio.gather(*asked):
            if isinstance(each, ServerAnswer):
                found.append(each)
            elif not any(answer.zone == each.name for answer in found):
                found += await self.answers(each, qname, kind)
        return found

    async def _answer(
        self, server: ServerAddress, name: dns.name.Name, rdtype: dns.rdatatype.RdataType,
        apex: dns.name.Name,
    ) -> ServerAnswer | ZoneServers:  # fmt: skip
        """Return its answer, or the zone that it refers to."""
        zone = host_text(apex)
        try:
            message = await self._heard(server, name, rdtype)
        except ServerFailure as failure:
            return ServerAnswer(server, failure=str(failure), zone=zone)
        if below := referral(message, name, apex):
            hosts = [host_text(each.target) for each in below]
            if (inner := await self._begun_at(below.name, hosts, glue_of(message))) is not None:
                return inner
        if not message.flags & dns.flags.AA:
            stranger = "The name server does not answer for this zone"
            return ServerAnswer(server, failure=stranger, zone=zone)
        return replace(read(server, message, name, rdtype), zone=zone)

    async def _delegated_to(self, name: dns.name.Name) -> list[str]:
        try:
            return list(await self._resolver.ns(name.to_text()))
        except (NoSuchName, TemporaryFailure):
            return []  # what cannot be had for the name may be had for the one above it

    async def _begun_at(
        self, apex: dns.name.Name, hosts: Iterable[str], glue: dict[str, list[IpAddress]]
    ) -> ZoneServers | None:
        """Return the zone; None where no host has an address, or all say that its SOA is not
        theirs: an NS list may also have come by a CNAME, of another zone.
        """
        chosen = sorted(set(hosts))[:SERVERS]
        found = await asyncio.gather(*(self._addresses(host, glue) for host in chosen))
        servers = tuple(
            ServerAddress(host, str(address))
            for host, addresses in zip(chosen, found, strict=True)
            for address in addresses
        )
        addressless = tuple(
            host for host, addresses in zip(chosen, found, strict=True) if not addresses
        )
        if not servers:
            return None
        answers = [await self._soa(servers[0], apex)]
        if not answers[0]:
            answers += await asyncio.gather(*(self._soa(each, apex) for each in servers[1:]))
        if all(answer == () for answer in answers):
            return None
        soa = next((answer for answer in answers if answer), None)
        text, negative = soa or ("", 0)
        return ZoneServers(host_text(apex), servers, addressless, text, negative)

    async def _soa(
        self, server: ServerAddress, apex: dns.name.Name
    ) -> tuple[str, int] | tuple[()] | None:
        """Return the SOA's text and the negative TTL in seconds; () where the server has none, None
        where it is silent.
        """
        try:
            message = await self._heard(server, apex, dns.rdatatype.SOA)
        except ServerFailure:
            return None
        for rrset in message.answer:
            if rrset.name == apex and rrset.rdtype == dns.rdatatype.SOA:
                return rrset[0].to_text(), min(rrset.ttl, rrset[0].minimum)
        return () if message.flags & dns.flags.AA else None

    async def _descended(self, name: dns.name.Name, zone: ZoneServers) -> ZoneServers:
        """Follow referrals: a resolver that fails for a broken zone still knows the one above."""
        for _ in range(STEPS):
            inner = None
            for server in zone.servers:
                try:
                    message = await self._heard(server, name, dns.rdatatype.NS)
                except ServerFailure:
                    continue
                if below := referral(message, name, dns.name.from_text(zone.name)):
                    hosts = [host_text(each.target) for each in below]
                    inner = await self._begun_at(below.name, hosts, glue_of(message))
                break
            if inner is None:
                return zone
            zone = inner
        return zone

    async def _addresses(self, host: str, glue: dict[str, list[IpAddress]]) -> list[IpAddress]:
        try:
            found = list(await self._resolver.addresses(host))
        except (NoSuchName, TemporaryFailure):
            found = []
        return [each for each in found or glue.get(host, []) if self._may_ask(each)][:ADDRESSES]

    async def _heard(
        self, server: ServerAddress, name: dns.name.Name, rdtype: dns.rdatatype.RdataType
    ) -> dns.message.QueryMessage:
        if self._pace is not None:
            await self._pace.turn()
        message = await ask_for_its_own(
            (server.address, self._port), name, rdtype, timeout=self._timeout
        )
        if message.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            code = dns.rcode.to_text(message.rcode())
            raise ServerFailure(f"The name server answered {code}")
        return message
