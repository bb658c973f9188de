"""The agent of a lane, as its connections see it."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from deliveries.capacity.concurrency import Place
from deliveries.queue.leased import Claimed, LeasedLane
from deliveries.routing.egress import Identity
from deliveries.sending.claimed_deliveries import ClaimedDelivery
from deliveries.sending.domain_turns import DomainTurns
from deliveries.sending.feedback import Feedback
from deliveries.sending.outcome_recorder import OutcomeRecorder
from deliveries.sending.shared import SharedResources
from deliveries.shaping.pace import Pace


class LaneAgent(Protocol):
    """What a connection asks of the agent that opened it, and tells it."""

    lane: LeasedLane
    shared: SharedResources
    identity: Identity
    pace: Pace
    feedback: Feedback
    turns: DomainTurns
    outcomes: OutcomeRecorder
    openings: set[asyncio.Future[Any]]

    @property
    def busy(self) -> int:
        """Senders that have something in hand."""

    @property
    def is_alone(self) -> bool:
        """Tell whether no other sender has a connection."""

    async def next_delivery(self, place: Place) -> ClaimedDelivery | None: ...
    def put_back(self, delivery: ClaimedDelivery) -> None: ...
    def has_in_hand(self, claimed: Claimed) -> bool: ...
    def connected(self, by: int) -> None: ...
