"""The lane of a smarthost, made where none is there yet: rules lead mail there, whatever its
domain.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from django.conf import settings

from deliveries.backends.database import Database

# The same lane as that to which routes lead.
LANE = """
INSERT INTO deliveries_lane AS known (site, source, hosts, tls, is_routed, smarthost_id, epoch,
    failures, pause_reason)
VALUES (%(site)s, %(source)s, %(hosts)s::jsonb, 'verified', true, %(smarthost)s, 0, 0, '')
ON CONFLICT (site, source) DO UPDATE SET hosts = EXCLUDED.hosts, is_routed = true,
    smarthost_id = EXCLUDED.smarthost_id, idle_since = NULL
RETURNING id
"""


WayOut = tuple[int, str, Sequence[tuple[int, str, int]]]  # a smarthost's id, name and hosts


async def lane_of(database: Database, target: WayOut) -> int:
    """Return the lane of the smarthost. Raises `DatabaseUnavailable`."""
    smarthost, name, hosts = target
    given = {
        "site": f"smarthost:{name}",
        "source": settings.EKIDEN_SOURCE,
        "hosts": json.dumps(hosts),
        "smarthost": smarthost,
    }
    [(lane,)] = await database.fetch(LANE, given)
    return int(lane)
