"""How receivers see the addresses that mail leaves from: PTR, forward confirmation, EHLO name and
the large block lists.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network

from django.conf import settings

from domains.foundation.dns.allowed_addresses import is_allowed
from domains.foundation.dns.names import IpAddress
from domains.foundation.dns.resolver import NoSuchName, Resolver, TemporaryFailure
from domains.identity.block_lists import LISTS, BlockList, ask
from domains.identity.own_addresses import own_addresses

NAMES_MOST = 10  # of the PTR records of one address


@dataclass(frozen=True, slots=True)
class OwnFinding:
    """One light: what was looked at (ptr, forward, ehlo, or a list's zone) for which address; its
    state is good, bad or unknown, and `code` is its sentence.
    """

    address: str
    check: str
    state: str
    code: str
    given: dict[str, str] = field(default_factory=dict)


async def look(
    resolver: Resolver,
    *,
    lists: Sequence[BlockList] = LISTS,
    sources: Mapping[str, str] | None = None,
) -> list[OwnFinding]:
    """Look at each address; `sources` are those of our sources, with their names in EHLO.

    Raise `TemporaryFailure` where our own name's addresses cannot be had now.
    """
    names = sources or {}
    addresses = await own_addresses(resolver, names)
    found = await asyncio.gather(
        *(
            _look_at(each, names.get(str(each), settings.EKIDEN_HOSTNAME), resolver, lists)
            for each in addresses
        )
    )
    return [each for of_address in found for each in of_address]


async def _look_at(
    address: IpAddress, host: str, resolver: Resolver, lists: Sequence[BlockList]
) -> list[OwnFinding]:
    given = {"address": str(address), "host": host}
    exceptions = tuple(map(ip_network, settings.EKIDEN_PRIVATE_NETWORKS))
    if not is_allowed(address, exceptions):
        return [OwnFinding(str(address), "ptr", "unknown", "own-private", given)]
    names = await _names(address, resolver)
    return [
        _ptr(address, names, given),
        await _forward(address, names, resolver, given),
        await _ehlo(address, resolver, given),
        *await asyncio.gather(
            *(
                _listed(each, address, resolver, given)
                for each in lists
                if address.version == 4 or each.has_ipv6
            )
        ),
    ]


async def _names(address: IpAddress, resolver: Resolver) -> list[str] | TemporaryFailure:
    try:
        found = await resolver.values(address.reverse_pointer, "PTR")
    except NoSuchName:
        return []
    except TemporaryFailure as error:
        return error
    return [name.lower() for name in found][:NAMES_MOST]


def _ptr(
    address: IpAddress, names: list[str] | TemporaryFailure, given: dict[str, str]
) -> OwnFinding:
    if isinstance(names, TemporaryFailure):
        return OwnFinding(
            str(address), "ptr", "unknown", "own-no-answer", given | {"error": str(names)}
        )
    if not names:
        return OwnFinding(str(address), "ptr", "bad", "own-ptr-missing", given)
    return OwnFinding(str(address), "ptr", "good", "own-ptr", given | {"names": ", ".join(names)})


async def _forward(
    address: IpAddress,
    names: list[str] | TemporaryFailure,
    resolver: Resolver,
    given: dict[str, str],
) -> OwnFinding:
    """Tell whether the names of the PTR lead back, without which none counts (RFC 8601, 2.7.3)."""
    if isinstance(names, TemporaryFailure):
        return OwnFinding(
            str(address), "forward", "unknown", "own-no-answer", given | {"error": str(names)}
        )
    return await _leads_to(
        address, names, resolver, "forward", ("own-forward", "own-forward-missing"),
        given | {"names": ", ".join(names) or "–"},
    )  # fmt: skip


async def _ehlo(address: IpAddress, resolver: Resolver, given: dict[str, str]) -> OwnFinding:
    return await _leads_to(
        address, [given["host"]], resolver, "ehlo", ("own-ehlo", "own-ehlo-missing"), given
    )


async def _leads_to(
    address: IpAddress,
    names: Iterable[str],
    resolver: Resolver,
    check: str,
    codes: tuple[str, str],
    given: dict[str, str],
) -> OwnFinding:
    failure = ""
    for name in names:
        try:
            if address in tuple(await resolver.addresses(name)):
                return OwnFinding(str(address), check, "good", codes[0], given | {"name": name})
        except NoSuchName:
            continue
        except TemporaryFailure as error:
            failure = str(error)
    if failure:
        return OwnFinding(
            str(address), check, "unknown", "own-no-answer", given | {"error": failure}
        )
    return OwnFinding(str(address), check, "bad", codes[1], given)


async def _listed(
    block_list: BlockList, address: IpAddress, resolver: Resolver, given: dict[str, str]
) -> OwnFinding:
    answer = await ask(block_list, address, resolver)
    said = given | {
        "list": block_list.name, "zone": block_list.zone, "page": block_list.page,
        "detail": answer.detail,
    }  # fmt: skip
    return OwnFinding(str(address), block_list.zone, answer.state, answer.code, said)
