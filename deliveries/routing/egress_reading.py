"""Reads what is known of our sources, and tells which of them this node can bind."""

from __future__ import annotations

import json
import socket
import time
from contextlib import closing
from typing import Any

from django.conf import settings

from deliveries.backends.database import Database
from deliveries.routing.egress import Egress, Identity, egress_of

# A smarthost that does not let us in gets no overflow: that waits for the sources instead.
# Tables of some rows each; the text stays the same as long as nothing has changed, so that a reader
# compares it and parses it once.
SNAPSHOT = """
SELECT jsonb_build_object(
    'sources', (SELECT coalesce(jsonb_agg(jsonb_build_object(
        'name', source.name, 'ipv4', host(source.ipv4), 'ipv6', host(source.ipv6),
        'ehlo_name', coalesce(nullif(source.ehlo_name, ''), %(ehlo_name)s), 'state', source.state,
        'is_bound', EXISTS (SELECT FROM deliveries_node node WHERE source.name = ANY(node.sources)
            AND node.seen_at > now() - make_interval(secs => %(bound)s)),
        'rests', (SELECT coalesce(jsonb_agg(rest.receiver ORDER BY rest.receiver), '[]')
            FROM deliveries_sourcerest rest WHERE rest.source_id = source.id
            AND (rest.until IS NULL OR rest.until > now())),
        'warm_for', CASE WHEN source.state = 'warming' OR source.warms_each
            THEN (SELECT coalesce(jsonb_agg(known.receiver ORDER BY known.receiver), '[]')
                FROM deliveries_warmup known WHERE known.source_id = source.id AND known.is_warm)
            END
    ) ORDER BY source.name), '[]') FROM deliveries_source source),
    'pools', (SELECT coalesce(jsonb_agg(jsonb_build_object(
        'name', pool.name, 'urgent_warms', pool.urgent_warms,
        'overflow', (SELECT smarthost.id FROM deliveries_smarthost smarthost
            WHERE smarthost.id = pool.overflow_id AND NOT EXISTS (
                SELECT FROM deliveries_lane lane WHERE lane.site = 'smarthost:' || smarthost.name
                AND lane.source = %(source)s AND lane.closed_at IS NOT NULL)),
        'weights', (SELECT coalesce(jsonb_object_agg(source.name, member.weight), '{}')
            FROM deliveries_poolmember member
            JOIN deliveries_source source ON source.id = member.source_id
            WHERE member.pool_id = pool.id)
    ) ORDER BY pool.name), '[]') FROM deliveries_pool pool),
    'rules', (SELECT coalesce(jsonb_agg(jsonb_build_object(
        'project', rule.project_id, 'credential', rule.credential_id,
        'sending_domain', rule.sending_domain, 'priority', rule.priority,
        'receiver', rule.receiver, 'pool', pool.name, 'smarthost', rule.smarthost_id
    ) ORDER BY rule.position, rule.id), '[]') FROM deliveries_egressrule rule
        LEFT JOIN deliveries_pool pool ON pool.id = rule.pool_id)
)::text
"""
SEEN = """
INSERT INTO deliveries_node AS node (name, sources) VALUES (%(name)s, %(sources)s)
ON CONFLICT (name) DO UPDATE SET sources = EXCLUDED.sources, seen_at = now()
"""
BOUND = 30.0  # seconds after the last word of a node, in which new mail is still led there
TELL_EVERY = 10.0


class EgressReader:
    """What one drain knows of the sources; `bindable` are those that this node has."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._text = ""
        self.now = Egress()
        self.bindable: frozenset[str] = frozenset()
        self.version = 0
        self._reported_at = -TELL_EVERY

    async def read(self) -> None:
        """Look whether anything has changed, and say that this node is here."""
        await self._look()
        if self.now and time.monotonic() - self._reported_at >= TELL_EVERY:
            await self._tell()
            await self._look()  # a source that nobody else has may be of use from now on

    async def _look(self) -> None:
        [(text,)] = await self._database.fetch(SNAPSHOT, asked())
        if text == self._text:
            return
        known = self.now.sources.keys()
        self.now, self._text = egress_of(json.loads(text)), text
        self.version += 1
        if known != self.now.sources.keys():  # whether we can bind it is to be tried
            self._reported_at = -TELL_EVERY

    def forget(self) -> None:
        """Forget what was read: there are neither sources nor rules that lead to a smarthost any
        more.
        """
        if self.now or self.now.rules:
            self.now, self._text, self.bindable = Egress(), "", frozenset()
            self.version += 1

    async def _tell(self) -> None:
        self.bindable = frozenset(
            name
            for name, facts in self.now.sources.items()
            if all(can_bind(address) for address in (facts.ipv4, facts.ipv6) if address)
        )
        await self._database.fetch(
            SEEN, {"name": settings.EKIDEN_NODE, "sources": sorted(self.bindable)}
        )
        self._reported_at = time.monotonic()


def asked() -> dict[str, Any]:
    """Return what `SNAPSHOT` asks for."""
    return {
        "bound": BOUND,
        "ehlo_name": settings.EKIDEN_HOSTNAME,
        "source": settings.EKIDEN_SOURCE,
    }


def identity_of(source: str) -> Identity:
    """Return that of a lane without a chosen source: `EKIDEN_SOURCE` as it was, and our name."""
    ipv6 = source if ":" in source else None
    return Identity(settings.EKIDEN_HOSTNAME, None if ipv6 else source or None, ipv6)


def can_bind(address: str) -> bool:
    """Tell whether this machine, or the network namespace of this process, has the address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True
