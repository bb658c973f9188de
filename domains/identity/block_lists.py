"""The large block lists of addresses as data, and how one is asked (RFC 5782).

A list is believed only where its two control records are as they must be: 127.0.0.2 is always
listed, and 127.0.0.1 never. An answer that is about the question, and not about the address, says
nothing of the address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_address, ip_network

from domains.foundation.dns.names import IpAddress
from domains.foundation.dns.resolver import NoSuchName, Resolver, TemporaryFailure

LISTED_CONTROL, CLEAR_CONTROL = ip_address("127.0.0.2"), ip_address("127.0.0.1")
ANSWERS = ip_network("127.0.0.0/8")
# What lists answer to those whom they do not serve; Spamhaus: 252 a wrong zone, 254 a public
# resolver, 255 too many questions.
ABOUT_THE_QUESTION = ip_network("127.255.255.0/24")


@dataclass(frozen=True, slots=True)
class BlockList:
    """`codes`: what its answers mean; `page` is where an address is looked up and taken off."""

    name: str
    zone: str
    page: str
    codes: Mapping[str, str] = field(default_factory=dict)
    has_ipv6: bool = False


# Each page was read on 2026-11-29, and has the codes.
LISTS = (
    BlockList(
        "Spamhaus ZEN", "zen.spamhaus.org", "https://check.spamhaus.org/",
        {
            "127.0.0.2": "SBL", "127.0.0.3": "CSS", "127.0.0.4": "XBL", "127.0.0.5": "XBL",
            "127.0.0.6": "XBL", "127.0.0.7": "XBL", "127.0.0.9": "DROP", "127.0.0.10": "PBL",
            "127.0.0.11": "PBL",
        },
        has_ipv6=True,
    ),
    BlockList("SpamCop", "bl.spamcop.net", "https://www.spamcop.net/bl.shtml",
        {"127.0.0.2": "SCBL"}),
    BlockList("Barracuda", "b.barracudacentral.org", "https://www.barracudacentral.org/lookups",
        {"127.0.0.2": "BRBL"}),
    BlockList("PSBL", "psbl.surriel.com", "https://psbl.org/", {"127.0.0.2": "PSBL"},
        has_ipv6=True),
    BlockList("UCEPROTECT 1", "dnsbl-1.uceprotect.net", "https://www.uceprotect.net/en/rblcheck.php",
        {"127.0.0.2": "Level 1"}),
    BlockList("Mailspike", "bl.mailspike.net", "https://mailspike.io/ip_verify",
        {
            "127.0.0.2": "BL", "127.0.0.10": "worst reputation", "127.0.0.11": "very bad",
            "127.0.0.12": "bad reputation",
        }),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ListAnswer:
    """good: not listed; bad: listed, `detail` says as what; unknown: `code` says why."""

    state: str
    code: str
    detail: str = ""


async def ask(block_list: BlockList, address: IpAddress, resolver: Resolver) -> ListAnswer:
    """Ask the list, its control records first."""
    try:
        control = await _answers(block_list, LISTED_CONTROL, resolver)
        if refused := _about_the_question(control):
            return ListAnswer("unknown", "list-refuses", refused)
        if not control:
            return ListAnswer("unknown", "list-silent")
        if await _answers(block_list, CLEAR_CONTROL, resolver):
            return ListAnswer("unknown", "list-lists-all")
        found = await _answers(block_list, address, resolver)
    except TemporaryFailure as error:
        return ListAnswer("unknown", "list-no-answer", str(error))
    if refused := _about_the_question(found):
        return ListAnswer("unknown", "list-refuses", refused)
    if not found:
        return ListAnswer("good", "list-clear")
    said = [f"{block_list.codes[each]} ({each})" if each in block_list.codes else each
        for each in found]  # fmt: skip
    return ListAnswer("bad", "list-listed", ", ".join(said))


async def _answers(block_list: BlockList, address: IpAddress, resolver: Resolver) -> list[str]:
    labels = address.reverse_pointer.rsplit(".", 2)[0]
    try:
        return sorted(await resolver.values(f"{labels}.{block_list.zone}", "A"))
    except NoSuchName:
        return []


def _about_the_question(found: list[str]) -> str:
    """Return the answers that say nothing of an address: the list's errors, and what a resolver
    that leads every unknown name elsewhere puts in their place.
    """
    return ", ".join(
        each
        for each in found
        if IPv4Address(each) in ABOUT_THE_QUESTION or IPv4Address(each) not in ANSWERS
    )
