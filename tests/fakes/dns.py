"""A real name server on loopback that serves zones from a dict, and misbehaves where it is told to.

    async with FakeDns({"a.test": {"MX": [(10, "mx.a.test")]}, "mx.a.test": {"A": ["127.0.0.1"]}})
    as dns:
        resolver = Resolver([dns.address])

`with` does the same from code without an event loop (the server then has a thread of its own).
`zones` and `behaviours` may be changed at any time; `queries` counts what was asked, as (name,
type).
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import Enum, auto
from typing import Any, Self

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from tests.fakes.dns_messages import (
    _about_another_name,
    _asked,
    _forged_question,
    _referral,
    _truncated,
    _wire,
    _with_rcode,
    _zone_text,
)

Zones = dict[str, dict[str, list[Any]]]


class Behaviour(Enum):
    """How to answer questions about a name (or a name and type) in place of the plain truth."""

    SERVFAIL = auto()
    REFUSED = auto()
    NXDOMAIN = auto()
    BOGUS = auto()  # SERVFAIL, but the truth where validation is off (CD)
    SILENT = auto()  # no answer at all
    TRUNCATED = auto()  # an empty, truncated answer over UDP; the full one over TCP
    TRUNCATED_ALWAYS = auto()  # and no answer over TCP
    WRONG_ID = auto()  # only an answer with another id
    FORGED_FIRST = auto()  # garbage, a wrong id and another question, then the true answer
    OTHER_NAME = auto()  # the right question, but records of another name
    GARBAGE = auto()  # bytes that are no message
    NO_EDNS = auto()  # FORMERR to a question with EDNS
    REFERRAL = auto()  # the name servers of a zone that begins at the name


class FakeDns:
    """Serves UDP and TCP on one free port of 127.0.0.1, or where it is told to.

    Zones map a lower-case name to its records by type: A and AAAA are texts, MX (preference, host)
    with host "" for the null MX, TXT a text of any length, CNAME a name, anything else zone-file
    text. A name in no zone does not exist; one with an empty dict, or with names below it, exists
    without records. CNAMEs are followed as a resolver does.
    """

    def __init__(
        self,
        zones: Zones | None = None,
        behaviours: Mapping[str | tuple[str, str], Behaviour] | None = None,
        *,
        ttl: int = 300,
        negative_ttl: int = 60,
        authenticated: bool = False,
        is_resolver: bool = True,
        place: tuple[str, int] = ("127.0.0.1", 0),
    ) -> None:
        """Prepare a server that will listen at `place`.

        `is_resolver`: it finds answers (RA); else it has the zones itself (AA), and may be told of
        others as REFERRAL.
        """
        self.zones: Zones = zones if zones is not None else {}
        self.behaviours = dict(behaviours or {})
        self.ttl = ttl
        self.negative_ttl = negative_ttl
        self.authenticated = authenticated
        self.is_resolver = is_resolver
        self.is_silent = False  # about everything
        self.queries: Counter[tuple[str, str]] = Counter()
        self.tcp_queries: Counter[tuple[str, str]] = Counter()
        self._place = self.address = place
        self._thread: _ServerThread | None = None

    @property
    def url(self) -> str:
        """As the EKIDEN_DNS setting wants it."""
        return f"{self.address[0]}:{self.address[1]}"

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for _ in range(20):  # the TCP port with the number of a free UDP port may be taken
            self._udp, _ = await loop.create_datagram_endpoint(
                lambda: _Udp(self), local_addr=self._place
            )
            self.address = self._udp.get_extra_info("sockname")[:2]
            try:
                self._tcp = await asyncio.start_server(self._serve_tcp, *self.address)
            except OSError:
                self._udp.close()
            else:
                return self
        raise RuntimeError("no port is free for both UDP and TCP")

    async def __aexit__(self, *_: object) -> None:
        self._udp.close()
        self._tcp.close()

    def __enter__(self) -> Self:
        self._thread = _ServerThread(self)
        self._thread.start()
        self._thread.ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._thread is not None
        self._thread.stop()

    def replies(self, wire: bytes, *, over_tcp: bool) -> Iterable[bytes]:
        """Return what to send back for this question, in order."""
        query = dns.message.from_wire(wire)
        name, kind = _asked(query)
        (self.tcp_queries if over_tcp else self.queries)[name, kind] += 1
        behaviour = self.behaviours.get((name, kind)) or self.behaviours.get(name)
        if self.is_silent:
            return []
        if over_tcp and behaviour is Behaviour.TRUNCATED_ALWAYS:
            return []
        if over_tcp and behaviour is Behaviour.TRUNCATED:
            behaviour = None
        limit = 65_535 if over_tcp else query.payload or 512
        return [_wire(reply, limit) for reply in self._misbehave(query, behaviour)]

    def _misbehave(
        self, query: dns.message.Message, behaviour: Behaviour | None
    ) -> list[dns.message.Message | bytes]:
        match behaviour:
            case Behaviour.SERVFAIL | Behaviour.REFUSED | Behaviour.NXDOMAIN:
                return [_with_rcode(query, dns.rcode.from_text(behaviour.name))]
            case Behaviour.BOGUS if not query.flags & dns.flags.CD:
                return [_with_rcode(query, dns.rcode.SERVFAIL)]
            case Behaviour.SILENT:
                return []
            case Behaviour.TRUNCATED | Behaviour.TRUNCATED_ALWAYS:
                return [_truncated(query)]
            case Behaviour.WRONG_ID:
                return [self._with_wrong_id(query)]
            case Behaviour.FORGED_FIRST:
                return [
                    b"\0garbage",
                    self._with_wrong_id(query),
                    _forged_question(query),
                    self.answer(query),
                ]
            case Behaviour.OTHER_NAME:
                return [_about_another_name(query)]
            case Behaviour.GARBAGE:
                return [query.to_wire()[:2] + b"\x81\x80\xff\xff garbage"]
            case Behaviour.NO_EDNS if query.edns >= 0:
                return [_with_rcode(query, dns.rcode.FORMERR)]
            case Behaviour.REFERRAL:
                return [_referral(query)]
        return [self.answer(query)]

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        """Return the true answer."""
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA if self.is_resolver else dns.flags.AA
        if self.authenticated:
            response.flags |= dns.flags.AD
        name, kind = _asked(query)
        name = self._follow_cnames(response, name, kind)
        values = self.zones.get(name, {}).get(kind, [])
        if values:
            response.answer.append(self._rrset(name, kind, values))
        elif not response.answer or kind not in self.zones.get(name, {}):
            self._deny(response, name)
        return response

    def _follow_cnames(self, response: dns.message.Message, name: str, kind: str) -> str:
        seen: set[str] = set()
        while (
            kind != "CNAME"
            and name not in seen
            and (targets := self.zones.get(name, {}).get("CNAME"))
        ):
            seen.add(name)
            response.answer.append(self._rrset(name, "CNAME", targets))
            name = targets[0].removesuffix(".")
        return name

    def _deny(self, response: dns.message.Message, name: str) -> None:
        if name not in self.zones and not any(zone.endswith("." + name) for zone in self.zones):
            response.set_rcode(dns.rcode.NXDOMAIN)
        if self.negative_ttl:
            apex = name.rpartition(".")[2]
            soa = f"ns.invalid. host.invalid. 1 3600 600 86400 {self.negative_ttl}"
            response.authority.append(
                dns.rrset.from_text(apex + ".", self.negative_ttl, "IN", "SOA", soa)
            )

    def _rrset(self, name: str, kind: str, values: list[Any]) -> dns.rrset.RRset:
        rdatas = [dns.rdata.from_text("IN", kind, _zone_text(kind, value)) for value in values]
        return dns.rrset.from_rdata_list(dns.name.from_text(name), self.ttl, rdatas)

    def _with_wrong_id(self, query: dns.message.Message) -> dns.message.Message:
        response = self.answer(query)
        response.id = (query.id + 1) % 65_536
        return response

    async def _serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                length = int.from_bytes(await reader.readexactly(2), "big")
                for reply in self.replies(await reader.readexactly(length), over_tcp=True):
                    writer.write(len(reply).to_bytes(2, "big") + reply)
        except (EOFError, ConnectionError):
            pass
        finally:
            writer.close()


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: FakeDns) -> None:
        self.server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        for reply in self.server.replies(data, over_tcp=False):
            self.transport.sendto(reply, addr)


class _ServerThread(threading.Thread):
    """The loop of a server that is used from code without one."""

    def __init__(self, server: FakeDns) -> None:
        super().__init__(name="fake-dns", daemon=True)
        self.server = server
        self.ready = threading.Event()

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self.loop, self.stopped = asyncio.get_running_loop(), asyncio.Event()
        async with self.server:
            self.ready.set()
            await self.stopped.wait()

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.stopped.set)
        self.join()
