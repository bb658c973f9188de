"""What an agent has claimed of its lane: when it claims more, and when it gives back."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from uuid import UUID

from deliveries.backends.database import DatabaseUnavailable
from deliveries.queue.leased import Claimed, LeasedLane
from deliveries.sending.claimed_deliveries import ClaimedDeliveries, ClaimedDelivery
from deliveries.sending.disposition import URGENT
from deliveries.sending.domain_turns import DomainTurns
from deliveries.sending.lane_sieve import LaneSieve
from deliveries.sending.outcome_recorder import OutcomeRecorder
from deliveries.sending.provider_shares import LaneDemand
from deliveries.sending.shared import SharedResources
from deliveries.shaping.pace import Pace

logger = logging.getLogger(__name__)

WAIT = 1.0  # seconds until the next claim, where PostgreSQL is out of reach


class LaneClaims:
    """Claims due deliveries of one lane, and knows which of them are in hand.

    `loaded` is awaited when deliveries have been added, `notify` called when the agent should look
    again; `connections` tells how many it has open, and how many of them work.
    """

    def __init__(
        self,
        lane: LeasedLane,
        shared: SharedResources,
        pace: Pace,
        turns: DomainTurns,
        *,
        loaded: Callable[[], Awaitable[None]],
        notify: Callable[[], None],
        connections: Callable[[], tuple[int, int]],
    ) -> None:
        self.lane = lane
        self.shared = shared
        self.pace = pace
        self.turns = turns
        self.outcomes = OutcomeRecorder(lane, shared, pace, self.over)
        self._sieve = LaneSieve(lane, shared, self.outcomes)
        self.waiting = ClaimedDeliveries()
        self._demand = LaneDemand(self.waiting, pace, connections, notify)
        self.may_have_more = self.may_have_urgent = True
        self.may_have_strays = False  # whether PostgreSQL may know of claims that we do not
        self._loaded = loaded
        self._notify = notify
        self._in_hand: set[UUID] = set()  # claimed and not settled or given back
        self._orders_read = (shared.orders.version, shared.orders.stops)
        self._domain = ""  # one of those that led here
        self._is_hurried = False  # whether the next claim is for urgent mail that has just come
        self._is_slow = False  # whether a refill is under way that waits among other lanes' claims
        self._rush: asyncio.Task[None] | None = None  # claims urgent mail during a refill
        self._last_flow = -1

    def wake(self, *, is_urgent: bool) -> None:
        """Claim again: there is new work in the lane."""
        self.may_have_more = True
        self.may_have_urgent = self.may_have_urgent or is_urgent

    def hurry(self) -> None:
        """Claim urgent mail at once, also beside a claim that is under way: that one may be too
        early to find it. One that is urgent itself is over soon.
        """
        if not self._is_slow or self.may_have_strays:
            self._is_hurried = True
        elif self._rush is None or self._rush.done():
            self._rush = asyncio.create_task(self._claim_urgent())

    def held(self) -> frozenset[str]:
        """Return the domains whose share of the connections is taken."""
        return self.turns.held(now=time.monotonic(), room=self.pace.room(is_urgent=False))

    def ready(self) -> int:
        """Count deliveries whose domain may have a connection."""
        if not self.turns.is_shared:
            return len(self.waiting)
        return len(self.waiting) - self.waiting.of(self.held())

    def left_out(self, now: float) -> frozenset[str]:
        """Return the domains that do not get the next connection."""
        held = self.turns.held(now=now, room=self.pace.room(is_urgent=False))
        others_first = held | self.turns.slow(now=now)
        return held if self.waiting.first(others_first) is None else others_first

    def wait_for_turn(self, now: float) -> float:
        """Return the seconds until the first delivery may be sent."""
        first = self.waiting.first()
        return self.pace.wait(now, is_urgent=first is not None and first.is_urgent)

    async def heed_orders(self) -> None:
        orders = self.shared.orders
        version, stops = self._orders_read
        if version == orders.version and stops is orders.stops:
            return
        self._orders_read = (orders.version, orders.stops)
        self._follow_rule()
        stopped = self.waiting.remove(
            lambda each: (
                orders.stops.cover(each.claimed) or not orders.stays(self.lane, each.claimed)
            )
        )
        await self.give_back(stopped)  # the next claim puts them aside, or leads them home
        self.may_have_more = self.may_have_more or bool(stopped)

    def _follow_rule(self) -> None:
        rule = self.shared.orders.rule(self.lane, self._domain)
        self.pace.follow(rule)
        limit = self.shared.orders.limits.get(rule.name)
        self.pace.share = self.shared.shares.of(self.lane.id, limit, self._demand)

    async def give_back_hopeless(self) -> None:
        """Give back what has waited past its deadline, or whose domain waits."""
        troubled = self.turns.troubled()
        await self.give_back(
            [each for each in self.waiting if each.is_late or each.claimed.domain in troubled]
        )

    async def refill_where_due(self) -> None:
        if self._rush is not None and self._rush.done():
            rush, self._rush = self._rush, None
            rush.result()  # a fault of ours is the lane's
        batch = self.pace.page(time.monotonic())
        if self.may_have_more and self.ready() <= batch // 2:
            self.may_have_more = self.may_have_urgent = False
            await self._refill(batch)
        elif self.may_have_urgent and not self.waiting.urgent:
            # What is loaded would keep the lane busy for a while, and urgent mail goes before all
            # of it.
            self.may_have_urgent = False
            await self._refill(batch, least=URGENT)

    async def _refill(self, batch: int, *, least: int = 0) -> None:
        is_urgent, self._is_hurried = self._is_hurried, False
        self._is_slow = not is_urgent
        try:
            await self.shared.ledger.has_room()
            if self.may_have_strays:
                await self._rushed()  # else what it has just claimed would be taken for a stray
                await self._free_strays()
            await self._claim(batch, least=least, is_urgent=is_urgent)
        except DatabaseUnavailable as error:
            await self._failed(error)
        finally:
            self._is_slow = False

    async def _claim_urgent(self) -> None:
        try:
            while self.may_have_urgent and not self.may_have_strays:
                self.may_have_urgent = False
                await self.shared.ledger.has_room()
                batch = self.pace.page(time.monotonic())
                await self._claim(batch, least=URGENT, is_urgent=True)
            self._notify()
        except DatabaseUnavailable as error:
            await self._failed(error)

    async def _failed(self, error: DatabaseUnavailable) -> None:
        logger.warning("lane=%s could not claim: %s", self.lane.id, error)
        self.may_have_strays = True
        await asyncio.sleep(WAIT)
        self.wake(is_urgent=True)
        self._notify()

    async def end(self) -> None:
        """Give back all that is not being sent."""
        await self._rushed()
        await self.give_back(list(self.waiting))

    async def _rushed(self) -> None:
        """Wait for the claim of urgent mail that is under way."""
        if self._rush is not None:
            await asyncio.gather(self._rush, return_exceptions=True)

    async def _claim(self, batch: int, *, least: int, is_urgent: bool) -> None:
        claimed = await self.shared.lanes.claim(
            self.lane, batch, least=least, after=self._last_flow, is_urgent=is_urgent,
            besides=self.held(), is_shared=self.turns.is_shared,
        )  # fmt: skip
        if least:
            self.may_have_urgent = self.may_have_urgent or len(claimed) == batch
        else:  # of many flows each gives no more than two at a time
            self.may_have_more = self.may_have_more or len(claimed) > 1
        contents = {each.message_id: each.data for each in claimed if each.data is not None}
        await self._keep(await self._sieve.sift(claimed), contents)

    async def _free_strays(self) -> None:
        """Free the lane's claimed rows that we do not know of.

        What was settled before is put on record first, for a free row takes no outcome.
        """
        in_hand = list(self._in_hand)
        await self.shared.ledger.flush()
        await self.shared.lanes.free_strays(self.lane, besides=in_hand)
        self.may_have_strays = False

    async def _keep(self, claimed: Sequence[Claimed], contents: dict[UUID, bytes]) -> None:
        if not claimed:
            return
        now = time.monotonic()
        self._in_hand.update(each.id for each in claimed)
        for each in claimed:
            try:
                self.waiting.add(
                    ClaimedDelivery(
                        each,
                        contents.get(each.message_id),
                        now + each.seconds_left,
                        now - each.seconds_due,
                    )
                )
            except Exception as error:  # one that cannot be loaded stops no other
                await self.outcomes.failed(each, error)
        self.turns.is_shared = self.turns.is_shared or len({each.domain for each in claimed}) > 1
        self._last_flow = claimed[-1].flow
        if not self._domain:
            self._domain = claimed[0].domain
            self._follow_rule()
        await self._loaded()

    async def give_back(self, deliveries: Collection[ClaimedDelivery]) -> None:
        """Make what was not tried nobody's: for the next holder, or the sweeper of deadlines."""
        if deliveries:
            self.waiting.remove(lambda each: each in deliveries)
            self._in_hand.difference_update(each.claimed.id for each in deliveries)
            try:
                await self.shared.lanes.unclaim(self.lane, [each.claimed.id for each in deliveries])
            except DatabaseUnavailable as error:
                logger.warning(
                    "lane=%s could not give back its claims yet: %s", self.lane.id, error
                )
                # The next claim, or whoever gives the lane back, sees to them.
                self.may_have_strays = True

    def has_in_hand(self, claimed: Claimed) -> bool:
        """Tell whether the delivery is in hand: it is no more once its outcome is recorded."""
        return claimed.id in self._in_hand

    def over(self, claimed: Claimed) -> None:
        self._in_hand.discard(claimed.id)
        if self.turns.is_shared:
            self.turns.end(claimed.id)
            self._notify()
