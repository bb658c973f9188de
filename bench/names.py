"""A name server for the bench: `d1.test`, `d2.test`, … each have one mail host."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from socketserver import BaseRequestHandler, ThreadingUDPServer

import dns.message
import dns.rcode
import dns.rrset
from dns.flags import Flag

KEEP = 300  # seconds


@contextmanager
def serving(hosts: Sequence[str]) -> Iterator[str]:
    """Serve the domains' MX and A records on loopback while the block runs; yield `HOST:PORT`."""
    answers = _answers(hosts)

    class NameHandler(BaseRequestHandler):
        def handle(self) -> None:
            packet, socket = self.request
            socket.sendto(_answer(packet, answers), self.client_address)

    with ThreadingUDPServer(("127.0.0.1", 0), NameHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def _answers(hosts: Sequence[str]) -> dict[str, dns.rrset.RRset]:
    found = {}
    for number, host in enumerate(hosts, start=1):
        domain = f"d{number}.test."
        found[f"{domain} MX"] = dns.rrset.from_text(domain, KEEP, "IN", "MX", f"10 mx.{domain}")
        found[f"mx.{domain} A"] = dns.rrset.from_text(f"mx.{domain}", KEEP, "IN", "A", host)
    return found


def _answer(packet: bytes, answers: dict[str, dns.rrset.RRset]) -> bytes:
    question = dns.message.from_wire(packet)
    answer = dns.message.make_response(question)
    answer.flags |= Flag.RA
    [asked] = question.question
    name, kind = asked.name.to_text().lower(), dns.rdatatype.to_text(asked.rdtype)
    if (found := answers.get(f"{name} {kind}")) is not None:
        answer.answer.append(found)
    elif not any(each.startswith(f"{name} ") for each in answers):
        answer.set_rcode(dns.rcode.NXDOMAIN)
    return answer.to_wire()
