"""Looks at the records of delegated keys in our own zone, which the domain's zone only leads to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from django.conf import settings

from domains.foundation.dns.authorities import Authorities
from domains.foundation.dns.resolver import Resolver
from domains.identity.inspection import Inspection, Inspector
from domains.models import DelegatedSelector, Domain
from domains.senders import delegation
from domains.senders.records import Record


def our_records(domain: Domain) -> list[Record]:
    """Return those that its delegated keys need in our zone."""
    known = delegation.selectors(domain)
    keys = domain.keys.to_publish().filter(selector__in=known)
    return [delegation.places(key, known)[-1][1] for key in keys]


async def look(
    records: Sequence[Record], asker: Authorities, resolver: Resolver, *, turn: int | None = None
) -> list[Inspection]:
    """Return what each name server of our zone has, or in its turn one of them."""
    if not records:
        return []
    zone = await asker.known_zone(settings.EKIDEN_KEY_ZONE)
    if zone is not None and turn is not None:
        zone = await asker.one_of(zone.name, zone.hosts, turn)
    inspector = Inspector(settings.EKIDEN_KEY_ZONE, zone, asker, resolver)
    return list(await asyncio.gather(*(inspector.look(record) for record in records)))


def note_check(domain: Domain, states: Mapping[str, str], ours: Mapping[str, str]) -> None:
    """Note whether the CNAMEs were found, and have our zone told again what it lacks."""
    for row in delegation.selectors(domain).values():
        state = states.get(row.name, "")
        if state in ("unreachable", "unknown"):
            continue
        is_lost = ours.get(row.target) in ("missing", "wrong")
        changed = {"is_found": state == "found"} | ({"kept_value": ""} if is_lost else {})
        DelegatedSelector.objects.filter(pk=row.pk).update(**changed)


def key_states(
    domain: Domain, states: Mapping[str, str], ours: Mapping[str, str]
) -> dict[str, str]:
    """Return the states of delegated keys by the name of their record: found where both the CNAME
    and the record in our zone are.
    """
    found = {}
    for row in delegation.selectors(domain).values():
        both = (states.get(row.name, "missing"), ours.get(row.target, "missing"))
        found[row.name] = next((state for state in both if state != "found"), "found")
    return found


async def look_at(
    places: Sequence[tuple[str, Record]], asker: Authorities, resolver: Resolver
) -> list[Inspection]:
    """Return what the name servers say of records, each with a name of the zone that it is in."""
    seen = []
    for name, record in places:
        zone = await asker.zone_of(name)
        seen.append(await Inspector(name, zone, asker, resolver).look(record))
    return seen
