"""How our sources and nodes stand, for people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TypedDict

from django.conf import settings
from django.db.models import Count, Q
from django.utils import timezone

from deliveries.insight.tracing import site_name
from deliveries.models import Delivery, Lane, Node, Source, SourceState
from deliveries.routing.egress import BY_SITE
from deliveries.routing.egress_reading import BOUND


class SourceOverview(TypedDict):
    """One source: where it is, what it may do, and what it has to do now."""

    name: str
    ipv4: str | None
    ipv6: str | None
    ehlo_name: str | None
    state: str
    reason: str | None
    pools: dict[str, int]
    nodes: list[str]
    rests: list[dict[str, str | None]]
    lanes: int
    waiting: int


class NodeOverview(TypedDict):
    """One node: `lanes` are those that are leased from its sources now."""

    name: str
    sources: list[str]
    lanes: int
    is_here: bool
    seen_at: str


def sources() -> list[SourceOverview]:
    """Return all sources by name."""
    now = timezone.now()
    nodes = _nodes_of_sources(now)
    lanes = _lanes()
    waiting = dict(
        Delivery.objects.live()
        .filter(lane__home__isnull=False)
        .values_list("lane__source")
        .annotate(amount=Count("id"))
    )
    found = Source.objects.prefetch_related("memberships__pool", "rests")
    names = receiver_names(rest.receiver for each in found for rest in each.rests.all())
    return [
        {
            "name": each.name,
            "ipv4": each.ipv4,
            "ipv6": each.ipv6,
            "ehlo_name": each.ehlo_name or None,
            "state": each.state,
            "reason": each.reason or None,
            "pools": {member.pool.name: member.weight for member in each.memberships.all()},
            "nodes": nodes.get(each.name, []),
            "rests": [
                {
                    "receiver": rest.receiver,
                    "name": names[rest.receiver],
                    "until": rest.until.isoformat() if rest.until else None,
                    "reason": rest.reason,
                }
                for rest in each.rests.all()
                if rest.until is None or rest.until > now
            ],
            "lanes": lanes.get(each.name, 0),
            "waiting": waiting.get(each.name, 0),
        }
        for each in found
    ]


def nodes() -> list[NodeOverview]:
    """Return the nodes by name; one that has not been seen for half a minute is not here."""
    now = timezone.now()
    lanes = _lanes()
    return [
        {
            "name": node.name,
            "sources": sorted(node.sources),
            "lanes": sum(lanes.get(source, 0) for source in node.sources),
            "is_here": is_here(node, now),
            "seen_at": node.seen_at.isoformat(),
        }
        for node in Node.objects.all()
    ]


def receiver_names(receivers: Iterable[str]) -> dict[str, str]:
    """Return for each what people know it by: the host of a site that no rule names, else the
    name of its rule.
    """
    wanted = set(receivers)
    sites = {
        int(each.removeprefix(BY_SITE)): each
        for each in wanted
        if each.removeprefix(BY_SITE).isdecimal() and each.startswith(BY_SITE)
    }
    known = {sites[pk]: site_name(lane) for pk, lane in Lane.objects.in_bulk(sites).items()}
    return {each: known.get(each, each) for each in wanted}


def addresses() -> dict[str, str]:
    """Return the addresses of the sources that are not out of use, with their names in EHLO."""
    return {
        address: source.ehlo_name or settings.EKIDEN_HOSTNAME
        for source in Source.objects.exclude(state=SourceState.OUT)
        for address in source.addresses
    }


def is_here(node: Node, now: datetime) -> bool:
    return node.seen_at > now - timedelta(seconds=BOUND)


def _nodes_of_sources(now: datetime) -> dict[str, list[str]]:
    found = defaultdict(list)
    for node in Node.objects.filter(seen_at__gt=now - timedelta(seconds=BOUND)):
        for source in node.sources:
            found[source].append(node.name)
    return found


def _lanes() -> dict[str, int]:
    """Return how many lanes of each source are leased."""
    return dict(
        Lane.objects.filter(Q(leased_until__gt=timezone.now()), home__isnull=False)
        .values_list("source")
        .annotate(amount=Count("id"))
    )
