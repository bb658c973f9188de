"""From a recipient domain to the site that takes its mail: static routes first, then MX hosts,
then the address.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import socket
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_network
from typing import Any, Protocol, TypeVar

from django.conf import settings

from deliveries.backends.database import Database
from deliveries.smtp.outcomes import Bounced, Deferred, FailureScope, Stage
from deliveries.smtp.replies import Reply
from domains.foundation.dns.allowed_addresses import Address, is_allowed, is_public
from domains.foundation.dns.parents import Parents
from domains.foundation.dns.resolver import NoServerAnswers, NoSuchName, Resolver, TemporaryFailure

ROUTES = """
SELECT route.pattern, route.host, route.port, route.tls, smarthost.id, smarthost.name,
    smarthost.hosts
FROM deliveries_route route
LEFT JOIN deliveries_smarthost smarthost ON smarthost.id = route.smarthost_id
"""
ROUTES_KEEP = 1.0  # seconds: how long a removed route may still be taken

MX_HOSTS = 20  # of a longer list only the best are tried
ADDRESSES_PER_HOST = 6

# How long a domain's site is kept, whatever its TTL: below it the router would turn in circles,
# above it a moved domain would wait too long.
SITE_MIN, SITE_MAX = 300.0, 86_400.0


@dataclass(frozen=True, slots=True)
class Site:
    """Where a domain's mail goes.

    `hosts` are (preference, host, port); `keep` says for how many seconds it holds. `smarthost` is
    the id of the one that they belong to.
    """

    key: str
    hosts: tuple[tuple[int, str, int], ...]
    tls: str = "opportunistic"
    is_routed: bool = False
    keep: float = SITE_MIN
    smarthost: int | None = None


@dataclass(frozen=True, slots=True)
class _Route:
    pattern: str
    host: str
    port: int
    tls: str
    smarthost: int | None = None
    name: str | None = None
    smarthost_hosts: Sequence[Sequence[Any]] | None = None

    @property
    def site(self) -> Site:
        if self.smarthost is not None:
            return smarthost_site(self.smarthost, self.name or "", self.smarthost_hosts or ())
        hosts = ((0, self.host, self.port),)
        return Site(site_key(self.host, self.port, self.tls), hosts, self.tls, is_routed=True)


def smarthost_site(id_: int, name: str, given: Sequence[Sequence[Any]]) -> Site:
    """Return the site of a smarthost, whose `given` hosts are (host, port, TLS) in their order.

    Its lane knows the log-in and each host's TLS from the smarthost's row.
    """
    hosts = tuple((place, str(host), int(port)) for place, (host, port, _) in enumerate(given))
    return Site(f"smarthost:{name}", hosts, "verified", is_routed=True, smarthost=id_)


def site_key(host: str, port: int, tls: str) -> str:
    """Name the site that a static route leads to."""
    return f"route:{host}:{port}:{tls}"


class Forbidden(Exception):
    """DNS names only addresses that a stranger must not make us connect to."""


class Router:
    """Answers where mail goes; reads routes from PostgreSQL and the rest from DNS."""

    def __init__(self, database: Database, resolver: Resolver) -> None:
        self._database = database
        self._resolver = resolver
        self._routes: list[_Route] = []
        self._routes_until = 0.0
        self._reading = asyncio.Lock()
        self._exceptions = tuple(
            ip_network(network) for network in settings.EKIDEN_PRIVATE_NETWORKS
        )
        self._parents = Parents(resolver, self._may_carry_to)

    async def site(self, domain: str) -> Site | Bounced | Deferred:
        """Return the domain's site, or the outcome of all its deliveries; raise `NoServerAnswers`,
        which is no domain's fault.
        """
        route = best_route(await self._current_routes(), domain)
        if route is not None:
            return route.site
        found = await self._by_dns(domain)
        # What is found is kept for up to a day, and name servers may take longer than those wait
        # who have written down a route (`routes.follow`).
        route = best_route(await self._current_routes(), domain)
        return route.site if route is not None else found

    async def _by_dns(self, domain: str) -> Site | Bounced | Deferred:
        try:
            return await self._mx_site(domain)
        except NoSuchName:
            return _bounced("5.1.2", f"The domain {domain} does not exist")
        except NoServerAnswers:
            raise
        except TemporaryFailure as error:
            return _deferred(f"Looking up the mail hosts of {domain} failed: {error}")

    async def is_known_above(self, domain: str) -> bool:
        """Return whether our resolvers do not know the domain, and a server of the zone above it
        does.
        """
        try:
            await self._resolver.mx(domain)
        except NoSuchName:
            return await self._parents.know(domain) is True
        except TemporaryFailure:
            pass
        return False

    async def answers(self) -> None:
        """Wait until one of our name servers answers again."""
        await self._resolver.answers()

    async def _mx_site(self, domain: str) -> Site | Bounced:
        answer = await self._resolver.mx(domain)
        hosts = sorted((mx.preference, mx.host) for mx in answer.records)[:MX_HOSTS]
        # RFC 7505; a preference other than 0 says nothing else.
        if hosts and not any(host for _, host in hosts):
            return _bounced(
                "5.1.10", f"The domain {domain} does not accept mail (null MX)", code=556
            )
        if not hosts:
            return await self._implicit_site(domain)
        hosts = [host for host in hosts if host[1]]
        kept = before_us(hosts, settings.EKIDEN_HOSTNAME)
        if not kept:
            return _bounced(
                "5.4.6", f"The best mail host of {domain} is this server: it would loop", code=554
            )
        return _site(kept, keep=answer.expires_at - time.time())

    async def _implicit_site(self, domain: str) -> Site | Bounced:
        """Return the site of a domain without MX: the domain itself, if it has an address (RFC
        5321, section 5.1).
        """
        answer = await self._resolver.addresses(domain)
        if not answer.records:
            return _bounced("5.1.2", f"The domain {domain} has neither a mail host nor an address")
        return _site([(0, domain)], keep=answer.expires_at - time.time())

    async def addresses(self, host: str, *, is_routed: bool) -> list[Address]:
        """Return the addresses of a host in the order to try. Raises the resolver's errors and
        `Forbidden`.

        Connect to these very addresses, which were judged: a second look-up could answer
        differently.
        """
        answer = await self._resolver.addresses(host)
        found = list(answer.records)[:50]
        allowed = [address for address in found if is_routed or self._may_carry_to(address)]
        if found and not allowed:
            raise Forbidden(f"The mail host {host} has no public address")
        return in_order(allowed)

    def _may_carry_to(self, address: Address) -> bool:
        return is_allowed(address, self._exceptions) and not (
            is_public(address) and is_own(address)
        )

    async def _current_routes(self) -> list[_Route]:
        async with self._reading:  # of many look-ups at once one reads
            if (now := time.monotonic()) >= self._routes_until:
                self._routes = [_Route(*row) for row in await self._database.fetch(ROUTES)]
                self._routes_until = now + ROUTES_KEEP
        return self._routes


class _HasPattern(Protocol):
    @property
    def pattern(self) -> str: ...


Way = TypeVar("Way", bound=_HasPattern)


def best_route(routes: list[Way], domain: str) -> Way | None:
    """Return the most exact match: the name itself, then the longest `*.suffix`, then `*`."""
    matching = [route for route in routes if matches(route.pattern, domain)]
    return max(
        matching,
        key=lambda route: (not route.pattern.startswith("*"), len(route.pattern)),
        default=None,
    )


def matches(pattern: str, domain: str) -> bool:
    """Tell whether the pattern covers the domain; `*.example.test` covers every name below it, not
    itself.
    """
    if pattern == "*":
        return True
    return domain.endswith(pattern[1:]) if pattern.startswith("*.") else domain == pattern


def before_us(hosts: list[tuple[int, str]], our_name: str) -> list[tuple[int, str]]:
    """Keep the hosts better than ourselves, so that backup hosts do not pass mail in circles (RFC
    5321, section 5.1).
    """
    ours = [preference for preference, host in hosts if host == our_name]
    return [(preference, host) for preference, host in hosts if not ours or preference < min(ours)]


def in_order(addresses: list[Address]) -> list[Address]:
    """Put IPv6 first (RFC 6724), at random within each family, and leave room for IPv4 where there
    is some.
    """
    shuffled = random.sample(addresses, len(addresses))
    six = [address for address in shuffled if isinstance(address, IPv6Address)]
    four = [address for address in shuffled if not isinstance(address, IPv6Address)]
    return (six[: ADDRESSES_PER_HOST // 2] + four)[:ADDRESSES_PER_HOST]


def is_own(address: Address) -> bool:
    """Tell whether the address is one of this machine's."""
    family = socket.AF_INET6 if isinstance(address, IPv6Address) else socket.AF_INET
    with suppress(OSError), closing(socket.socket(family, socket.SOCK_DGRAM)) as probe:
        probe.bind((str(address), 0))  # only an own address can be bound
        return True
    return False


def _site(hosts: list[tuple[int, str]], *, keep: float) -> Site:
    """Build a site; all domains with the same hosts share its key, whatever the preferences."""
    port = settings.EKIDEN_DELIVERY_PORT
    return Site(
        _key({host for _, host in hosts}),
        tuple((preference, host, port) for preference, host in hosts),
        keep=min(max(keep, SITE_MIN), SITE_MAX),
    )


def _key(hosts: set[str]) -> str:
    """Join the names; shorten a long list to its digest, since PostgreSQL's index takes 2700 octets
    and strangers write these names.
    """
    key = " ".join(sorted(hosts))
    return (
        key
        if len(key) <= 1000
        else f"{min(hosts)} {hashlib.blake2b(key.encode(), digest_size=16).hexdigest()}"
    )


def _bounced(enhanced: str, text: str, *, code: int = 550) -> Bounced:
    return Bounced(Reply(code, enhanced, text, local=True), Stage.DNS, FailureScope.RECIPIENT)


def _deferred(text: str) -> Deferred:
    return Deferred(Reply(451, "4.4.3", text, local=True), Stage.DNS, FailureScope.SITE)
