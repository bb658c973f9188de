"""What all agents of a drain share: connections to PostgreSQL, limits, and the ways to wake each
other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from deliveries.capacity.concurrency import Concurrency
from deliveries.capacity.inflow import DeliveryProgress
from deliveries.capacity.memory_budget import ByteBudget
from deliveries.capacity.sockets import Sockets
from deliveries.message.signing import SigningKeys
from deliveries.queue.drain_files import HolderFile
from deliveries.queue.lanes import Lanes
from deliveries.queue.ledger import Ledger
from deliveries.queue.own_faults import Faults
from deliveries.routing.resolver import Router
from deliveries.sending.controls import Controls
from deliveries.sending.provider_shares import ProviderShares
from deliveries.sending.smarthost_logins import SmarthostLogins
from deliveries.sending.smarthost_probes import SmarthostProbes


@dataclass(frozen=True, slots=True)
class SharedResources:
    """Made once for a drain; `sockets` bounds the open connections, `memory` the content loaded
    for large messages, `own_file` says what may have been sent.
    """

    lanes: Lanes
    own_file: HolderFile
    ledger: Ledger
    router: Router
    orders: Controls
    sockets: Sockets
    file_share: float  # the part of all sockets that may be open here
    memory: ByteBudget
    faults: Faults
    progress: DeliveryProgress
    carrying: Concurrency
    keys: SigningKeys
    logins: SmarthostLogins
    probes: SmarthostProbes
    shares: ProviderShares
    return_path_key: bytes
    feedback_key: bytes
    wake: Callable[[int], None]  # whoever has the lane
    is_crowded: Callable[[], bool]  # whether lanes wait for an agent's place

    def now(self) -> datetime:
        return datetime.now(UTC)
