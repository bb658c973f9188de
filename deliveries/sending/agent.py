"""One lane's agent: claims its due deliveries, and has as many of them sent at a time as the
receiver takes.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from deliveries.capacity.concurrency import Place
from deliveries.queue.leased import Claimed, Learned, LeasedLane
from deliveries.routing.egress import Identity
from deliveries.sending.claimed_deliveries import ClaimedDelivery
from deliveries.sending.domain_turns import NOBODY, DomainTurns
from deliveries.sending.feedback import Feedback
from deliveries.sending.lane_claims import LaneClaims
from deliveries.sending.lane_connection import LaneConnection
from deliveries.sending.shared import SharedResources
from deliveries.shaping.pace import Pace

logger = logging.getLogger(__name__)

LINGER = 10.0  # seconds for which an idle lane is kept, so that the next mail finds it leased
# seconds of busy connections and waiting mail until one more is tried; more than `turns.SLOW`
DEMAND = 1.5
KEEP_OPEN = 4.0  # seconds for an idle connection; many receivers close theirs after five


class DeliveryAgent:
    """Runs until its lane has been idle for a while, is paused, is lost, or is told to stop."""

    def __init__(self, lane: LeasedLane, shared: SharedResources, identity: Identity) -> None:
        self.lane, self.identity = lane, identity
        self.shared = shared
        self.pace = Pace(
            shared.orders.rule(lane, ""), lane.pace, now=time.monotonic(), wall=time.time()
        )
        self.feedback = Feedback(lane, shared.lanes, self.pace)
        self.turns = DomainTurns(self.feedback.experience, is_shared=lane.is_shared)
        self._full_since = time.monotonic()
        self._claims = LaneClaims(
            lane, shared, self.pace, self.turns, loaded=self._call_senders, notify=self.nudge,
            connections=lambda: (len(self._senders), self.busy),
        )  # fmt: skip
        self.outcomes = self._claims.outcomes
        self._waiting = self._claims.waiting
        self._senders: set[asyncio.Task[None]] = set()
        self._idle = 0  # senders that wait for a delivery, or for their turn
        self._connected = 0
        self.openings: set[asyncio.Future[Any]] = set()
        self._woken, self._loaded = asyncio.Event(), asyncio.Condition()
        self._woken.set()
        self._is_stopping = False

    def wake(self, *, is_urgent: bool) -> None:
        """Note that there is new work in the lane."""
        self._claims.wake(is_urgent=is_urgent)
        self._woken.set()

    def hurry(self) -> None:
        """Claim urgent mail at once."""
        self._claims.hurry()

    @property
    def may_have_strays(self) -> bool:
        """Tell whether PostgreSQL may know of claims that nobody has in hand."""
        return self._claims.may_have_strays

    def has_in_hand(self, claimed: Claimed) -> bool:
        """Tell whether the delivery is in hand: it is no more once its outcome is recorded."""
        return self._claims.has_in_hand(claimed)

    def nudge(self) -> None:
        """Look whether orders have changed, or others need the place."""
        self._woken.set()

    def stop(self) -> None:
        """Finish what is being sent, give back the rest."""
        self._is_stopping = True
        self._woken.set()

    def hang_up(self) -> None:
        """Wait for no host that has not said a word: the process ends."""
        for opening in self.openings:
            opening.cancel()

    def learned(self) -> Learned | None:
        """Return what the lane's row shall keep at the end, or None for nothing to note."""
        return self.feedback.learned() if self.feedback.is_to_note else None

    async def run(self) -> None:
        """Work the lane until it is idle or told to stop; the caller holds the lease."""
        try:
            while not self._is_stopping:
                if not await self._turn():
                    break
        finally:
            self._is_stopping = True
            await self._call_senders()
            if self._senders:
                await asyncio.gather(*self._senders, return_exceptions=True)
            self.shared.shares.leave(self.lane.id)
            await self._claims.end()

    async def _turn(self) -> bool:
        """Refill, start senders, and wait for a reason to look again; False when the lane has been
        idle long enough.
        """
        self._woken.clear()
        await self._claims.heed_orders()
        self.turns.is_shared = self.turns.is_shared or self.shared.lanes.is_shared(self.lane)
        await self._claims.give_back_hopeless()
        await self._claims.refill_where_due()
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
            return bool(self._senders or self._waiting)
        return True

    def _patience(self) -> float | None:
        """Return the seconds to wait for news; None where a sender will bring them."""
        if not self._waiting:
            return 0.0 if self.shared.is_crowded() and not self._senders else LINGER
        now = time.monotonic()
        if self._senders:  # what is at work may take long
            looks = self.pace.connect_wait(now), DEMAND if self._is_full() else 0.0
            return min(filter(None, looks), default=None)
        return max(self._claims.wait_for_turn(now), self.pace.connect_wait(now), 0.01)

    def _open_window(self) -> None:
        """Allow one more connection for each `DEMAND` seconds in which all were busy and mail
        waited.
        """
        now = time.monotonic()
        if not self._is_full():
            self._full_since = now
        elif now - self._full_since >= DEMAND:
            self._full_since = now
            self.pace.window.waited()

    def _is_full(self) -> bool:
        """Tell if mail waits for a connection, of which the host may take more than were found so
        far.
        """
        window, troubled = self.pace.window, self.turns.troubled()
        if window.size >= window.most or self._waiting.of(troubled) == len(self._waiting):
            return False
        return self.busy >= self.pace.room(is_urgent=False) or bool(self._claims.held() - troubled)

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
        """Return how many more senders are of use.

        A host that has not spoken to us yet is asked by one alone, then by twice as many.
        """
        total, urgent = self._claims.ready(), self._waiting.urgent
        ready = (
            urgent
            + min(total - urgent, max(0, self.pace.room(is_urgent=False) - self.busy))
            - self._idle
        )
        if ready > 0 and self._claims.wait_for_turn(now):
            ready = 0 if self._idle else 1
        opening = len(self._senders) - self._connected
        return min(
            ready,
            self.pace.room(is_urgent=bool(urgent)) - len(self._senders),
            max(1, self._connected) - opening,
        )

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

    async def next_delivery(self, place: Place) -> ClaimedDelivery | None:
        """Return the next delivery when its turn has come.

        Return None after `KEEP_OPEN` without one, or where no more are to be sent. Where the
        delivery is not urgent, `place` is held from then on.
        """
        place.leave()
        until = time.monotonic() + KEEP_OPEN
        while self._may_send():
            now = time.monotonic()
            held = self._claims.left_out(now) if self.turns.is_shared else NOBODY
            wait = self._wait_for_delivery(now, held)
            if wait == 0.0:
                first = self._waiting.first(held)
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
        return len(self._senders) <= self.pace.room(is_urgent=bool(self._waiting.urgent))

    def _wait_for_delivery(self, now: float, held: frozenset[str]) -> float:
        """Return the seconds until this sender may take the first delivery not `held`."""
        first = self._waiting.first(held)
        if first is None or (not first.is_urgent and self.busy > self.pace.room(is_urgent=False)):
            return KEEP_OPEN
        return self.pace.wait(now, is_urgent=first.is_urgent)

    def _take(self, now: float, held: frozenset[str]) -> ClaimedDelivery | None:
        delivery = self._waiting.pop(held)
        if delivery.is_late:
            self._waiting.put_back(delivery)
            self._woken.set()  # the next turn gives it back
            return None
        self.pace.take(now)
        self.shared.progress.taken(now - delivery.due, is_urgent=delivery.is_urgent)
        if self.turns.is_shared:
            self.turns.begin(delivery.claimed.id, delivery.claimed.domain, now=now)
        left = len(self._waiting)
        may_start_more = (
            left and not self._idle and len(self._senders) < self.pace.room(is_urgent=False)
        )
        if may_start_more or (self._claims.may_have_more and left <= self.pace.page(now) // 2):
            self._woken.set()
        return delivery

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

    def put_back(self, delivery: ClaimedDelivery) -> None:
        self.turns.end(delivery.claimed.id)
        self._waiting.put_back(delivery)
        self._woken.set()
