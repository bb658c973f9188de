"""Answers of hostile name servers, through our resolver to the site of a domain, its addresses and
its published records.
"""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

from deliveries.routing.resolver import Forbidden, Router, Site
from domains.foundation.dns.parents import Parents
from domains.foundation.dns.resolver import (
    MAX_MX,
    MAX_RECORDS,
    MAX_TTL,
    NoSuchName,
    Resolver,
    TemporaryFailure,
)
from domains.foundation.text import texts
from domains.senders import records
from tests.fakes.dns import Behaviour, FakeDns
from tests.fuzz.checks import Log
from tests.fuzz.loop import Transport, VirtualLoop
from tests.fuzz.sessions import Database
from tests.fuzz.targets import Ready

DOMAIN, SERVER = "a.test", ("192.0.2.53", 53)
NAT64 = IPv6Network("64:ff9b::/96")
RECORDS = records.required(
    DOMAIN,
    token="t",
    keys=[("s", "v=DKIM1; k=rsa; p=AAAA")],
    spf=["ip4:192.0.2.1", "include:spf.relay.test"],
)
MX, TXT, ADDRESSES, ABOVE = 0, 1, 2, 3
FORGED = 4  # in the first byte of an input: all ids are wrong, so nothing may be believed


class Server:
    """Answers one question with one message of the input (two octets of length before each); an
    empty one is silence.
    """

    def __init__(self, data: bytes, *, is_forger: bool) -> None:
        self.messages: list[bytes] = []
        while data:
            size = int.from_bytes(data[:2], "big")
            self.messages.append(data[2 : 2 + size])
            data = data[2 + size :]
        self.is_forger = is_forger

    def hears(self, protocol: Any, transport: Transport, data: bytes) -> None:
        is_stream = not hasattr(protocol, "datagram_received")
        question = data[2:] if is_stream else data
        if not self.messages:
            transport.loop.call_soon(_send, protocol, _failure(question), is_stream)
            return
        message = self.messages.pop(0)
        if message:
            id_ = bytes(octet ^ 0xFF for octet in question[:2]) if self.is_forger else question[:2]
            transport.loop.call_soon(_send, protocol, id_ + message[2:], is_stream)


def _send(protocol: Any, message: bytes, is_stream: bool) -> None:
    if is_stream:
        protocol.data_received(len(message).to_bytes(2, "big") + message)
    else:
        protocol.datagram_received(message, SERVER)


def _failure(question: bytes) -> bytes:
    answer = dns.message.make_response(dns.message.from_wire(question))
    answer.set_rcode(dns.rcode.SERVFAIL)
    return answer.to_wire()


def ready() -> Ready:
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    log = Log(
        "domains.foundation.dns.servers"
    ).install()  # that no server answers is an error in the log, and so it should be

    def one(data: bytes) -> None:
        flags = data[0] if data else 0
        server = Server(data[1:], is_forger=bool(flags & FORGED))
        loop.peer = server.hears
        found = loop.finish(_look_up(loop, flags % 4))
        assert not (found and server.is_forger), f"a forged answer was believed: {found}"
        log.check()

    return Ready(one, seeds())


def leads_inside(address: IPv4Address | IPv6Address) -> bool:
    """Tell whether it is, or wraps, an address of this host or a private network: in the words of
    `ipaddress`, not in ours.
    """
    if isinstance(address, IPv6Address) and (address.ipv4_mapped or address in NAT64):
        address = IPv4Address(address.packed[-4:])
    return (
        address.is_private or address.is_loopback or address.is_link_local or address.is_multicast
    )


async def _look_up(loop: VirtualLoop, what: int) -> list[object]:
    """Return all that was believed of the server's words."""
    resolver = Resolver([SERVER], clock=loop.time, trusts_ad=False)
    router = Router(Database(lambda sql, given: []), resolver)
    found: list[object] = []
    try:
        if what == MX:
            found += await _site(router)
        elif what == TXT:
            answer = await resolver.txt(DOMAIN)
            assert len(answer) <= MAX_RECORDS and not answer.authenticated
            found += [*answer, *(records.check(record, list(answer)) for record in RECORDS)]
        elif what == ABOVE:
            known = await Parents(resolver, lambda address: not leads_inside(address)).know(DOMAIN)
            found += [] if known is None else [known]
        else:
            addresses = await router.addresses(DOMAIN, is_routed=False)
            assert not any(map(leads_inside, addresses)), f"a stranger leads us inside: {addresses}"
            found += addresses
    except (NoSuchName, TemporaryFailure, Forbidden) as error:
        assert not texts.has_control(str(error))
        found += [error] if isinstance(error, NoSuchName | Forbidden) else []
    for entry in resolver._kept.values():
        assert entry.expires_at <= loop.time() + MAX_TTL
    return found


async def _site(router: Router) -> list[object]:
    site = await router.site(DOMAIN)
    if not isinstance(site, Site):
        assert not texts.has_control(site.reply.text)
        return [] if site.reply.code // 100 == 4 else [site]
    assert 0 < len(site.hosts) <= MAX_MX and len(site.key) <= 1300
    for _, host, _ in site.hosts:
        assert host.isascii() and not texts.has_control(host) and " " not in host
        try:
            assert not any(map(leads_inside, await router.addresses(host, is_routed=False))), (
                "a stranger leads us inside"
            )
        except (NoSuchName, TemporaryFailure, Forbidden):
            continue
    return [site]


def seeds() -> list[bytes]:
    """Return truthful answers and those of a server that misbehaves."""
    public, inside = "203.0.114.9", "127.0.0.1"
    zones = {
        "plain": {DOMAIN: {"MX": [(10, "mx.a.test"), (20, "mx2.a.test")],
            "TXT": ["v=spf1 ip4:192.0.2.0/24 -all", "v=DMARC1; p=none"]},
                  "mx.a.test": {"A": [public], "AAAA": ["2a00::1"]},
                  "mx2.a.test": {"CNAME": ["mx.a.test"]}},
        "null": {DOMAIN: {"MX": [(0, "")],
            "TXT": ["ekiden-verification=t", "v=DKIM1; k=rsa; p=AAAA; t=y"]}},
        "implicit": {DOMAIN: {"A": [inside, public], "AAAA": ["::1", "64:ff9b::7f00:1"],
            "TXT": ["x" * 700]}},
        "alias": {DOMAIN: {"CNAME": ["b.test"]},
            "b.test": {"MX": [(5, "relay.test"), (1, DOMAIN)], "A": [public],
                "TXT": ["v=spf1 +all"]}},
    }  # fmt: skip
    found = []
    for zone in zones.values():
        for behaviour in (None, *Behaviour):
            fake = FakeDns(
                zone, {} if behaviour is None else {DOMAIN: behaviour}, authenticated=True
            )
            found += [_recorded(fake, what) for what in (MX, TXT, ADDRESSES)]
    above = {"test": {"NS": ["ns.test."]}, "ns.test": {"A": [public]}}
    for behaviour in (None, *Behaviour):
        found.append(
            _recorded(FakeDns(above, {} if behaviour is None else {DOMAIN: behaviour}), ABOVE)
        )
    found.append(bytes([FORGED]) + found[0][1:])
    return sorted(set(found))


def _recorded(fake: FakeDns, what: int) -> bytes:
    """Return what this server would answer to the questions of one look-up."""
    asked = {
        MX: [(DOMAIN, "MX"), ("mx.a.test", "A"), ("mx.a.test", "AAAA")], TXT: [(DOMAIN, "TXT")],
        ADDRESSES: [(DOMAIN, "AAAA"), (DOMAIN, "A")],
        ABOVE: [("test", "NS"), ("ns.test", "AAAA"), ("ns.test", "A"), (DOMAIN, "MX")],
    }  # fmt: skip
    data = bytes([what])
    for name, kind in asked[what]:
        fake.is_resolver = (what, name) != (ABOVE, DOMAIN)
        question = dns.message.make_query(name, kind, use_edns=0).to_wire()
        for over_tcp in (False, True):
            for reply in list(fake.replies(question, over_tcp=over_tcp))[:1]:
                if not over_tcp or fake.behaviours:
                    data += len(reply).to_bytes(2, "big") + reply
    return data
