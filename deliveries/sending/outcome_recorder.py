"""Records what became of the deliveries of one lane."""

from __future__ import annotations

import random
from collections.abc import Callable

from deliveries.queue.leased import Claimed, LeasedLane
from deliveries.sending import disposition
from deliveries.sending.shared import SharedResources
from deliveries.shaping.pace import Pace
from deliveries.smtp.outcomes import Bounced, Deferred, Outcome
from domains.models import ItemKind


class OutcomeRecorder:
    """Hands what became of a delivery to the ledger; `over` hears of each that is not in hand any
    more.
    """

    def __init__(
        self,
        lane: LeasedLane,
        shared: SharedResources,
        pace: Pace,
        over: Callable[[Claimed], None],
    ) -> None:
        self.lane = lane
        self.shared = shared
        self.pace = pace
        self._over = over

    def settle(self, claimed: Claimed, outcome: Outcome, **facts: object) -> None:
        facts["provider"] = self.pace.rule.name
        self.shared.ledger.record(
            disposition.settle(
                claimed, outcome, epoch=self.lane.epoch, spread=random.random(), **facts
            )
        )
        self._over(claimed)

    async def failed(
        self,
        claimed: Claimed,
        error: Exception,
        *,
        may_have_arrived: bool = False,
        is_of_lane: bool = False,
    ) -> None:
        """Record that our own code failed at this delivery: it is tried again, and held for a
        person after the third time.
        """
        entry = disposition.faulty(
            claimed,
            epoch=self.lane.epoch,
            spread=random.random(),
            may_have_arrived=may_have_arrived,
        )
        self.shared.ledger.record(entry)
        self._over(claimed)
        if is_of_lane:
            await self.shared.faults.note(ItemKind.LANE, self.lane.id, error, lasting=False)
        elif await self.shared.faults.note(ItemKind.DELIVERY, claimed.id, error):
            # The entry's fence is the claim, which holding takes away.
            await self.shared.ledger.flush()
            await self.shared.faults.hold(claimed.id)

    def put_off(self, claimed: Claimed, outcome: Deferred, *, wait: float, **facts: object) -> None:
        """Put a delivery off: it is looked at again in hours, and the sender told."""
        facts["provider"] = self.pace.rule.name
        self.shared.ledger.record(
            disposition.put_off(
                claimed, outcome, epoch=self.lane.epoch, wait=wait, spread=random.random(), **facts
            )
        )
        self._over(claimed)

    def passed(self, claimed: Claimed, outcome: Deferred | Bounced, **facts: object) -> None:
        """Record the answer of a host after which another host was asked."""
        self.shared.ledger.record(
            disposition.passed(claimed, outcome, provider=self.pace.rule.name, **facts)
        )

    def throttled(self, claimed: Claimed, outcome: Deferred | Bounced, **facts: object) -> None:
        facts["provider"] = self.pace.rule.name
        self.shared.ledger.record(
            disposition.throttled(
                claimed, outcome, epoch=self.lane.epoch, spread=random.random(), **facts
            )
        )
        self._over(claimed)
