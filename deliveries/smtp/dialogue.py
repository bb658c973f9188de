"""What an SMTP client says, as generators that yield steps and are sent the server's replies
(sans-IO).
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from deliveries.smtp.outcomes import Outcome, Stage, judge
from deliveries.smtp.peer import Peer
from deliveries.smtp.replies import Reply, local_reply


class TlsLevel(StrEnum):
    NONE = "none"
    OPPORTUNISTIC = "opportunistic"  # where offered, any certificate
    REQUIRED = "required"  # any certificate
    VERIFIED = "verified"  # a certificate for the host's name from an authority we trust
    IMPLICIT = "implicit"  # TLS from the first byte (submissions), verified

    @property
    def is_demand(self) -> bool:
        return self in (TlsLevel.REQUIRED, TlsLevel.VERIFIED)


@dataclass(frozen=True, slots=True)
class Send:
    """Write `data`.

    The answer is None, or for `is_content` the reply that came before all of it was out. What is
    secret is noted nowhere.
    """

    data: bytes
    is_content: bool = False
    is_secret: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    """The answer is the next reply: a local one, saying why, where the peer gives none."""

    stage: Stage


@dataclass(frozen=True, slots=True)
class StartTls:
    """The answer is None once the connection is encrypted, or a local reply, saying why it is
    not.
    """


@dataclass(frozen=True, slots=True)
class Glance:
    """The answer is a reply that comes at once, a local one where the peer hangs up at once, and
    None where it waits for more.
    """


Step = Send | Read | StartTls | Glance
Answer = Reply | None

READS = {stage: Read(stage) for stage in Stage}
NOT_OFFERED = local_reply(451, "4.7.4", "TLS is required, but the host does not offer it")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the peer's EHLO reply offers (RFC 5321 4.1.1.1)."""

    pipelining: bool = False
    chunking: bool = False
    starttls: bool = False
    smtputf8: bool = False
    eightbitmime: bool = False
    dsn: bool = False
    enhancedstatuscodes: bool = False
    mt_priority: bool = False
    auth: frozenset[str] = frozenset()  # mechanisms (RFC 4954)
    size: int | None = None  # octets; 0: no fixed limit; None: not offered (RFC 1870)
    # Keywords that it offers and that we do without, since it refuses their use.
    broken: frozenset[str] = frozenset()

    def without(self, keywords: frozenset[str]) -> Capabilities:
        """Return the same as if these had not been offered."""
        given: dict[str, Any] = {
            FIELDS[keyword]: None if keyword == "SIZE" else False for keyword in keywords
        }
        return replace(self, **given, broken=self.broken | keywords)


FIELDS = {
    "PIPELINING": "pipelining", "CHUNKING": "chunking", "STARTTLS": "starttls",
    "SMTPUTF8": "smtputf8", "8BITMIME": "eightbitmime",
    "DSN": "dsn", "ENHANCEDSTATUSCODES": "enhancedstatuscodes", "MT-PRIORITY": "mt_priority",
    "SIZE": "size",
}  # fmt: skip


@dataclass(slots=True)
class ClientSession:
    """What we know of the peer after its greeting, and where the dialogue stands.

    `said` are the extensions of which the last transaction made use, `way_back` the one without
    which the same message should be offered again, over another connection: the host may have
    broken off because of it.
    """

    capabilities: Capabilities
    peer: Peer = field(default_factory=Peer)
    said: set[str] = field(default_factory=set)
    way_back: str | None = None
    has_delivered: bool = False
    reset_due: bool = False  # a refused transaction is still open: RSET goes before the next MAIL
    # False: the next reply might not answer our next command, so there is no next command.
    in_step: bool = True
    name: str = field(default="", compare=False)  # by which it says hello


def capabilities_of(reply: Reply, without: frozenset[str] = frozenset()) -> Capabilities:
    """Return what the host offers, but for the keywords `without`."""
    offers = dict(_offer(line) for line in reply.lines[1:])
    broken = without & offers.keys()
    for keyword in broken:
        del offers[keyword]
    given: dict[str, Any] = {name: keyword in offers for keyword, name in FIELDS.items()}
    given["auth"] = frozenset(offers.get("AUTH", "").upper().split())
    given["size"] = _size(offers["SIZE"]) if "SIZE" in offers else None
    return Capabilities(**given, broken=broken)


def _offer(line: str) -> tuple[str, str]:
    keyword, _, parameters = line.partition(" ")
    return keyword.upper(), parameters.strip()


def _size(parameter: str) -> int:
    """Return the size limit in octets, or 0 for none.

    A limit we cannot read is no limit: the peer says so itself when it refuses.
    """
    return (
        int(parameter) if parameter.isascii() and parameter.isdigit() and len(parameter) < 20 else 0
    )


def greet(
    name: str, tls: TlsLevel, peer: Peer | None = None, without: frozenset[str] = frozenset()
) -> Generator[Step, Answer, ClientSession | Outcome]:
    """Lead the session from the greeting to where MAIL may follow; return an outcome where that
    fails.

    `name` is what we say in EHLO. The host's offers `without` are not believed.
    """
    peer = Peer() if peer is None else peer
    reply = yield from read(Stage.GREETING)
    if reply.kind != 2:
        return judge(reply, Stage.GREETING)
    hello = yield from _hello(name, peer, without)
    if not isinstance(hello, ClientSession) or tls in (TlsLevel.NONE, TlsLevel.IMPLICIT):
        return hello
    if hello.capabilities.starttls:
        return (yield from _encrypt(hello, name, tls, without))
    return judge(NOT_OFFERED, Stage.STARTTLS) if tls.is_demand else hello


def _hello(
    name: str, peer: Peer, without: frozenset[str]
) -> Generator[Step, Answer, ClientSession | Outcome]:
    yield Send(b"EHLO %s\r\n" % name.encode("ascii"))
    reply = yield from read(Stage.EHLO)
    # A server of before 1993, or a firewall that plays one (RFC 5321 3.2), whatever its code.
    if not (reply.kind == 2 or reply.local or reply.code == 421):
        yield Send(b"HELO %s\r\n" % name.encode("ascii"))
        reply = yield from read(Stage.EHLO)
    return (
        ClientSession(capabilities_of(reply, without), peer, name=_name(reply))
        if reply.kind == 2
        else judge(reply, Stage.EHLO)
    )


def _name(reply: Reply) -> str:
    """Return the name that stands first in the reply to EHLO (RFC 5321 4.1.1.1)."""
    first = (reply.lines[0] if reply.lines else reply.text).split()
    return first[0].lower() if first else ""


def _encrypt(
    plain: ClientSession, name: str, tls: TlsLevel, without: frozenset[str]
) -> Generator[Step, Answer, ClientSession | Outcome]:
    """Start TLS and say EHLO again: what the peer said in plain text is forgotten (RFC 3207,
    section 4.2).
    """
    yield Send(b"STARTTLS\r\n")
    reply = yield from read(Stage.STARTTLS)
    if reply.kind != 2:
        goes_on_plain = not (tls.is_demand or reply.local or reply.code == 421)
        return plain if goes_on_plain else judge(reply, Stage.STARTTLS)
    failure = yield StartTls()
    if failure is not None:
        return judge(failure, Stage.STARTTLS)
    return (yield from _hello(name, plain.peer, without))


def read(stage: Stage) -> Generator[Step, Answer, Reply]:
    reply = yield READS[stage]
    assert reply is not None, "a driver answers every Read"
    return reply
