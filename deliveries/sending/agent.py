"""One lane's agent: claims its due deliveries, and has as many of them sent at a time as the
receiver takes.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from deliveries.backends.database import DatabaseUnavailable
from deliveries.backends.priority_lock import Ticket
from deliveries.capacity.concurrency import Place
from deliveries.queue.leased import Claimed, Learned, LeasedLane
from deliveries.sending import disposition
from deliveries.sending.claimed_deliveries import ClaimedDeliveries, ClaimedDelivery
from deliveries.sending.disposition import URGENT
from deliveries.sending.domain_turns import NOBODY, DomainTurns
from deliveries.sending.feedback import Feedback
from deliveries.sending.lane_connection import SMALL, LaneConnection
from deliveries.sending.shared import SharedResources
from deliveries.shaping.pace import Pace
from deliveries.smtp.outcomes import Bounced, Deferred, Outcome
from domains.operations.isolation import Kind

logger = logging.getLogger(__name__)

LINGER = 10.0  # seconds for which an idle lane is kept, so that the next mail finds it leased
# seconds in which all connections are busy and mail waits, after which one more is tried; more than
# `turns.SLOW`
DEMAND = 1.5
KEEP_OPEN = (
    4.0  # seconds for which an idle connection is kept; many receivers close theirs after five
)


class DeliveryAgent:
    """Runs until its lane has been idle for a while, is paused, is lost, or is told to stop."""

    def __init__(self, lane: LeasedLane, shared: SharedResources) -> None:
        self.lane = lane
        self.shared = shared
        self.pace = Pace(
            shared.orders.rule(lane, ""), lane.pace, now=time.monotonic(), wall=time.time()
        )
        self.feedback = Feedback(lane, shared.lanes, self.pace)
        self.turns = DomainTurns(self.feedback.experience, is_shared=lane.is_shared)
        self._full_since = time.monotonic()
        self._orders_read = (shared.orders.version, shared.orders.stops)
        self._domain = ""  # one of those that led here
        self._loads = ClaimedDeliveries()
        self._senders: set[asyncio.Task[None]] = set()
        self._idle = 0  # senders that wait for a load, or for their turn
        self._connected = 0
        self.openings: set[asyncio.Future[Any]] = set()
        self._woken = asyncio.Event()
        self._woken.set()
        self._loaded = asyncio.Condition()
        self._is_stopping = False
        self._may_have_more = self._may_have_urgent = True
        self._ticket = Ticket()  # for its next statement
        self._is_hurried = False  # whether the next claim is for urgent mail that has just come
        self._last_flow = -1
        self._in_hand: set[UUID] = set()  # loaded and not settled or given back
        self.may_have_strays = False  # whether PostgreSQL may know of claims that we do not

    def wake(self, *, is_urgent: bool) -> None:
        """There is new work in the lane."""
        self._may_have_more = True
        self._may_have_urgent = self._may_have_urgent or is_urgent
        self._woken.set()

    def hurry(self) -> None:
        """Urgent mail has come just now: what this lane waits for goes before what others wait
        for, and so does its next claim.
        """
        self._is_hurried = True
        self._ticket.hurry()

    def nudge(self) -> None:
        """Look whether orders have changed, or others need the place."""
        self._woken.set()

    def stop(self) -> None:
        """Finish what is being sent, give back the rest."""
        self._is_stopping = True
        self._woken.set()

    def hang_up(self) -> None:
        """The process ends: wait for no host that has not said a word."""
        for opening in self.openings:
            opening.cancel()

    def learned(self) -> Learned | None:
        """What the lane's row shall keep, at the end."""
        return self.feedback.learned() if self.feedback.is_to_note else None

    async def run(self) -> None:
        """The whole life of this agent; the lane's lease is the caller's."""
        try:
            while not self._is_stopping:
                if not await self._turn():
                    break
        finally:
            self._is_stopping = True
            await self._call_senders()
            if self._senders:
                await asyncio.gather(*self._senders, return_exceptions=True)
            await self._give_back(list(self._loads))

    async def _turn(self) -> bool:
        """Refill, start senders, and wait for a reason to look again; False when the lane has been
        idle long enough.
        """
        self._woken.clear()
        await self._heed_orders()
        self.turns.is_shared = self.turns.is_shared or self.shared.lanes.is_shared(self.lane)
        troubled = self.turns.troubled()
        await self._give_back(
            [load for load in self._loads if load.is_late or load.claimed.domain in troubled]
        )
        await self._refill_where_due()
        self._open_window()
        self._start_senders()
        if self._idle and self.turns.is_shared:
            await self._call_senders()  # whose turn it is may have changed
        patience = self._patience()
        if patience is None:
            await self._woken.wait()
            return True
        try:
            async with asyncio.timeout(patience):
                await self._woken.wait()
        except TimeoutError:
            return bool(self._senders or self._loads)
        return True

    def _patience(self) -> float | None:
        """Seconds to wait for news; None where a sender will bring them."""
        if not self._loads:
            return 0.0 if self.shared.is_crowded() and not self._senders else LINGER
        if self._senders:
            return DEMAND if self._is_full() else None
        now = time.monotonic()
        return max(self._wait_for_turn(now), self.pace.connect_wait(now), 0.01)

    def _open_window(self) -> None:
        """One connection more for each while in which all were busy and mail waited."""
        now = time.monotonic()
        if not self._is_full():
            self._full_since = now
        elif now - self._full_since >= DEMAND:
            self._full_since = now
            self.pace.window.waited()

    def _is_full(self) -> bool:
        """Whether mail waits for a connection, of which the host may take more than were found so
        far.
        """
        window, troubled = self.pace.window, self.turns.troubled()
        if window.size >= window.most or self._loads.of(troubled) == len(self._loads):
            return False
        return self.busy >= self.pace.room(is_urgent=False) or bool(self._held() - troubled)

    def _held(self) -> frozenset[str]:
        return self.turns.held(now=time.monotonic(), room=self.pace.room(is_urgent=False))

    def _left_out(self, now: float) -> frozenset[str]:
        """The domains that do not get the next connection."""
        held = self.turns.held(now=now, room=self.pace.room(is_urgent=False))
        others_first = held | self.turns.slow(now=now)
        return held if self._loads.first(others_first) is None else others_first

    def _ready(self) -> int:
        """Loads whose domain may have a connection."""
        if not self.turns.is_shared:
            return len(self._loads)
        return len(self._loads) - self._loads.of(self._held())

    # --- loads ---
    async def _heed_orders(self) -> None:
        orders = self.shared.orders
        version, stops = self._orders_read
        if version == orders.version and stops is orders.stops:
            return
        self._orders_read = (orders.version, orders.stops)
        self.pace.follow(orders.rule(self.lane, self._domain))
        stopped = self._loads.remove(lambda load: orders.stops.cover(load.claimed))
        await self._give_back(stopped)  # the next claim puts them aside
        self._may_have_more = self._may_have_more or bool(stopped)

    async def _refill_where_due(self) -> None:
        page = self.pace.page(time.monotonic())
        if self._may_have_more and self._ready() <= page // 2:
            self._may_have_more = self._may_have_urgent = False
            await self._refill(page)
        elif self._may_have_urgent and not self._loads.urgent:
            # What is loaded would keep the lane busy for a while, and urgent mail goes before all
            # of it.
            self._may_have_urgent = False
            await self._refill(page, least=URGENT)

    async def _refill(self, page: int, *, least: int = 0) -> None:
        await self.shared.ledger.has_room()
        try:
            if self.may_have_strays:
                await self._free_strays()
            if self._is_hurried:
                self._is_hurried = False
                self._ticket.hurry()
            claimed = await self.shared.lanes.claim(
                self.lane, page, least=least, after=self._last_flow, ticket=self._ticket,
                besides=self._held(), is_shared=self.turns.is_shared,
            )  # fmt: skip
            if least:
                self._may_have_urgent = self._may_have_urgent or len(claimed) == page
            else:  # of many flows each gives no more than two at a time
                self._may_have_more = self._may_have_more or len(claimed) > 1
            await self._load(await self._sift(claimed))
        except DatabaseUnavailable as error:
            logger.warning("lane=%s could not claim: %s", self.lane.id, error)
            self.may_have_strays = True
            await asyncio.sleep(1)
            self.wake(is_urgent=True)

    async def _free_strays(self) -> None:
        """What we know of is left out; what was settled before is on record first, for a free row
        takes no outcome.
        """
        in_hand = list(self._in_hand)
        await self.shared.ledger.flush()
        await self.shared.lanes.free_strays(self.lane, besides=in_hand)
        self.may_have_strays = False

    async def _sift(self, claimed: Sequence[Claimed]) -> list[Claimed]:
        """What is to be sent from this lane; the rest is settled, put aside or handed on at
        once.
        """
        stops = self.shared.orders.stops
        if parked := [delivery.id for delivery in claimed if stops.cover(delivery)]:
            await self.shared.lanes.park(self.lane, parked)
            claimed = [delivery for delivery in claimed if not stops.cover(delivery)]
        open_ones = [delivery for delivery in claimed if await self._is_sound(delivery)]
        moved = [delivery.id for delivery in open_ones if not delivery.is_here]
        if moved:
            await self.shared.lanes.reroute(self.lane, moved)
            self.shared.wake_routing()
        return [delivery for delivery in open_ones if delivery.is_here]

    async def _is_sound(self, claimed: Claimed) -> bool:
        try:
            return self._is_open(claimed)
        except (
            Exception
        ) as error:  # one delivery that we cannot understand must not hold up its lane
            await self.failed(claimed, error)
            return False

    def _is_open(self, claimed: Claimed) -> bool:
        if claimed.suppressed is not None:
            self.shared.ledger.record(disposition.suppressed(claimed, epoch=self.lane.epoch))
            return False
        if claimed.was_claimed:
            # Not a matter of the receiver, so it waits only until this is on record.
            self.shared.ledger.record(
                disposition.interrupted(claimed, epoch=self.lane.epoch, wait=1.0)
            )
            return False
        return True

    async def _load(self, claimed: Sequence[Claimed]) -> None:
        if not claimed:
            return
        small = {delivery.message_id for delivery in claimed if delivery.size <= SMALL}
        if any(delivery.priority >= URGENT for delivery in claimed):
            self._ticket.hurry()
        contents = await self.shared.lanes.contents(small, ticket=self._ticket) if small else {}
        now = time.monotonic()
        self._in_hand.update(each.id for each in claimed)
        for each in claimed:
            try:
                self._loads.add(
                    ClaimedDelivery(
                        each,
                        contents.get(each.message_id),
                        now + each.seconds_left,
                        now - each.seconds_due,
                    )
                )
            except Exception as error:  # one that cannot be loaded stops no other
                await self.failed(each, error)
        self.turns.is_shared = self.turns.is_shared or len({each.domain for each in claimed}) > 1
        self._last_flow = claimed[-1].flow
        if not self._domain:
            self._domain = claimed[0].domain
            self.pace.follow(self.shared.orders.rule(self.lane, self._domain))
        await self._call_senders()

    async def _give_back(self, loads: Collection[ClaimedDelivery]) -> None:
        """What was not tried is nobody's again: for the next holder, or for the sweeper of
        deadlines.
        """
        if loads:
            self._loads.remove(lambda load: load in loads)
            self._in_hand.difference_update(load.claimed.id for load in loads)
            try:
                await self.shared.lanes.unclaim(self.lane, [load.claimed.id for load in loads])
            except DatabaseUnavailable as error:
                logger.warning(
                    "lane=%s could not give back its claims yet: %s", self.lane.id, error
                )
                self.may_have_strays = (
                    True  # the next claim, or whoever gives the lane back, sees to them
                )

    # --- senders ---
    def _start_senders(self) -> None:
        now = time.monotonic()
        if (
            self._is_stopping
            or not self.shared.lanes.holds(self.lane)
            or self.pace.connect_wait(now)
        ):
            return
        for _ in range(self._wanted(now)):
            self.pace.connect(now)
            sender = asyncio.create_task(LaneConnection(self).run())
            self._senders.add(sender)
            sender.add_done_callback(self._sender_ended)
            if self.pace.connect_wait(now):
                break

    def _wanted(self, now: float) -> int:
        """How many more senders are of use.

        A host that has not spoken to us yet is asked by one alone, then by twice as many.
        """
        total, urgent = self._ready(), self._loads.urgent
        ready = (
            urgent
            + min(total - urgent, max(0, self.pace.room(is_urgent=False) - self.busy))
            - self._idle
        )
        if ready > 0 and self._wait_for_turn(now):
            ready = 0 if self._idle else 1
        opening = len(self._senders) - self._connected
        return min(
            ready,
            self.pace.room(is_urgent=bool(urgent)) - len(self._senders),
            max(1, self._connected) - opening,
        )

    def _wait_for_turn(self, now: float) -> float:
        first = self._loads.first()
        return self.pace.wait(now, is_urgent=first is not None and first.is_urgent)

    def _sender_ended(self, sender: asyncio.Task[None]) -> None:
        self._senders.discard(sender)
        self._woken.set()
        if not sender.cancelled() and sender.exception() is not None:
            logger.error("lane=%s a sender failed", self.lane.id, exc_info=sender.exception())

    async def _call_senders(self) -> None:
        async with self._loaded:
            self._loaded.notify_all()

    # --- what senders ask and tell ---
    @property
    def busy(self) -> int:
        return len(self._senders) - self._idle

    @property
    def is_alone(self) -> bool:
        return len(self._senders) <= 1

    def connected(self, by: int) -> None:
        self._connected += by
        self._woken.set()

    async def next_load(self, place: Place) -> ClaimedDelivery | None:
        """The next load, when its turn has come; None after `KEEP_OPEN` without one, or where no
        more are to be sent.

        Where it is not urgent, `place` is held from then on.
        """
        place.leave()
        until = time.monotonic() + KEEP_OPEN
        while self._may_send():
            now = time.monotonic()
            held = self._left_out(now) if self.turns.is_shared else NOBODY
            wait = self._wait_for_load(now, held)
            if wait == 0.0:
                first = self._loads.first(held)
                if (first is not None and first.is_urgent) or place.take():
                    return self._take(now, held)
                await self._room()
                continue
            if now >= until or not await self._news(min(wait, until - now)):
                break
        return None

    async def _room(self) -> None:
        self._idle += 1
        try:
            await self.shared.carrying.room()
        finally:
            self._idle -= 1

    def _may_send(self) -> bool:
        if self._is_stopping or self.feedback.is_over or not self.shared.lanes.holds(self.lane):
            self._is_stopping = self._is_stopping or self.feedback.is_over
            return False
        return len(self._senders) <= self.pace.room(is_urgent=bool(self._loads.urgent))

    def _wait_for_load(self, now: float, held: frozenset[str]) -> float:
        """Seconds until this sender may take the first load of a domain that is not `held`."""
        first = self._loads.first(held)
        if first is None or (not first.is_urgent and self.busy > self.pace.room(is_urgent=False)):
            return KEEP_OPEN
        return self.pace.wait(now, is_urgent=first.is_urgent)

    def _take(self, now: float, held: frozenset[str]) -> ClaimedDelivery | None:
        load = self._loads.pop(held)
        if load.is_late:
            self._loads.put_back(load)
            self._woken.set()  # the next turn gives it back
            return None
        self.pace.take(now)
        if not load.is_urgent:
            self.shared.progress.taken(now - load.due)
        if self.turns.is_shared:
            self.turns.begin(load.claimed.id, load.claimed.domain, now=now)
        left = len(self._loads)
        may_start_more = (
            left and not self._idle and len(self._senders) < self.pace.room(is_urgent=False)
        )
        if may_start_more or (self._may_have_more and left <= self.pace.page(now) // 2):
            self._woken.set()
        return load

    async def _news(self, seconds: float) -> bool:
        """Wait for loads or a turn; false where others need the connection's place: of ordinary
        mail, the first that wait.
        """
        if not self.shared.sockets.has_room(is_urgent=False):
            return False
        self._idle += 1
        try:
            async with asyncio.timeout(seconds), self._loaded:
                await self._loaded.wait()
        except TimeoutError:
            pass
        finally:
            self._idle -= 1
        return True

    def put_back(self, load: ClaimedDelivery) -> None:
        self.turns.end(load.claimed.id)
        self._loads.put_back(load)
        self._woken.set()

    def _over(self, claimed: Claimed) -> None:
        self._in_hand.discard(claimed.id)
        if self.turns.is_shared:
            self.turns.end(claimed.id)
            self._woken.set()

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
        """Our own code failed at this delivery: it is tried again later, and held for a person
        after the third time.
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
            await self.shared.faults.note(Kind.LANE, self.lane.id, error, lasting=False)
        elif await self.shared.faults.note(Kind.DELIVERY, claimed.id, error):
            await (
                self.shared.ledger.flush()
            )  # the entry's fence is the claim, which holding takes away
            await self.shared.faults.hold(claimed.id)

    def has_in_hand(self, claimed: Claimed) -> bool:
        """False once its outcome is recorded."""
        return claimed.id in self._in_hand

    def put_off(self, claimed: Claimed, outcome: Deferred, *, wait: float, **facts: object) -> None:
        """It is looked at again in hours, and the sender told."""
        facts["provider"] = self.pace.rule.name
        self.shared.ledger.record(
            disposition.put_off(
                claimed, outcome, epoch=self.lane.epoch, wait=wait, spread=random.random(), **facts
            )
        )
        self._over(claimed)

    def passed(self, claimed: Claimed, outcome: Deferred | Bounced, **facts: object) -> None:
        """One host has answered, and another one was asked."""
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
