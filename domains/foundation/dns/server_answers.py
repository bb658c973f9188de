"""What a name server's own answer says: values, where a CNAME leads, and other zones' servers."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset

from domains.foundation.dns.names import IpAddress

STEPS = 4  # CNAMEs that are followed


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
    the server followed; its values are those at the end of them. `zone` is the one that it was
    asked as a server of.
    """

    server: ServerAddress
    values: tuple[str, ...] = ()
    chain: tuple[str, ...] = ()
    exists: bool = False
    failure: str = ""
    zone: str = ""


def read(
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
        chain.append(host_text(at))
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
    return host_text(target) if isinstance(target, dns.name.Name) else rdata.to_text()


def referral(
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


def glue_of(message: dns.message.QueryMessage) -> dict[str, list[IpAddress]]:
    found: dict[str, list[IpAddress]] = {}
    for rrset in message.additional:
        if rrset.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
            found.setdefault(host_text(rrset.name), []).extend(
                ip_address(rdata.address) for rdata in rrset
            )
    return found


def host_text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()
