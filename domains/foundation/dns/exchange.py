"""One question to one name server: EDNS over UDP, TCP where the answer is too long, and a
judgement of what came back.
"""

from __future__ import annotations

import asyncio
import errno
from dataclasses import dataclass
from typing import cast

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype

PAYLOAD = 1232  # fits every path without fragments, which could be forged (DNS Flag Day 2020)
# AD in a question asks for AD in the answer without all the signatures (RFC 6840, section 5.7).
_RECURSIVE = dns.flags.RD | dns.flags.AD
_KNOWS_NO_EDNS = frozenset({dns.rcode.FORMERR, dns.rcode.NOTIMP})


class ServerFailure(Exception):
    """This server gave no usable reply; the text tells why.

    `is_silence`: it said nothing at all, so that it may be out of order.
    """

    def __init__(self, text: str, *, is_silence: bool = False) -> None:
        super().__init__(text)
        self.is_silence = is_silence


@dataclass(frozen=True, slots=True)
class DnsReply:
    """What the server says about the name: the records at the end of its CNAME chain, and the
    least TTL on the way there.
    """

    records: tuple[dns.rdata.Rdata, ...]
    ttl: int
    is_nxdomain: bool
    authenticated: bool


async def ask(
    server: tuple[str, int],
    qname: dns.name.Name,
    rdtype: dns.rdatatype.RdataType,
    *,
    timeout: float,
) -> DnsReply:
    """Return the server's reply; raise `ServerFailure` after `timeout` seconds at the latest."""
    return _judge(await _heard(server, qname, rdtype, timeout=timeout, flags=_RECURSIVE))


async def ask_for_its_own(
    server: tuple[str, int],
    qname: dns.name.Name,
    rdtype: dns.rdatatype.RdataType,
    *,
    timeout: float,
) -> dns.message.QueryMessage:
    """Return what the server knows by itself, without recursion (RFC 1034, section 4.3.1), as it
    came; raise `ServerFailure`.
    """
    return await _heard(server, qname, rdtype, timeout=timeout, flags=dns.flags.Flag(0))


async def is_refused_for_its_signatures(
    server: tuple[str, int],
    qname: dns.name.Name,
    rdtype: dns.rdatatype.RdataType,
    *,
    timeout: float,
) -> bool:
    """Return whether a validating resolver answers SERVFAIL, and the records where it is told not
    to validate (RFC 4035, section 3.2.2): the answer is bogus. Raise `ServerFailure`.
    """
    strict = await _heard(server, qname, rdtype, timeout=timeout, flags=_RECURSIVE)
    if strict.rcode() != dns.rcode.SERVFAIL:
        return False
    unchecked = _RECURSIVE | dns.flags.CD
    loose = await _heard(server, qname, rdtype, timeout=timeout, flags=unchecked)
    return loose.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)


async def _heard(
    server: tuple[str, int],
    qname: dns.name.Name,
    rdtype: dns.rdatatype.RdataType,
    *,
    timeout: float,
    flags: dns.flags.Flag,
) -> dns.message.QueryMessage:
    try:
        async with asyncio.timeout(timeout):
            message = await _exchange(server, _question(qname, rdtype, with_edns=True, flags=flags))
            if message.rcode() in _KNOWS_NO_EDNS:  # RFC 6891, section 7
                message = await _exchange(
                    server, _question(qname, rdtype, with_edns=False, flags=flags)
                )
    except TimeoutError as error:
        raise ServerFailure("The name server did not answer in time", is_silence=True) from error
    except (OSError, EOFError) as error:
        raise ServerFailure(_out_of_reach(error), is_silence=True) from error
    except Exception as error:
        # whatever hostile bytes make the parser raise: no answer, and no reason to give up a
        # message
        raise ServerFailure("The name server sent a malformed answer") from error
    return message


def _out_of_reach(error: OSError | EOFError) -> str:
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return (
            "No more files can be opened here, so no name server can be asked (raise LimitNOFILE)"
        )
    return "The name server is out of reach"


def _question(
    qname: dns.name.Name, rdtype: dns.rdatatype.RdataType, *, with_edns: bool, flags: dns.flags.Flag
) -> dns.message.QueryMessage:
    edns = 0 if with_edns else False
    return dns.message.make_query(qname, rdtype, use_edns=edns, payload=PAYLOAD, flags=flags)


async def _exchange(
    server: tuple[str, int], question: dns.message.QueryMessage
) -> dns.message.QueryMessage:
    try:
        return await _over_udp(server, question)
    except dns.message.Truncated:
        answer = await dns.asyncquery.tcp(question, server[0], port=server[1])
        # A reply to a QUERY, as `is_response` has checked.
        return cast("dns.message.QueryMessage", answer)


async def _over_udp(
    server: tuple[str, int], question: dns.message.QueryMessage
) -> dns.message.QueryMessage:
    loop = asyncio.get_running_loop()
    waiter = _Waiter(question, loop.create_future())
    # Connected: the kernel drops datagrams from elsewhere, and tells at once where no server
    # listens. A socket of its own for each question has a random port, which a forger has to guess
    # beside the id (RFC 5452, section 9.2).
    transport, _ = await loop.create_datagram_endpoint(lambda: waiter, remote_addr=server)
    try:
        transport.sendto(question.to_wire())
        return await waiter.answer
    finally:
        transport.close()


class _Waiter(asyncio.DatagramProtocol):
    """Waits for the answer to one question and ignores what is none: wrong id, other question,
    garbage.
    """

    def __init__(
        self, question: dns.message.QueryMessage, answer: asyncio.Future[dns.message.QueryMessage]
    ) -> None:
        self.question = question
        self.answer = answer

    def datagram_received(self, data: bytes, addr: object) -> None:
        try:
            message = dns.message.from_wire(data, raise_on_truncation=True)
        except dns.message.Truncated as error:
            # dnspython leaves it so
            if self.question.is_response(error.message()):  # type: ignore[no-untyped-call]
                self._fail(error)
            return
        except Exception:
            # Whatever a forged datagram makes the parser raise, the true answer may still come.
            return
        if self.question.is_response(message) and not self.answer.done():
            self.answer.set_result(cast("dns.message.QueryMessage", message))

    def error_received(self, exc: Exception) -> None:
        self._fail(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or ConnectionError("closed"))

    def _fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)
            self.answer.exception()  # seen: nobody may be waiting any more after a time-out


def _judge(message: dns.message.QueryMessage) -> DnsReply:
    rcode = message.rcode()
    if rcode not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        raise ServerFailure(f"The name server answered {dns.rcode.to_text(rcode)}")
    try:
        # Reads only records that the question or its CNAMEs lead to.
        chain = message.resolve_chaining()
    except dns.exception.DNSException as error:
        raise ServerFailure("The name server's answer contradicts itself") from error
    if chain.answer is None and _is_beside_the_point(message):
        raise ServerFailure("The name server's answer is about something else")
    is_nxdomain = rcode == dns.rcode.NXDOMAIN
    return DnsReply(
        tuple(chain.answer or ()),
        chain.minimum_ttl,
        is_nxdomain,
        bool(message.flags & dns.flags.AD),
    )


def _is_beside_the_point(message: dns.message.QueryMessage) -> bool:
    """Tell whether a message has records of the right type but another name, or is a referral.

    Neither means "no such records".
    """
    return any(
        rrset.rdtype == message.question[0].rdtype for rrset in message.answer
    ) or _is_referral(message)


def _is_referral(message: dns.message.QueryMessage) -> bool:
    """Name servers but no SOA: the answer of a server that does no recursion (RFC 2308, section
    2.2.1), not "no records".
    """
    kinds = {rrset.rdtype for rrset in message.authority}
    return (
        dns.rdatatype.NS in kinds
        and dns.rdatatype.SOA not in kinds
        and not message.flags & dns.flags.RA
    )
