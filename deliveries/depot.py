"""What all couriers of a drain share: connections to PostgreSQL, limits, and the ways to wake each other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from deliveries import maillog
from deliveries.budget import ByteBudget
from deliveries.lanes import Lanes, LeasedLane
from deliveries.ledger import Ledger
from deliveries.routing import Router


@dataclass(frozen=True, slots=True)
class Depot:
    """Made once for a drain; `connections` bounds the open sockets, `memory` the content loaded for large messages."""

    lanes: Lanes
    ledger: Ledger
    router: Router
    connections: asyncio.Semaphore
    memory: ByteBudget
    return_path_key: bytes
    wake_routing: Callable[[], None]

    def now(self) -> datetime:
        return datetime.now(UTC)

    def lane_paused(self, lane: LeasedLane, seconds: float, reason: str) -> None:
        maillog.lane_paused(lane.id, site=lane.site, seconds=seconds, reason=reason)
