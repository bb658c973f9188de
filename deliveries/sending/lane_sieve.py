"""What is to be sent of what a lane's agent has claimed; the rest is settled, or goes elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from deliveries.models import Lane
from deliveries.queue import sandboxed
from deliveries.queue.leased import Claimed, LeasedLane
from deliveries.sending import disposition, retry_schedule
from deliveries.sending.controls import outgoing
from deliveries.sending.outcome_recorder import OutcomeRecorder
from deliveries.sending.shared import SharedResources


class LaneSieve:
    """Of one lane."""

    def __init__(
        self, lane: LeasedLane, shared: SharedResources, outcomes: OutcomeRecorder
    ) -> None:
        self._lane, self._shared, self._outcomes = lane, shared, outcomes

    async def sift(self, claimed: Sequence[Claimed]) -> list[Claimed]:
        """Return what is to be sent from this lane; settle, park or hand on the rest at once."""
        # First what may have been sent: its old claim alone says so, and is gone once it is moved.
        claimed = [each for each in claimed if not each.was_claimed or await self._is_sound(each)]
        stops = self._shared.orders.stops
        if parked := [delivery.id for delivery in claimed if stops.cover(delivery)]:
            await self._shared.lanes.park(self._lane, parked)
            claimed = [delivery for delivery in claimed if not stops.cover(delivery)]
        claimed = await self._without_sandboxed(claimed)
        open_ones = [delivery for delivery in claimed if await self._is_sound(delivery)]
        orders = self._shared.orders
        if home := [each.id for each in open_ones if not orders.stays(self._lane, each)]:
            self._shared.wake(await self._shared.lanes.lead_home(self._lane, home))
            open_ones = [each for each in open_ones if orders.stays(self._lane, each)]
        open_ones = await self._without_led_out(open_ones)
        moved = [delivery.id for delivery in open_ones if not delivery.is_here]
        if moved:
            await self._shared.lanes.reroute(self._lane, moved)
            self._shared.wake(Lane.ROUTING)
        return [delivery for delivery in open_ones if delivery.is_here]

    async def _without_led_out(self, claimed: list[Claimed]) -> list[Claimed]:
        """Return what is not led to a smarthost by a rule; in a smarthost's lane, say of all
        whether it is to be sent from there.
        """
        orders = self._shared.orders
        if orders.is_gone(self._lane):
            return [replace(each, is_here=False) for each in claimed]
        if self._lane.smarthost is not None:
            return [
                each
                if each.is_here or not orders.is_led_here(self._lane, outgoing(each))
                else replace(each, is_here=True)
                for each in claimed
            ]
        if not orders.egress.now.leads_out:
            return claimed
        ways = {
            each.id: orders.way_out(self._lane, outgoing(each), each.domain) for each in claimed
        }
        for smarthost in {way.id: way for way in ways.values() if way is not None}.values():
            ids = [id_ for id_, way in ways.items() if way is not None and way.id == smarthost.id]
            self._shared.wake(await self._shared.lanes.lead_out(self._lane, ids, smarthost.target))
        return [each for each in claimed if ways[each.id] is None]

    async def _without_sandboxed(self, claimed: Sequence[Claimed]) -> Sequence[Claimed]:
        """Lead a sandbox's mail back to the sandbox's lane, whatever led it here; return the
        rest.
        """
        boxed = [delivery.id for delivery in claimed if delivery.is_sandboxed]
        if not boxed or sandboxed.is_sandbox(self._lane):
            return claimed
        await self._shared.lanes.sandbox(self._lane, boxed)
        return [delivery for delivery in claimed if not delivery.is_sandboxed]

    async def _is_sound(self, claimed: Claimed) -> bool:
        try:
            return self._is_open(claimed)
        except Exception as error:
            # One delivery that we cannot understand must not hold up its lane.
            await self._outcomes.failed(claimed, error)
            return False

    def _is_open(self, claimed: Claimed) -> bool:
        if claimed.suppressed is not None:
            self._shared.ledger.record(disposition.suppressed(claimed, epoch=self._lane.epoch))
            return False
        if claimed.was_claimed:
            # Not a matter of the receiver, so it waits only until this is on record.
            wait = retry_schedule.interrupted(claimed.throttles)
            self._shared.ledger.record(
                disposition.interrupted(claimed, epoch=self._lane.epoch, wait=wait)
            )
            return False
        return True
