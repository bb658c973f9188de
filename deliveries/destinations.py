"""Which lane a domain leads to: written by the dispatcher, read by intake with each new delivery."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection

from deliveries.db import Database
from deliveries.models import Lane
from deliveries.routing import Site

UNROUTED = """
SELECT DISTINCT domain FROM (
    SELECT domain FROM deliveries_delivery
    WHERE lane_id = %(routing)s AND ended_at IS NULL AND due_at <= now() AND expires_at > now()
      AND domain <> ALL(%(besides)s)
    LIMIT 5000) due
LIMIT %(most)s
"""

# Rows first, so that a site's new hosts or an older holder's lane are the same row; then all its waiting deliveries.
ASSIGN = """
WITH lane AS (
    INSERT INTO deliveries_lane AS known (site, source, hosts, tls, is_routed, epoch, failures, pause_reason)
    VALUES (%(site)s, %(source)s, %(hosts)s::jsonb, %(tls)s, %(is_routed)s, 0, 0, '')
    ON CONFLICT (site, source) DO UPDATE
        SET hosts = EXCLUDED.hosts, tls = EXCLUDED.tls, is_routed = EXCLUDED.is_routed
    RETURNING id
), destination AS (
    INSERT INTO deliveries_destination (domain, lane_id, expires_at)
    SELECT %(domain)s, id, now() + make_interval(secs => %(keep)s) FROM lane
    ON CONFLICT (domain) DO UPDATE SET lane_id = EXCLUDED.lane_id, expires_at = EXCLUDED.expires_at
), moved AS (
    UPDATE deliveries_delivery delivery SET lane_id = lane.id, claim = 0 FROM lane
    WHERE delivery.lane_id = %(routing)s AND delivery.ended_at IS NULL AND delivery.domain = %(domain)s
)
SELECT id FROM lane
"""


class Destinations:
    """The domains' lanes; `on_assigned` hears of each lane that got deliveries."""

    def __init__(self, database: Database, on_assigned: Callable[[int], None]) -> None:
        self._database = database
        self._on_assigned = on_assigned

    async def unrouted(self, *, besides: Collection[str], most: int) -> list[str]:
        """Domains of due deliveries that wait to be routed."""
        rows = await self._database.fetch(UNROUTED, {"besides": list(besides), "most": most, "routing": Lane.ROUTING})
        return [domain for (domain,) in rows]

    async def assign(self, domain: str, site: Site, *, source: str) -> None:
        """Lead the domain, and all of its deliveries that wait to be routed, to the site's lane."""
        given = {
            "domain": domain,
            "routing": Lane.ROUTING,
            "site": site.key,
            "source": source,
            "hosts": json.dumps(site.hosts),
            "tls": site.tls,
            "is_routed": site.is_routed,
            "keep": site.keep,
        }
        [(lane,)] = await self._database.fetch(ASSIGN, given)
        self._on_assigned(lane)
