"""From the lane of a site to the lanes of our sources there, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from deliveries.backends.database import Database
from deliveries.queue import smarthost_lanes, warm_up
from deliveries.queue.leased import LeasedLane
from deliveries.queue.row_locks import change_deliveries
from deliveries.queue.smarthost_lanes import WayOut

# As the claim does: one probe of the claim-order index for each flow, then a few of each.
DUE_HERE = """
WITH RECURSIVE streams AS (
    (SELECT priority, flow FROM deliveries_delivery
     WHERE ended_at IS NULL AND lane_id = %(lane)s ORDER BY priority, flow LIMIT 1)
    UNION ALL
    SELECT next.* FROM streams CROSS JOIN LATERAL (
        SELECT priority, flow FROM deliveries_delivery
        WHERE ended_at IS NULL AND lane_id = %(lane)s
            AND (priority, flow) > (streams.priority, streams.flow)
        ORDER BY priority, flow LIMIT 1) next
)
SELECT head.id, head.project_id, streams.flow, streams.priority, head.domain, message.header_from
FROM streams CROSS JOIN LATERAL (
    SELECT id, message_id, project_id, domain FROM deliveries_delivery
    WHERE ended_at IS NULL AND lane_id = %(lane)s AND priority = streams.priority
        AND flow = streams.flow AND due_at <= now() AND expires_at > now()
    ORDER BY due_at LIMIT 500) head
JOIN deliveries_message message ON message.id = head.message_id
ORDER BY streams.priority DESC LIMIT %(most)s
"""

# The hosts are those of the site as it was resolved last.
LANES = """
INSERT INTO deliveries_lane AS known (site, source, home_id, hosts, tls, is_routed, epoch, failures,
    pause_reason)
SELECT home.site, given.source, home.id, home.hosts, home.tls, false, 0, 0, ''
FROM deliveries_lane home CROSS JOIN unnest(%(sources)s::text[]) AS given(source)
WHERE home.id = %(home)s ORDER BY given.source
ON CONFLICT (site, source) DO UPDATE SET home_id = EXCLUDED.home_id, hosts = EXCLUDED.hosts,
    tls = EXCLUDED.tls, idle_since = NULL
RETURNING source, id
"""

# A claim of an epoch that is over stays one, though of no lane, and no entry's of the ledger
# (`ledger_entries.PASSED`): whoever claims it next writes down that it may have been sent.
LOST_CLAIM = -2
_CLAIM = f"claim = CASE WHEN delivery.claim = 0 THEN 0 ELSE {LOST_CLAIM} END"

LEAD = f"""
WITH picked AS (
    SELECT delivery.id, given.lane FROM unnest(%(ids)s::uuid[], %(lanes)s::bigint[])
        AS given(id, lane)
    JOIN deliveries_delivery delivery ON delivery.id = given.id
    JOIN deliveries_lane home ON home.id = %(home)s AND home.epoch = %(epoch)s
        AND home.leased_until >= now()
    WHERE delivery.lane_id = %(home)s AND delivery.due_at IS NOT NULL
        AND delivery.claim <= %(epoch)s  -- as it is when it is locked: a later lease's stays there
    FOR UPDATE OF delivery SKIP LOCKED
)
UPDATE deliveries_delivery delivery SET lane_id = picked.lane, {_CLAIM}
FROM picked WHERE delivery.id = picked.id
"""  # noqa: S608  (put together from constants)

WAIT = change_deliveries(
    "id = ANY(%(ids)s) AND lane_id = %(home)s AND due_at IS NOT NULL",
    to="due_at = now() + make_interval(secs => %(seconds)s)",
)

# Lanes whose mail can leave by their source no more: it is out of use, cold, resting, gone, at rest
# for the receiver (or for the site, `egress.called`), or no node has had it for so long. Those that
# are leased see to it themselves.
STRANDED = """
SELECT lane.id, lane.home_id FROM deliveries_lane lane
LEFT JOIN deliveries_source source ON source.name = lane.source
WHERE lane.home_id IS NOT NULL AND (lane.leased_until IS NULL OR lane.leased_until < now())
  AND EXISTS (SELECT FROM deliveries_delivery WHERE lane_id = lane.id AND ended_at IS NULL)
  AND (source.id IS NULL OR source.state NOT IN ('warming', 'warm')
    OR NOT EXISTS (SELECT FROM deliveries_node node WHERE source.name = ANY(node.sources)
        AND node.seen_at > now() - make_interval(secs => %(gone)s))
    OR EXISTS (SELECT FROM deliveries_sourcerest rest WHERE rest.source_id = source.id
        AND rest.receiver IN (lane.provider, 'lane-' || lane.home_id)
        AND (rest.until IS NULL OR rest.until > now())))
ORDER BY lane.id
"""
# As a lease of its own, under which nothing is sent: without the lane's lock a claim of this moment
# would be taken from its holder, and without the new epoch a holder whose lease is over could renew
# it and send what was led home.
LEAD_HOME = f"""
WITH free AS (
    SELECT id FROM deliveries_lane
    WHERE id = %(lane)s AND (leased_until IS NULL OR leased_until < now())
    FOR NO KEY UPDATE SKIP LOCKED
), taken AS (
    UPDATE deliveries_lane lane SET holder = NULL, leased_until = NULL, epoch = epoch + 1
    FROM free WHERE lane.id = free.id RETURNING lane.id
), picked AS (
    SELECT delivery.id FROM taken JOIN deliveries_delivery delivery ON delivery.lane_id = taken.id
    WHERE delivery.ended_at IS NULL
    LIMIT 1000 FOR UPDATE OF delivery SKIP LOCKED
)
UPDATE deliveries_delivery delivery SET lane_id = %(home)s, {_CLAIM}
FROM picked WHERE delivery.id = picked.id
"""  # noqa: S608  (as above)
GONE = 300.0  # seconds without a word of any node that has a source


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that waits for a source."""

    id: UUID
    project: int
    credential: int
    priority: int
    domain: str
    header_from: str


class SourceLanes:
    """Of the sites whose own lanes this drain holds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def due(self, lane: LeasedLane, most: int) -> list[Due]:
        """Return what is due in the site's own lane: the most urgent first."""
        rows = await self._database.fetch(DUE_HERE, {"lane": lane.id, "most": most})
        return [Due(*row) for row in rows]

    async def lanes(self, lane: LeasedLane, sources: Sequence[str]) -> dict[str, int]:
        """Return the site's lane of each source; make those that are not there."""
        given = {"home": lane.id, "sources": sorted(sources)}
        return dict(await self._database.fetch(LANES, given))

    async def lead(self, lane: LeasedLane, lanes: Mapping[UUID, int]) -> None:
        """Lead each of these deliveries to the lane that is given with it."""
        given = {"ids": list(lanes), "lanes": list(lanes.values())}
        await self._database.fetch(LEAD, given | {"home": lane.id, "epoch": lane.epoch})

    async def of_smarthost(self, target: WayOut) -> int:
        """Return the lane of a smarthost."""
        return await smarthost_lanes.lane_of(self._database, target)

    async def reserve(self, source: str, receiver: str, wanted: int) -> int:
        """Return how many of so many a warming source may take now for this receiver."""
        return await warm_up.reserve(self._database, source, receiver, wanted)

    async def wait(self, lane: LeasedLane, ids: Sequence[UUID], seconds: float) -> None:
        """Look at these again after so long: no source may carry them now."""
        given = {"ids": list(ids), "home": lane.id, "seconds": seconds}
        await self._database.fetch(WAIT, given)
