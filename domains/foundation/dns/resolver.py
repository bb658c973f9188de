"""DNS answers, typed and kept for as long as they hold; nothing else of Ekiden asks a name
server.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Generic, TypeVar, cast

import dns.name
import dns.rdata
import dns.rdatatype
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.NS import NS
from dns.rdtypes.ANY.TXT import TXT
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA

from domains.foundation.dns.exchange import DnsReply, ServerFailure
from domains.foundation.dns.names import IpAddress, addresses_in, name_of, text_of
from domains.foundation.dns.question_rate import QuestionRate
from domains.foundation.dns.servers import (
    TOTAL_TIMEOUT,
    TRY_TIMEOUT,
    CutOff,
    Nameserver,
    NameServers,
    is_local,
    system_nameservers,
)

MAX_ENTRIES = 20_000
MAX_MX = 20  # of a longer list the best preferences are kept; Postfix tries five
MAX_RECORDS = 100  # TXT records and addresses of one name; the rest can only be an attack on memory
MIN_TTL, MAX_TTL, MAX_NEGATIVE_TTL = 5, 86_400, 3_600
# RFC 9520 asks for 1 to 300 s, so that a broken zone is not asked again for each message.
FAILURE_TTL = 5
# RFC 8767: an answer whose time is over is better than none. Sections 5 and 6: kept for 1 to 3
# days, given after 1.8 s without a fresh one, and for 30 s before the name is asked for again.
STALE_MOST, STALE_AFTER, STALE_TTL = 86_400.0, 1.8, 30.0

Record = TypeVar("Record")


class NoSuchName(Exception):
    """The name does not exist (NXDOMAIN), or cannot: it is no name at all."""


class TemporaryFailure(Exception):
    """No usable answer now: time-out, SERVFAIL, REFUSED, nonsense.

    Never a reason to give up a message.
    """


class NoServerAnswers(TemporaryFailure):
    """Not one of our name servers says a word about anything: the trouble is ours, and no
    domain's.
    """


@dataclass(frozen=True, slots=True)
class DnsAnswer(Generic[Record]):
    """Records of one name; none where it exists without such records (NODATA).

    `expires_at` is in the resolver's clock (Unix time). `authenticated` is the AD flag of a
    validating resolver that is to be trusted.
    """

    records: tuple[Record, ...]
    expires_at: float
    authenticated: bool = False
    stale_until: float = 0.0  # for how long it serves where no fresh one can be had

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)


@dataclass(frozen=True, slots=True)
class Mx:
    """A mail host, lower case and without the final dot; the null MX (RFC 7505) has the host ""."""

    preference: int
    host: str


@dataclass(frozen=True, slots=True)
class _Failed:
    """A failure to be repeated to all who ask until it expires."""

    kind: type[NoSuchName] | type[TemporaryFailure]
    text: str
    expires_at: float


_Entry = DnsAnswer[dns.rdata.Rdata] | _Failed
_Key = tuple[dns.name.Name, dns.rdatatype.RdataType]
Kept = OrderedDict[_Key, _Entry]


class Resolver:
    """An asynchronous, caching stub resolver for one event loop.

    `nameservers` are asked in order; none given means those of /etc/resolv.conf. The AD flag counts
    only where `trusts_ad`: by default if every server is on this machine, for anybody on the way
    could set it (RFC 4035, section 4.9.3).
    """

    def __init__(
        self,
        nameservers: Sequence[Nameserver] | None = None,
        *,
        clock: Callable[[], float] = time.time,
        try_timeout: float = TRY_TIMEOUT,
        total_timeout: float = TOTAL_TIMEOUT,
        trusts_ad: bool | None = None,
        kept: Kept | None = None,
        pace: QuestionRate | None = None,
    ) -> None:
        """Set up; `kept` are an earlier resolver's answers, and the time-outs are in seconds."""
        self._servers = NameServers(
            nameservers or system_nameservers(),
            try_timeout=try_timeout,
            total_timeout=total_timeout,
            pace=pace,
        )
        self.now = clock
        self._trusts_ad = (
            all(is_local(ip) for ip, _ in self._servers.addresses)
            if trusts_ad is None
            else trusts_ad
        )
        self._kept: Kept = OrderedDict() if kept is None else kept
        self._under_way: dict[_Key, asyncio.Task[_Entry]] = {}

    @property
    def is_cut_off(self) -> bool:
        """Tell whether no name server of ours answers anything just now."""
        return self._servers.is_cut_off

    @property
    def complaint(self) -> str:
        """What was said of them when none answered; empty while one does."""
        return self._servers.complaint if self.is_cut_off else ""

    async def answers(self) -> None:
        """Wait until a name server answers again."""
        await self._servers.answer()

    async def mx(self, name: str) -> DnsAnswer[Mx]:
        """Return a domain's mail hosts, best first. Raise `NoSuchName` and `TemporaryFailure`."""
        answer = await self._look_up(name, dns.rdatatype.MX)
        rdatas = cast("tuple[MX, ...]", answer.records)
        hosts = sorted(
            (Mx(rdata.preference, text_of(rdata.exchange)) for rdata in rdatas),
            key=lambda mx: mx.preference,
        )
        return DnsAnswer(tuple(hosts[:MAX_MX]), answer.expires_at, answer.authenticated)

    async def txt(self, name: str) -> DnsAnswer[str]:
        """Return the TXT records, the strings of each joined.

        Raise `NoSuchName` and `TemporaryFailure`.
        """
        answer = await self._look_up(name, dns.rdatatype.TXT)
        rdatas = cast("tuple[TXT, ...]", answer.records[:MAX_RECORDS])
        texts = tuple(b"".join(rdata.strings).decode("utf-8", "replace") for rdata in rdatas)
        return DnsAnswer(texts, answer.expires_at, answer.authenticated)

    async def ns(self, name: str) -> DnsAnswer[str]:
        """Return the name servers of a zone, by name; none where no zone begins there.

        Raise `NoSuchName` and `TemporaryFailure`.
        """
        answer = await self._look_up(name, dns.rdatatype.NS)
        rdatas = cast("tuple[NS, ...]", answer.records[:MAX_RECORDS])
        return DnsAnswer(
            tuple(text_of(rdata.target) for rdata in rdatas),
            answer.expires_at,
            answer.authenticated,
        )

    async def addresses(self, host: str) -> DnsAnswer[IpAddress]:
        """Return the IPv6 and then the IPv4 addresses of a host.

        Raise `NoSuchName` and `TemporaryFailure`.

        An address as `host` is its own answer, and `localhost` is never asked for.
        """
        if literal := addresses_in(host):
            return DnsAnswer(literal, self.now() + MAX_TTL)
        six, four = await asyncio.gather(
            self._outcome(host, dns.rdatatype.AAAA), self._outcome(host, dns.rdatatype.A)
        )
        found = [outcome for outcome in (six, four) if isinstance(outcome, DnsAnswer)]
        rdatas = [
            cast("AAAA | A", rdata) for answer in found for rdata in answer.records[:MAX_RECORDS]
        ]
        failures = [outcome for outcome in (six, four) if isinstance(outcome, _Failed)]
        # Half an answer with an address is enough: many zones break on AAAA alone. Half an answer
        # without one proves nothing.
        if not rdatas and failures:
            failed = next(
                (failure for failure in failures if issubclass(failure.kind, TemporaryFailure)),
                failures[0],
            )
            raise failed.kind(failed.text)
        expires_at = min(outcome.expires_at for outcome in (six, four))
        records = tuple(ip_address(rdata.address) for rdata in rdatas)
        return DnsAnswer(records, expires_at, all(answer.authenticated for answer in found))

    async def values(self, name: str, kind: str) -> DnsAnswer[str]:
        """Return the records of one type as text, names without the final dot.

        Raise `NoSuchName` and `TemporaryFailure`.
        """
        answer = await self._look_up(name, dns.rdatatype.from_text(kind))
        texts = tuple(rdata.to_text().rstrip(".") for rdata in answer.records[:MAX_RECORDS])
        return DnsAnswer(texts, answer.expires_at, answer.authenticated)

    async def is_bogus(self, name: str) -> bool:
        """Return whether our name servers refuse the name's TXT records only because of DNSSEC."""
        qname = name_of(name)
        return qname is not None and await self._servers.refuse_its_signatures(
            qname, dns.rdatatype.TXT
        )

    async def _look_up(
        self, name: str, rdtype: dns.rdatatype.RdataType
    ) -> DnsAnswer[dns.rdata.Rdata]:
        entry = await self._outcome(name, rdtype)
        if isinstance(entry, _Failed):
            raise entry.kind(entry.text)
        return entry

    async def _outcome(self, name: str, rdtype: dns.rdatatype.RdataType) -> _Entry:
        qname = name_of(name)
        if qname is None:
            return _Failed(
                NoSuchName, "It is not a valid domain name", self.now() + MAX_NEGATIVE_TTL
            )
        key = (qname, rdtype)
        entry = self._kept.get(key)
        if entry is not None and entry.expires_at > self.now():
            self._kept.move_to_end(key)
            return entry
        stale = entry if isinstance(entry, DnsAnswer) and entry.stale_until > self.now() else None
        if self.is_cut_off:
            return stale or self._cut_off()
        if key not in self._under_way:
            self._under_way[key] = asyncio.ensure_future(self._fetch(key, stale))
        fetching = self._under_way[key]
        if stale is not None:
            await asyncio.wait({fetching}, timeout=STALE_AFTER)
            if not fetching.done():
                return stale
        # Shielded: one impatient caller must not fail the others who wait for the same answer.
        return await asyncio.shield(fetching)

    async def _fetch(self, key: _Key, stale: DnsAnswer[dns.rdata.Rdata] | None) -> _Entry:
        try:
            entry = self._entry(await self._servers.ask(*key))
        except CutOff:
            return stale or self._cut_off()
        except ServerFailure as failure:
            entry = _Failed(TemporaryFailure, str(failure), self.now() + FAILURE_TTL)
            if stale is not None:
                entry = replace(stale, expires_at=self.now() + STALE_TTL)
        finally:
            del self._under_way[key]
        self._kept[key] = entry
        self._kept.move_to_end(key)
        while len(self._kept) > MAX_ENTRIES:
            self._kept.popitem(last=False)
        return entry

    def _entry(self, reply: DnsReply) -> _Entry:
        is_negative = reply.is_nxdomain or not reply.records
        ttl = min(max(reply.ttl, MIN_TTL), MAX_NEGATIVE_TTL if is_negative else MAX_TTL)
        if reply.is_nxdomain:
            return _Failed(NoSuchName, "The name does not exist in DNS", self.now() + ttl)
        until = self.now() + ttl
        return DnsAnswer(
            reply.records, until, reply.authenticated and self._trusts_ad, until + STALE_MOST
        )

    def _cut_off(self) -> _Failed:
        return _Failed(NoServerAnswers, self._servers.complaint, self.now())
