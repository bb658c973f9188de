"""One lane's courier: claims its due deliveries and sends them over as few connections as the lane's limits allow."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings

from deliveries import codec, retry, verdict
from deliveries.bounces import return_path
from deliveries.db import DatabaseUnavailable
from deliveries.depot import Depot
from deliveries.lanes import Claimed, LeasedLane
from deliveries.outcomes import Bounced, Deferred, Delivered, Outcome, Scope, Stage
from deliveries.roads import NoRoad, open_road
from deliveries.smtp.connection import Connection
from deliveries.smtp.mail import Mail, UnsafeMail
from deliveries.smtp.replies import Reply, local_reply

logger = logging.getLogger(__name__)

PAGE = 100  # deliveries claimed at a time
LINGER = 10.0  # seconds for which an idle lane is kept, so that the next mail finds it leased
KEEP_OPEN = 4.0  # seconds for which an idle connection is kept; many receivers close theirs after five
SMALL = 262_144  # content above this is loaded one at a time, within the memory budget
SUCCESS_EVERY = 5.0  # seconds between two notes of success on the lane's row


@dataclass(slots=True, eq=False)
class _Load:
    """A claimed delivery with its content, where that is small enough to wait in memory."""

    claimed: Claimed
    data: bytes | None
    until: float  # its deadline, on the monotonic clock
    tries: int = 0

    @property
    def is_late(self) -> bool:
        return time.monotonic() >= self.until


class Courier:
    """Runs until its lane has been idle for a while, is paused, is lost, or is told to stop."""

    def __init__(self, lane: LeasedLane, depot: Depot) -> None:
        self.lane = lane
        self._depot = depot
        self._loads: deque[_Load] = deque()
        self._senders: set[asyncio.Task[None]] = set()
        self._idle_senders = 0
        self._limit = settings.EKIDEN_CONNECTIONS_PER_LANE
        self._woken = asyncio.Event()
        self._woken.set()
        self._loaded = asyncio.Condition()
        self._is_stopping = False
        self._may_have_more = True
        self._in_hand: set[UUID] = set()  # loaded and not settled or given back
        self._may_have_strays = False  # whether PostgreSQL may know of claims that we do not
        self._failures = lane.failures
        self._success_noted = 0.0

    def wake(self) -> None:
        """There is new work in the lane."""
        self._may_have_more = True
        self._woken.set()

    def stop(self) -> None:
        """Finish what is being sent, give back the rest."""
        self._is_stopping = True
        self._woken.set()

    async def run(self) -> None:
        """The whole life of this courier; the lane's lease is the caller's."""
        try:
            while not self._is_stopping:
                if not await self._turn():
                    break
        finally:
            self._is_stopping = True
            await self._wake_senders()
            if self._senders:
                await asyncio.gather(*self._senders, return_exceptions=True)
            await self._give_back(list(self._loads))

    async def _turn(self) -> bool:
        """Refill, start senders, and wait for a reason to look again; False when the lane has been idle long enough."""
        self._woken.clear()
        await self._give_back([load for load in self._loads if load.is_late])
        if self._may_have_more and len(self._loads) < PAGE // 2:
            await self._refill()
        self._start_senders()
        if self._loads and self._senders:
            await self._woken.wait()
            return True
        try:
            async with asyncio.timeout(LINGER):
                await self._woken.wait()
        except TimeoutError:
            return bool(self._senders or self._loads)
        return True

    async def _refill(self) -> None:
        await self._depot.ledger.has_room()
        try:
            if self._may_have_strays:
                await self._free_strays()
            claimed = await self._depot.lanes.claim(self.lane, PAGE)
            self._may_have_more = len(claimed) == PAGE
            await self._load(await self._sift(claimed))
        except DatabaseUnavailable as error:
            logger.warning("lane=%s could not claim: %s", self.lane.id, error)
            self._may_have_strays = True
            await asyncio.sleep(1)
            self.wake()

    async def _free_strays(self) -> None:
        """What we know of is left out; what was settled before is on record first, for a free row takes no outcome."""
        in_hand = list(self._in_hand)
        await self._depot.ledger.flush()
        await self._depot.lanes.free_strays(self.lane, besides=in_hand)
        self._may_have_strays = False

    async def _sift(self, claimed: Sequence[Claimed]) -> list[Claimed]:
        """What is to be sent from this lane; the rest is settled or handed on at once."""
        open_ones = [delivery for delivery in claimed if self._is_open(delivery)]
        moved = [delivery.id for delivery in open_ones if not delivery.is_here]
        if moved:
            await self._depot.lanes.reroute(self.lane, moved)
            self._depot.wake_routing()
        return [delivery for delivery in open_ones if delivery.is_here]

    def _is_open(self, claimed: Claimed) -> bool:
        if claimed.suppressed is not None:
            self._depot.ledger.record(verdict.suppressed(claimed, epoch=self.lane.epoch))
            return False
        if claimed.was_claimed:
            # Not a matter of the receiver, so it waits only until this is on record.
            self._depot.ledger.record(verdict.interrupted(claimed, epoch=self.lane.epoch, wait=1.0))
            return False
        return True

    async def _load(self, claimed: Sequence[Claimed]) -> None:
        small = {delivery.message_id for delivery in claimed if delivery.size <= SMALL}
        contents = await self._depot.lanes.contents(small) if small else {}
        now = time.monotonic()
        self._in_hand.update(each.id for each in claimed)
        self._loads.extend(_Load(each, contents.get(each.message_id), now + each.seconds_left) for each in claimed)
        await self._wake_senders()

    def _start_senders(self) -> None:
        if not self._depot.lanes.holds(self.lane):
            return
        wanted = min(self._limit - len(self._senders), len(self._loads) - self._idle_senders)
        for _ in range(wanted):
            sender = asyncio.create_task(self._send_all())
            self._senders.add(sender)
            sender.add_done_callback(self._sender_ended)

    def _sender_ended(self, sender: asyncio.Task[None]) -> None:
        self._senders.discard(sender)
        self._woken.set()
        if not sender.cancelled() and sender.exception() is not None:
            logger.error("lane=%s a sender failed", self.lane.id, exc_info=sender.exception())

    async def _wake_senders(self) -> None:
        async with self._loaded:
            self._loaded.notify_all()

    async def _next(self) -> _Load | None:
        """The next load; None after `KEEP_OPEN` without one, or when stopping."""
        if not self._loads and not self._is_stopping and not self._depot.connections.locked():
            self._idle_senders += 1
            try:
                async with asyncio.timeout(KEEP_OPEN), self._loaded:
                    await self._loaded.wait_for(lambda: self._loads or self._is_stopping)
            except TimeoutError:
                return None
            finally:
                self._idle_senders -= 1
        if self._is_stopping or not self._loads or not self._depot.lanes.holds(self.lane):
            return None
        if self._loads[0].is_late:
            self._woken.set()  # the next turn gives it back
            return None
        load = self._loads.popleft()
        if self._may_have_more and len(self._loads) < PAGE // 2:
            self._woken.set()
        return load

    async def _send_all(self) -> None:
        """One sender: connections one after the other, until there is nothing to send or the site has enough of us."""
        while not self._is_stopping and len(self._senders) <= self._limit:
            load = await self._next()
            if load is None:
                return
            async with self._depot.connections:
                await self._send_over_one_connection(load)

    async def _send_over_one_connection(self, load: _Load | None) -> None:
        assert load is not None
        started = time.monotonic()
        try:
            road = await open_road(self.lane, self._depot.router)
        except NoRoad as error:
            return await self._no_road(load, error, seconds=time.monotonic() - started)
        except BaseException:
            self._loads.appendleft(load)  # cancelled, or a fault of ours: not this delivery's
            raise
        connection, host = road
        try:
            sent = 0
            while load is not None:  # a connection that is lost by now is `_send`'s to see: the load must not be
                await self._send(connection, host, load, is_first=sent == 0)
                sent += 1
                has_more = connection.usable and sent < settings.EKIDEN_MESSAGES_PER_CONNECTION
                load = await self._next() if has_more else None
        finally:
            await connection.close()

    async def _send(self, connection: Connection, host: str, load: _Load, *, is_first: bool) -> None:
        started = time.monotonic()
        outcome = await self._outcome(connection, load)
        if _is_stale(outcome, connection) and not is_first and load.tries == 0:
            load.tries = 1
            self._loads.appendleft(load)  # the peer closed an idle connection: nothing was tried
            return
        self._settle(
            load.claimed, outcome, host=host, address=connection.endpoint.address, source=connection.local_address,
            tls=connection.tls, seconds=time.monotonic() - started,
        )  # fmt: skip
        await self._learn(outcome, is_first=is_first)
        await self._depot.ledger.has_room()

    async def _outcome(self, connection: Connection, load: _Load) -> Outcome:
        claimed = load.claimed
        try:
            async with self._depot.memory.share(claimed.size if load.data is None else 0):
                data = load.data or (await self._depot.lanes.contents([claimed.message_id])).get(claimed.message_id)
                if data is None:
                    return _unsendable("the content of the message is no longer stored")
                content = await self._decompress(data, claimed.size)
                return await connection.send(self._mail(claimed, content))
        except (UnsafeMail, ValueError) as error:
            logger.error("message=%s cannot be sent: %s", claimed.message_id, error)
            return _unsendable("the stored message is damaged")
        except DatabaseUnavailable:
            return Deferred(local_reply(451, "4.3.0", "The content could not be read"), Stage.MAIL, Scope.MESSAGE)

    async def _decompress(self, data: bytes, size: int) -> bytes:
        if size <= SMALL:
            return codec.decompress(data, most=size)
        return await asyncio.to_thread(codec.decompress, data, most=size)

    def _mail(self, claimed: Claimed, content: bytes) -> Mail:
        reverse_path = self._reverse_path(claimed.id) if claimed.mail_from else ""
        return Mail(reverse_path, claimed.recipient, content, claimed.smtputf8, claimed.eight_bit)

    def _reverse_path(self, delivery: UUID) -> str:
        local_part = return_path.make(delivery, key=self._depot.return_path_key, now=self._depot.now())
        return f"{local_part}@{settings.EKIDEN_HOSTNAME}"

    def _settle(self, claimed: Claimed, outcome: Outcome, **facts: object) -> None:
        entry = verdict.settle(claimed, outcome, epoch=self.lane.epoch, spread=random.random(), **facts)
        self._depot.ledger.record(entry)
        self._in_hand.discard(claimed.id)

    async def _learn(self, outcome: Outcome, *, is_first: bool) -> None:
        if is_first and isinstance(outcome, Delivered):  # one more session than before found room
            self._limit = min(self._limit + 1, settings.EKIDEN_CONNECTIONS_PER_LANE)
        match outcome:
            case Delivered() if self._failures or time.monotonic() - self._success_noted > SUCCESS_EVERY:
                self._failures = 0
                self._success_noted = time.monotonic()
                await self._note(self._depot.lanes.note_success(self.lane))
            case Deferred(reply, _, Scope.SESSION) if is_first:
                await self._trouble(reply)
            case _:
                pass

    async def _no_road(self, load: _Load, error: NoRoad, *, seconds: float) -> None:
        """No host of the site took the connection. One delivery tells so in its attempts; the others have not tried."""
        if isinstance(error.outcome, Deferred) and len(self._senders) > 1:
            self._loads.appendleft(load)  # for the others, who are fewer with each refusal
        else:
            self._settle(load.claimed, error.outcome, host=error.host, address=error.address, seconds=seconds)
        if isinstance(error.outcome, Deferred):
            await self._trouble(error.outcome.reply)

    async def _trouble(self, reply: Reply) -> None:
        """The site refuses sessions. With other senders it has enough of us, and one less must do; alone, it is closed."""
        if len(self._senders) > 1:
            self._limit = max(1, min(self._limit, len(self._senders)) - 1)
            return
        self._failures += 1
        seconds = retry.lane_pause(self._failures, spread=random.random())
        self._is_stopping = True
        self._depot.lane_paused(self.lane, seconds, str(reply))
        await self._note(self._depot.lanes.pause(self.lane, self._failures, seconds, str(reply)))
        self._woken.set()

    async def _note(self, writing: object) -> None:
        """What a lane learned is a help, not a promise: if it cannot be written now, it will be learned again."""
        try:
            await writing  # type: ignore[misc]  # a coroutine of Lanes
        except DatabaseUnavailable as error:
            logger.warning("lane=%s could not be updated: %s", self.lane.id, error)

    async def _give_back(self, loads: Collection[_Load]) -> None:
        """What was not tried is nobody's again: for the next holder, or for the sweeper of deadlines."""
        if loads:
            self._loads = deque(load for load in self._loads if load not in loads)
            self._in_hand.difference_update(load.claimed.id for load in loads)
            await self._note(self._depot.lanes.unclaim(self.lane, [load.claimed.id for load in loads]))


def _is_stale(outcome: Outcome, connection: Connection) -> bool:
    """The session had ended, or was ended by a 421, before the peer judged this mail."""
    ended = isinstance(outcome, Deferred) and outcome.stage is Stage.MAIL and outcome.scope is Scope.SESSION
    return ended and not connection.usable


def _unsendable(text: str) -> Bounced:
    return Bounced(local_reply(554, "5.6.0", text), Stage.MAIL, Scope.MESSAGE)
