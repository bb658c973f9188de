"""The name servers that we ask: in which order, for how long, and whether all of them are out of
order.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from ipaddress import ip_address

import dns.name
import dns.rdatatype
import dns.resolver

from domains.foundation.dns.exchange import (
    DnsReply,
    ServerFailure,
    ask,
    is_refused_for_its_signatures,
)
from domains.foundation.dns.question_rate import QuestionRate

logger = logging.getLogger(__name__)

# The first question waits less: a lost packet shall cost no more than that.
FIRST_TRY, TRY_TIMEOUT, TOTAL_TIMEOUT = 2.0, 5.0, 15.0
ROUNDS = 2
PROBE_TIMEOUT, PROBE_EVERY = 1.0, 1.0
# Seconds by which a time-out may come too late. Where it comes later, this process had no CPU, or
# was stopped, and the answer may lie unread; so many probes are tried then.
LATE, PROBES = 0.2, 3

Nameserver = tuple[str, int]


class CutOff(ServerFailure):
    """No server has answered this question, nor one that each of them can answer by itself."""


class NameServers:
    """Asked in order; one that answered is asked first from then on. Of one event loop."""

    def __init__(
        self, addresses: Sequence[Nameserver], *, try_timeout: float, total_timeout: float,
        pace: QuestionRate | None = None,
    ) -> None:  # fmt: skip
        self.addresses = list(addresses)
        self.complaint = ""
        self._try_timeout = try_timeout
        self._total_timeout = total_timeout
        self._pace = pace
        self._probing: asyncio.Task[bool] | None = None
        self._watching: asyncio.Task[None] | None = None

    @property
    def is_cut_off(self) -> bool:
        """Tell whether none of them answers anything just now."""
        return self._watching is not None and not self._watching.done()

    async def answer(self) -> None:
        """Wait until one of them answers again."""
        if self._watching is not None:
            await asyncio.shield(self._watching)

    async def ask(self, qname: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> DnsReply:
        """Return the first usable reply; raise the last `ServerFailure`, or `CutOff`."""
        failure = ServerFailure("No name server is known")
        if self._pace is not None:
            await self._pace.turn()
        deadline = asyncio.get_running_loop().time() + self._total_timeout
        for number in range(ROUNDS):
            is_silence = True
            for server in list(self.addresses):
                left = deadline - asyncio.get_running_loop().time()
                if left <= 0:
                    raise failure
                timeout = min(self._try_timeout if number else FIRST_TRY, self._try_timeout, left)
                try:
                    reply = await ask(server, qname, rdtype, timeout=timeout)
                except ServerFailure as error:
                    failure = error
                    is_silence = is_silence and error.is_silence
                else:
                    self._prefer(server)
                    return reply
            if is_silence and not await self._is_answered(failure):
                raise CutOff(self.complaint, is_silence=True) from failure
        raise failure

    async def refuse_its_signatures(
        self, qname: dns.name.Name, rdtype: dns.rdatatype.RdataType
    ) -> bool:
        """Return whether the preferred server finds the answer bogus (RFC 4035, section 4.3)."""
        try:
            return await is_refused_for_its_signatures(
                self.addresses[0], qname, rdtype, timeout=self._try_timeout
            )
        except ServerFailure:
            return False

    def _prefer(self, server: Nameserver) -> None:
        """Ask this server first from now on, so that a dead one costs its time-out once and not
        for each question.
        """
        if self.addresses[0] != server:
            self.addresses.remove(server)
            self.addresses.insert(0, server)

    async def _is_answered(self, failure: ServerFailure) -> bool:
        """Return whether any server says anything: silence about one name may be the fault of that
        name's zone.
        """
        if self._probing is None or self._probing.done():
            self._probing = asyncio.ensure_future(self._probe())
        is_answered = await asyncio.shield(self._probing)
        if not is_answered and not self.is_cut_off:
            servers = ", ".join(f"{ip} port {port}" for ip, port in self.addresses)
            self.complaint = f"None of our name servers answers ({servers}): {failure}"
            logger.error("event=dns-outage text=%s", self.complaint)
            self._watching = asyncio.ensure_future(self._watch())
        return is_answered

    async def _probe(self) -> bool:
        """Ask for the name servers of the root, which every resolver knows without asking
        others.
        """
        return any(await asyncio.gather(*(self._speaks(server) for server in self.addresses)))

    async def _speaks(self, server: Nameserver) -> bool:
        """Return whether the server says anything; where we came too late to hear it, ask again."""
        loop, timeout = asyncio.get_running_loop(), min(self._try_timeout, PROBE_TIMEOUT)
        for _ in range(PROBES):
            due = loop.time() + timeout
            try:
                await ask(server, dns.name.root, dns.rdatatype.NS, timeout=timeout)
            except ServerFailure as failure:
                if not failure.is_silence:
                    return True
                if loop.time() < due + LATE:
                    return False
            else:
                return True
        return False

    async def _watch(self) -> None:
        while not await self._probe():  # noqa: ASYNC110  (nobody tells us; we ask)
            await asyncio.sleep(PROBE_EVERY)
        logger.warning("event=dns-answers text=%s", "A name server answers again")


def nameservers(texts: Sequence[str]) -> list[Nameserver] | None:
    """Name servers written as "192.0.2.1", "192.0.2.1:5353", "2001:db8::1" or
    "[2001:db8::1]:5353"; None for an empty list.

    Raises `ValueError`.
    """
    return [_nameserver(text.strip()) for text in texts] or None


def system_nameservers() -> list[Nameserver]:
    """Read /etc/resolv.conf; without it assume a server on this machine, as the C library does."""
    try:
        found = dns.resolver.Resolver(configure=True).nameservers
    except dns.resolver.NoResolverConfiguration:
        found = []
    return [(str(server), 53) for server in found] or [("127.0.0.1", 53)]


def _nameserver(text: str) -> Nameserver:
    host, port = text, "53"
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        port = port.removeprefix(":") or "53"
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65_536:
        raise ValueError(f"{text!r} has no valid port")
    return str(ip_address(host)), int(port)


def is_local(ip: str) -> bool:
    return ip_address(ip.partition("%")[0]).is_loopback
