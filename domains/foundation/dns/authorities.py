"""What each name server of a zone says for itself, beside what a resolver makes of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import ip_address

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
from domains.foundation.dns.resolver import NoSuchName, Resolver, TemporaryFailure

TIMEOUT = 3.0  # seconds for one question to one server
SERVERS, ADDRESSES = 13, 4  # of one zone, of one server; as many as the root has, and few have more
STEPS = 4  # zones below each other that are followed by referral


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """One address of one name server of a zone."""

    host: str
    address: str


@dataclass(frozen=True, slots=True)
class ZoneServers:
    """A zone as its own servers describe it.

    `negative_ttl` is in seconds (RFC 2308, section 5). `addressless` are hosts without an address
    that may be asked.
    """

    name: str
    servers: tuple[ServerAddress, ...]
    addressless: tuple[str, ...] = ()
    soa: str = ""
    negative_ttl: int = 0

    @property
    def hosts(self) -> tuple[str, ...]:
        """The servers' names, in the order of the zone."""
        named = dict.fromkeys(server.host for server in self.servers)
        return (*named, *self.addressless)


@dataclass(frozen=True, slots=True)
class ServerAnswer:
    """What one server has at a name: the values of one type, and where a CNAME there leads.

    `failure` is empty where the server answered for itself. `chain` are the targets of CNAMEs that
    the server followed; its values are those at the end of them.
    """

    server: ServerAddress
    values: tuple[str, ...] = ()
    chain: tuple[str, ...] = ()
    exists: bool = False
    failure: str = ""


class QuestionRate:
    """Lets so many questions go out in a second, over all runs that share it."""

    def __init__(self, per_second: float) -> None:
        self._gap = 1 / per_second
        self._next = 0.0

    async def turn(self) -> None:
        """Wait for the next free place."""
        now = time.monotonic()
        mine = max(self._next, now)
        self._next = mine + self._gap
        await asyncio.sleep(mine - now)


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
                return await self._descended(name, zone)
            above = above.parent()
        return None

    async def answers(self, zone: ZoneServers, qname: str, kind: str) -> list[ServerAnswer]:
        """Ask every address of every server at once; one answer each, in the zone's order."""
        name, rdtype = dns.name.from_text(qname), dns.rdatatype.from_text(kind)
        apex = dns.name.from_text(zone.name)
        return list(
            await asyncio.gather(*(self._answer(each, name, rdtype, apex) for each in zone.servers))
        )

    async def _answer(
        self, server: ServerAddress, name: dns.name.Name, rdtype: dns.rdatatype.RdataType,
        apex: dns.name.Name,
    ) -> ServerAnswer:  # fmt: skip
        try:
            message = await self._heard(server, name, rdtype)
            if below := _referral(message, name, apex):  # a zone of its own begins there
                inner = await self._begun_at(
                    below.name, [_text(each.target) for each in below], _glue(message)
                )
                if inner is not None:
                    message = await self._heard(inner.servers[0], name, rdtype)
        except ServerFailure as failure:
            return ServerAnswer(server, failure=str(failure))
        if not message.flags & dns.flags.AA:
            return ServerAnswer(server, failure="The name server does not answer for this zone")
        return _read(server, message, name, rdtype)

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
        answers = await asyncio.gather(*(self._soa(server, apex) for server in servers))
        if all(answer == () for answer in answers):
            return None
        soa = next((answer for answer in answers if answer), None)
        text, negative = soa or ("", 0)
        return ZoneServers(_text(apex), servers, addressless, text, negative)

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
                if below := _referral(message, name, dns.name.from_text(zone.name)):
                    hosts = [_text(each.target) for each in below]
                    inner = await self._begun_at(below.name, hosts, _glue(message))
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


def _read(
    server: ServerAddress,
    message: dns.message.QueryMessage,
    name: dns.name.Name,
    rdtype: dns.rdatatype.RdataType,
) -> ServerAnswer:
    """Read the values at the end of the CNAME chain, as far as this server's own answer goes."""
    chain: list[str] = []
    at = name
    for _ in range(len(message.answer) if rdtype != dns.rdatatype.CNAME else 0):
        cname = _rrset(message, at, dns.rdatatype.CNAME)
        if cname is None or len(chain) > STEPS:
            break
        at = cname[0].target
        chain.append(_text(at))
    found = _rrset(message, at, rdtype)
    values = tuple(value_text(each) for each in found or ())
    exists = message.rcode() == dns.rcode.NOERROR
    return ServerAnswer(server, values, tuple(chain), exists)


def _rrset(
    message: dns.message.QueryMessage, name: dns.name.Name, rdtype: dns.rdatatype.RdataType
) -> dns.rrset.RRset | None:
    return next(
        (each for each in message.answer if each.name == name and each.rdtype == rdtype), None
    )


def value_text(rdata: dns.rdata.Rdata) -> str:
    """Write a record's value as people do: the strings of a TXT joined, names without the last dot,
    all else as in a zone file.
    """
    if strings := getattr(rdata, "strings", None):
        return b"".join(strings).decode("utf-8", "replace")
    target = getattr(rdata, "target", None)
    return _text(target) if isinstance(target, dns.name.Name) else rdata.to_text()


def _referral(
    message: dns.message.QueryMessage, name: dns.name.Name, apex: dns.name.Name
) -> dns.rrset.RRset | None:
    """Return the name servers of a zone below `apex`, where they are to be asked instead."""
    if message.answer or message.flags & (dns.flags.AA | dns.flags.RA):
        return None
    return next(
        (
            each
            for each in message.authority
            if each.rdtype == dns.rdatatype.NS
            and name.is_subdomain(each.name)
            and each.name != apex
            and each.name.is_subdomain(apex)
        ),
        None,
    )


def _glue(message: dns.message.QueryMessage) -> dict[str, list[IpAddress]]:
    found: dict[str, list[IpAddress]] = {}
    for rrset in message.additional:
        if rrset.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
            found.setdefault(_text(rrset.name), []).extend(
                ip_address(rdata.address) for rdata in rrset
            )
    return found


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()
