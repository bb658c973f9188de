"""Leads the mail of a project or credential that has a sandbox of its own there, whatever its
domain, whoever had it in hand.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from uuid import UUID

from django.conf import settings

from deliveries.backends.database import Database
from deliveries.models import Route
from deliveries.queue.leased import LeasedLane
from deliveries.queue.row_locks import change_deliveries
from domains.foundation.process.own_address import own_address

# A lane of its own that no route shares, as those that an order leads to a host.
LEAD = change_deliveries(
    "id = ANY(%(ids)s) AND claim = %(epoch)s AND due_at IS NOT NULL",
    before="""box AS (
    INSERT INTO deliveries_lane (site, source, hosts, tls, is_routed, is_forced, epoch, failures,
        pause_reason)
    VALUES (%(site)s, '', %(hosts)s::jsonb, %(tls)s, true, true, 0, 0, '')
    ON CONFLICT (site, source) DO UPDATE SET hosts = EXCLUDED.hosts
    RETURNING id
)""",
    to="claim = 0, lane_id = box.id",
    source="box",
)
SITE = "sandbox"


def is_sandbox(lane: LeasedLane) -> bool:
    return lane.is_forced and lane.site == SITE


async def lead(database: Database, lane: LeasedLane, ids: Sequence[UUID]) -> None:
    """Give these claims of the lane back as the sandbox's. Raises `DatabaseUnavailable`."""
    given = {
        "site": SITE,
        "hosts": json.dumps([[0, own_address(), settings.EKIDEN_SANDBOX_PORT]]),
        "tls": Route.Tls.OPPORTUNISTIC.value,
        "ids": list(ids),
        "epoch": lane.epoch,
    }
    await database.fetch(LEAD, given)
