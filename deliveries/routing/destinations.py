"""Which lane a domain leads to: written by the dispatcher, read by intake with each new
delivery.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from deliveries.backends.database import Database
from deliveries.models import Lane
from deliveries.routing.resolver import Site

UNROUTED = """
SELECT DISTINCT domain FROM (
    SELECT domain FROM deliveries_delivery
    WHERE lane_id = %(routing)s AND ended_at IS NULL AND due_at <= now() AND expires_at > now()
      AND domain <> ALL(%(besides)s) AND (%(among)s::text[] IS NULL
          OR domain = ANY(%(among)s::text[]))
    LIMIT 5000) due
LIMIT %(most)s
"""

# Rows first, so that a site's new hosts or an older holder's lane are the same row; then all their
# waiting deliveries, which are looked through once for all these domains. They are locked in the
# order of their ids first (`queue.row_locks`), and changed by what finds them, not by a list of
# ids: there may be a million.
ASSIGN = """
WITH given AS (
    SELECT * FROM unnest(%(domain)s::text[], %(site)s::text[], %(hosts)s::jsonb[], %(tls)s::text[],
        %(is_routed)s::bool[], %(keep)s::float8[], %(smarthost)s::bigint[])
        AS given(domain, site, hosts, tls, is_routed, keep, smarthost)
), lane AS (
    INSERT INTO deliveries_lane AS known (site, source, hosts, tls, is_routed, smarthost_id, epoch,
        failures, pause_reason)
    SELECT DISTINCT ON (site) site, %(source)s, hosts, tls, is_routed, smarthost, 0, 0, ''
        FROM given ORDER BY site
    ON CONFLICT (site, source) DO UPDATE
        SET hosts = EXCLUDED.hosts, tls = EXCLUDED.tls, is_routed = EXCLUDED.is_routed,
            smarthost_id = EXCLUDED.smarthost_id, idle_since = NULL
    RETURNING id, site
), found AS (
    SELECT given.domain, lane.id, given.keep FROM given JOIN lane USING (site)
), destination AS (
    INSERT INTO deliveries_destination (domain, lane_id, expires_at)
    SELECT domain, id, now() + make_interval(secs => keep) FROM found ORDER BY domain
    ON CONFLICT (domain) DO UPDATE SET lane_id = EXCLUDED.lane_id, expires_at = EXCLUDED.expires_at
), locked AS MATERIALIZED (
    SELECT FROM deliveries_delivery delivery JOIN found ON found.domain = delivery.domain
    WHERE delivery.lane_id = %(routing)s AND delivery.ended_at IS NULL
    ORDER BY delivery.id FOR NO KEY UPDATE OF delivery
), moved AS (
    UPDATE deliveries_delivery delivery SET lane_id = found.id, claim = 0 FROM found
    WHERE delivery.lane_id = %(routing)s AND delivery.ended_at IS NULL
        AND delivery.domain = found.domain AND (SELECT count(*) FROM locked) > 0
)
SELECT DISTINCT id FROM found
"""
UNKNOWN_BEFORE = """
SELECT DISTINCT delivery_id FROM deliveries_attempt
WHERE delivery_id = ANY(%(ids)s) AND stage = 'dns' AND enhanced = '4.1.2'
    AND at <= now() - interval '1 hour'
"""
GROUP = 500


@dataclass(slots=True, eq=False)
class _Assignment:
    domain: str
    site: Site
    written: asyncio.Future[None]


class Destinations:
    """The domains' lanes; `on_assigned` hears of each lane that got deliveries."""

    def __init__(
        self, database: Database, on_assigned: Callable[[int], None], *, source: str
    ) -> None:
        self._database = database
        self._on_assigned = on_assigned
        self._source = source
        self._waiting: list[_Assignment] = []
        self._writing: asyncio.Task[None] | None = None

    async def unrouted(
        self, *, besides: Collection[str], most: int, among: Collection[str] | None = None
    ) -> list[str]:
        """Return domains of due deliveries that wait to be routed: none of `besides`, and only
        those of `among` where it is given.
        """
        given = {
            "besides": list(besides),
            "among": None if among is None else list(among),
            "most": most,
            "routing": Lane.ROUTING,
        }
        rows = await self._database.fetch(UNROUTED, given)
        return [domain for (domain,) in rows]

    async def unknown_before(self, ids: Sequence[UUID]) -> set[UUID]:
        """Return those whose domain was unknown an hour ago or earlier, when it was looked up for
        them.
        """
        return {id_ for (id_,) in await self._database.fetch(UNKNOWN_BEFORE, {"ids": list(ids)})}

    async def assign(self, domain: str, site: Site) -> None:
        """Lead the domain, and all of its deliveries that wait to be routed, to the site's lane.

        What is asked for while a statement runs goes into the next one.
        """
        assignment = _Assignment(domain, site, asyncio.get_running_loop().create_future())
        self._waiting.append(assignment)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        await asyncio.shield(assignment.written)

    async def _write(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[:GROUP], self._waiting[GROUP:]
            try:
                rows = await self._database.fetch(ASSIGN, self._columns(group))
            except Exception as error:
                # Whatever it is, it is the askers' to handle, and none may wait for ever.
                _answer(group, error)
                continue
            for (lane,) in rows:
                self._on_assigned(lane)
            _answer(group, None)

    def _columns(self, group: Sequence[_Assignment]) -> dict[str, Any]:
        sites = [each.site for each in group]
        return {
            "routing": Lane.ROUTING,
            "source": self._source,
            "domain": [each.domain for each in group],
            "site": [site.key for site in sites],
            "hosts": [json.dumps(site.hosts) for site in sites],
            "tls": [site.tls for site in sites],
            "is_routed": [site.is_routed for site in sites],
            "keep": [site.keep for site in sites],
            "smarthost": [site.smarthost for site in sites],
        }


def _answer(group: Sequence[_Assignment], error: Exception | None) -> None:
    for each in group:
        if each.written.done():
            continue
        if error is None:
            each.written.set_result(None)
        else:
            each.written.set_exception(error)
            each.written.exception()  # whoever has left meanwhile will not look at it
