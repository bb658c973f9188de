"""A worker's turn at delivering: leases lanes that have work and runs an agent for each on one
event loop.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Set
from contextlib import suppress

from deliveries.backends.database import DatabaseUnavailable
from deliveries.models import Lane
from deliveries.queue import future_times
from deliveries.queue.lanes import LEASE_SECONDS
from deliveries.queue.leased import LeasedLane
from deliveries.queue.ledger import LAST_TRY
from deliveries.queue.wakeups import WakeUp
from deliveries.sending.agent import DeliveryAgent
from deliveries.sending.dispatcher import Dispatcher
from deliveries.sending.drain_resources import make_resources
from deliveries.sending.helpers import Helpers
from deliveries.sending.lane_runner import LaneRunner, give_back, refuse, rest
from deliveries.sending.source_chooser import SourceChooser
from domains.foundation.process import systemd
from domains.foundation.process.pulse import Pulse

logger = logging.getLogger(__name__)

POLL = 1.0  # seconds: how late work is found whose wake-up was lost
# seconds after which a drain hands its lanes back, so that lanes spread over new workers (below
# RQ's worker TTL of 420)
RUN = 300.0
# seconds from the order to end until what is still under way is broken off (supervisors kill after
# 60, systemd after 90)
END = 40.0
HAND_BACK = 5.0  # seconds: who is held up for longer is left to finish while the drain goes on
LANES = 4000  # leased at one time


class SourceGone(Exception):
    """The lane's source is not this node's any more; whoever has it takes the lane up."""


class Drain:
    """Leases, renews and gives back; the agents do the rest."""

    def __init__(self) -> None:
        self._resources = make_resources(self._heard_of, lambda: self._is_crowded)
        self._shared = self._resources.shared
        self._lanes, self._orders = self._shared.lanes, self._shared.orders
        self._agents: dict[int, LaneRunner] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._heard = WakeUp()
        self._is_crowded = False
        self._changed = asyncio.Event()
        # the first look waits for nothing: mail that came during a hand-over is there already
        self._changed.set()
        self._is_stopping = False
        self._ends_at = 0.0  # on the loop's clock, once it is to end
        self._owes = False  # whether a lane could not be given back
        self._looked = self._renewed = 0.0
        self._was_set_back: bool | None = None  # the clock; unknown until it was looked for

    async def run(self, seconds: float = RUN) -> None:
        """Deliver for so long, or until stopped; every lane is given back at the end."""
        shared = self._shared
        beside = (
            self._listen(), self._tell_of_dns(), Pulse().run(self._clock_was_set),
            shared.ledger.run(), shared.progress.run(), shared.carrying.run(),
            shared.shares.run(),
        )  # fmt: skip
        helpers = Helpers(beside, failed=self.stop)
        try:
            while not self._is_stopping:
                await self._deliver(seconds)
                if await self._has_handed_back():
                    break
        finally:
            await self._finish()
            await helpers.end()
            await self._resources.close(owes=self._owes)

    async def _deliver(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._is_stopping and time.monotonic() < until:
            await self.turn()

    async def _has_handed_back(self) -> bool:
        """Stop all agents; tell whether they have ended within `HAND_BACK` seconds.

        A receiver that takes its time can hold up a lane. Nobody else's mail shall wait for that.
        """
        for agent in self._agents.values():
            agent.stop()
        _, held_up = await asyncio.wait(self._tasks, timeout=HAND_BACK) if self._tasks else ((), ())
        return not held_up

    def stop(self) -> None:
        """Let what is being sent be sent, and end; within `END`, whatever is away."""
        if not self._is_stopping:
            self._is_stopping = True
            self._ends_at = asyncio.get_running_loop().time() + END
            self._shared.ledger.end_by(self._ends_at)
        self._changed.set()

    async def turn(self) -> None:
        """Start agents for the lanes that called, look for others now and then, renew leases."""
        systemd.alive()
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL / 2):
                await self._changed.wait()
        self._changed.clear()
        if self._is_stopping:
            return
        try:
            if self._was_set_back is not False:
                await self._mend_times()
            if time.monotonic() - self._renewed >= LEASE_SECONDS / 3:
                await self._renew()
                self._renewed = time.monotonic()
            if time.monotonic() - self._looked >= POLL:
                # The first time before any lane is leased: what is stopped must not start.
                await self._look()
                self._looked = time.monotonic()
            if self._heard.has_orders:
                await self._heed_orders()
            heard, self._heard = self._heard, WakeUp()
            await self._start(self._wake(heard).lanes)
        except DatabaseUnavailable as error:
            logger.warning("PostgreSQL is out of reach: %s", error)
            await asyncio.sleep(1)

    def _hear(self, ring: WakeUp) -> None:
        """Wake the agents that are there at once; the next turn sees to the rest."""
        if ring.urgent:
            self._shared.carrying.hasten()
        if rest := self._wake(ring):
            self._heard |= rest
            self._changed.set()

    def _wake(self, ring: WakeUp) -> WakeUp:
        """Wake the agents of these lanes; return what is left of the wake-up."""
        for lane in ring.lanes & self._agents.keys():
            self._agents[lane].wake(is_urgent=lane in ring.urgent)
            if lane in ring.urgent:
                self._agents[lane].hurry()
        without = ring.lanes - self._agents.keys()
        return WakeUp(without, ring.urgent & without, ring.has_orders)

    async def _look(self) -> None:
        await self._heed_orders()
        await self._resources.succession.look()
        free, ours = await self._lanes.due(self._orders.egress.bindable)
        for lane in ours & self._agents.keys():
            self._agents[lane].wake(is_urgent=True)
        # A lease of ours that is over is `_renew`'s to see.
        await self._start(free - self._agents.keys())

    async def _heed_orders(self) -> None:
        """Heed what people have said since: lanes closed, all delivery stopped.

        The agents see to the rest by themselves.
        """
        before = (self._orders.version, self._orders.stops)
        closed = await self._orders.read()
        stopped = self._agents.keys() if self._orders.stops.is_all else closed & self._agents.keys()
        for lane in stopped:
            self._agents[lane].stop()
        if before != (self._orders.version, self._orders.stops):
            for agent in self._agents.values():
                agent.nudge() if self._is_still(agent) else agent.stop()

    async def _start(self, lanes: Set[int]) -> None:
        room = LANES - len(self._agents)
        if not lanes or self._orders.stops.is_all:
            return
        if len(lanes) > room:
            self._make_room()
        if room <= 0:
            return
        for lane in await self._lanes.lease(lanes, room, self._orders.egress.bindable):
            try:
                agent = self._agent(lane)
            except Exception as error:  # what its row holds must not end the others
                await refuse(lane, self._shared, error)
                continue
            self._agents[lane.id] = agent
            task = asyncio.create_task(self._carry(agent))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _make_room(self) -> None:
        """Ask idle agents to leave: more lanes have work than one drain holds."""
        self._is_crowded = True
        asyncio.get_running_loop().call_later(POLL, setattr, self, "_is_crowded", False)
        for agent in self._agents.values():
            agent.nudge()

    def _agent(self, lane: LeasedLane) -> LaneRunner:
        if lane.id == Lane.ROUTING:
            return Dispatcher(
                lane, self._shared, self._resources.destinations, self._resources.failures
            )
        if self._orders.chooses(lane):
            return SourceChooser(lane, self._shared, self._resources.source_lanes, self._wake_lanes)
        identity = self._orders.identity(lane)
        if identity is None:  # it was leased while the source was being taken away
            raise SourceGone(lane.source)
        return DeliveryAgent(lane, self._shared, identity)

    def _wake_lanes(self, lanes: Iterable[int], urgent: Iterable[int]) -> None:
        """Tell the drains of all nodes: another may have the source."""
        self._resources.wakeups.notify(lanes, urgent=urgent)

    def _is_still(self, agent: LaneRunner) -> bool:
        """Tell whether the lane would get the same agent now."""
        if self._orders.chooses(agent.lane) or isinstance(agent, SourceChooser):
            return self._orders.chooses(agent.lane) and isinstance(agent, SourceChooser)
        return (
            not isinstance(agent, DeliveryAgent)
            or self._orders.identity(agent.lane) == agent.identity
        )

    async def _carry(self, agent: LaneRunner) -> None:
        try:
            await agent.run()
        except Exception as error:  # one lane's fault must not end the others
            await rest(agent.lane, self._shared, error)
        finally:
            self._agents.pop(agent.lane.id, None)
        if not await give_back(agent, self._shared, is_overdue=self._is_overdue):
            self._owes = True

    def _is_overdue(self) -> bool:
        """Tell whether an end that needs nothing but PostgreSQL has waited long enough for it."""
        ended_for = asyncio.get_running_loop().time() - (self._ends_at - END)
        return self._is_stopping and ended_for >= HAND_BACK

    async def _renew(self) -> None:
        held = set(self._agents)
        if not held:
            return
        for lane in held - await self._lanes.renew(held):
            if agent := self._agents.get(lane):
                logger.warning("lane=%s the lease was lost", lane)
                agent.stop()

    async def _listen(self) -> None:
        async for ring in self._resources.wakeups.heard():
            self._hear(ring)

    async def _tell_of_dns(self) -> None:
        while True:
            await asyncio.sleep(POLL)
            if complaint := self._resources.resolver.complaint:
                await self._resources.board.say_dns_outage(complaint)

    def _clock_was_set(self, seconds: float) -> None:
        self._was_set_back = self._was_set_back or seconds < 0

    async def _mend_times(self) -> None:
        if self._was_set_back or await future_times.are_there(self._resources.databases[0]):
            await future_times.mend(self._resources.databases[0])
        self._was_set_back = False

    def _heard_of(self, lane: int) -> None:
        self._hear(WakeUp(frozenset([lane]), frozenset([lane])))

    async def _finish(self) -> None:
        self.stop()
        for agent in self._agents.values():
            agent.stop()
            agent.hang_up()
        renewals = asyncio.create_task(self._keep_renewing())
        if self._tasks:
            await asyncio.wait(
                self._tasks,
                timeout=max(0.0, self._ends_at - asyncio.get_running_loop().time()) + LAST_TRY + 1,
            )
        if late := set(self._tasks):
            self._owes = True
            logger.warning(
                "%d lanes are left as they are, since this worker's time is over", len(late)
            )
            for task in late:
                task.cancel()
            await asyncio.wait(late, timeout=HAND_BACK)
        await self._shared.ledger.flush()
        renewals.cancel()

    async def _keep_renewing(self) -> None:
        while True:
            systemd.alive()
            await asyncio.sleep(LEASE_SECONDS / 3)
            with suppress(DatabaseUnavailable):
                await self._renew()
