"""A worker's turn at delivering: leases lanes that have work and runs an agent for each on one
event loop.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
import time
import uuid
from collections.abc import Set
from contextlib import suppress
from functools import lru_cache, partial
from typing import Protocol

import uvloop
from django.conf import settings

from deliveries.backends.database import Database, DatabaseUnavailable
from deliveries.backends.job_requests import JobRequests
from deliveries.bounces.keys import feedback_key, return_path_key
from deliveries.capacity.concurrency import Concurrency
from deliveries.capacity.inflow import Board, DeliveryProgress
from deliveries.capacity.lookups import AT_ONCE, LookupFailures
from deliveries.capacity.memory_budget import ByteBudget
from deliveries.capacity.sockets import SHARE_OF_SILENT, Sockets
from deliveries.message.signing import SigningKeys
from deliveries.models import Lane
from deliveries.queue import drain_files, future_times, unwritten_outcomes
from deliveries.queue.drain_files import HolderFile
from deliveries.queue.lanes import LEASE_SECONDS, Lanes
from deliveries.queue.leased import Learned, LeasedLane
from deliveries.queue.ledger import LAST_TRY, ROOM, Ledger
from deliveries.queue.own_faults import Faults
from deliveries.queue.takeover import Succession
from deliveries.queue.wakeups import WakeUp, WakeUps
from deliveries.routing.destinations import Destinations
from deliveries.routing.resolver import Router
from deliveries.sending.agent import DeliveryAgent
from deliveries.sending.controls import Controls
from deliveries.sending.dispatcher import Dispatcher
from deliveries.sending.shared import SharedResources
from domains.foundation.dns.resolver import Kept, Resolver
from domains.foundation.dns.servers import nameservers
from domains.foundation.process import systemd
from domains.foundation.process.pulse import Pulse
from domains.operations.isolation import Kind

logger = logging.getLogger(__name__)

POLL = 1.0  # seconds: how late work is found whose wake-up was lost
# seconds after which a drain hands its lanes back, so that lanes spread over new workers (below
# RQ's worker TTL of 420)
RUN = 300.0
# seconds from the order to end until what is still under way is broken off (supervisors kill after
# 60, systemd after 90)
END = 40.0
HAND_BACK = 5.0  # seconds: who is held up for longer is left to finish while the drain goes on
FAULT_WAIT = 5.0  # seconds for which a lane rests that met a fault of ours
LANES = 4000  # leased at one time
CONTENT_AT_ONCE = 67_108_864  # bytes of large messages in memory at one time


class _Runs(Protocol):
    """An agent or the dispatcher."""

    lane: LeasedLane
    may_have_strays: (
        bool  # whether PostgreSQL may know of claims of the lane that nobody has in hand
    )

    def wake(self, *, is_urgent: bool) -> None: ...
    def hurry(self) -> None: ...
    def nudge(self) -> None: ...
    def stop(self) -> None: ...
    def hang_up(self) -> None: ...
    def learned(self) -> Learned | None: ...
    async def run(self) -> None: ...


class Drain:
    """Leases, renews and gives back; the agents do the rest."""

    def __init__(self) -> None:
        self._databases = [
            Database(f"ekiden drain {name}") for name in ("lanes", "contents", "ledger", "routing")
        ]
        lanes, contents, ledger, routing = self._databases
        notes = Database("ekiden drain notes", is_durable=False)
        self._databases.append(notes)
        self._lanes = Lanes(lanes, uuid.uuid4(), notes, contents)
        marks = 2 * (settings.EKIDEN_CONNECTIONS_PER_WORKER + ROOM)
        self._own_file = HolderFile(drain_files.folder(), self._lanes.holder, marks=marks)
        self._orders = Controls(lanes, self._lanes.holder)
        self._wakeups = WakeUps()
        self._job_requests = JobRequests("deliveries.jobs.learn")
        self._succession = Succession(self._job_requests.notify)
        answers, failures = _known_of_dns(tuple(settings.EKIDEN_DNS))
        self._failures = failures
        self._resolver = Resolver(nameservers(settings.EKIDEN_DNS), kept=answers)
        self._destinations = Destinations(routing, self._heard_of, source=settings.EKIDEN_SOURCE)
        written = Ledger(
            ledger,
            learned=self._job_requests.notify,
            committed=self._own_file.unmark,
            faults=Faults(ledger),
            save=partial(unwritten_outcomes.save, unwritten_outcomes.folder()),
        )
        self._board = Board(f"worker-{self._lanes.holder}")
        progress = DeliveryProgress(self._board, has_room=lambda: not written.is_full)
        self._shared = SharedResources(
            lanes=self._lanes,
            own_file=self._own_file,
            ledger=written,
            progress=progress,
            carrying=Concurrency(),
            router=Router(routing, self._resolver),
            orders=self._orders,
            sockets=Sockets(settings.EKIDEN_CONNECTIONS_PER_WORKER),
            memory=ByteBudget(CONTENT_AT_ONCE),
            faults=Faults(routing),
            keys=SigningKeys(routing),
            return_path_key=return_path_key(),
            feedback_key=feedback_key(),
            wake_routing=lambda: self._heard_of(Lane.ROUTING),
            is_crowded=lambda: self._is_crowded,
        )
        self._agents: dict[int, _Runs] = {}
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
        helpers = [
            asyncio.create_task(self._listen()),
            asyncio.create_task(self._shared.ledger.run()),
        ]
        helpers += [
            asyncio.create_task(Pulse().run(self._clock_was_set)),
            asyncio.create_task(self._tell_of_dns()),
        ]
        helpers += [
            asyncio.create_task(self._shared.progress.run()),
            asyncio.create_task(self._shared.carrying.run()),
        ]
        try:
            while not self._is_stopping:
                await self._deliver(seconds)
                if await self._has_handed_back():
                    break
        finally:
            await self._finish()
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            await self._close()

    async def _deliver(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._is_stopping and time.monotonic() < until:
            await self.turn()

    async def _has_handed_back(self) -> bool:
        """False where a receiver that takes its time holds up a lane: nobody else's mail shall
        wait for that.
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
                await (
                    self._look()
                )  # the first time before any lane is leased: what is stopped must not start
                self._looked = time.monotonic()
            if self._heard.has_orders:
                await self._heed_orders()
            await self._answer_wakeups()
        except DatabaseUnavailable as error:
            logger.warning("PostgreSQL is out of reach: %s", error)
            await asyncio.sleep(1)

    async def _answer_wakeups(self) -> None:
        heard, self._heard = self._heard, WakeUp()
        for lane in heard.lanes & self._agents.keys():
            self._agents[lane].wake(is_urgent=lane in heard.urgent)
            if lane in heard.urgent:
                self._agents[lane].hurry()
        await self._start(heard.lanes - self._agents.keys())

    async def _look(self) -> None:
        await self._heed_orders()
        await self._succession.look()
        free, ours = await self._lanes.due()
        for lane in ours & self._agents.keys():
            self._agents[lane].wake(is_urgent=True)
        await self._start(
            free - self._agents.keys()
        )  # a lease of ours that is over is `_renew`'s to see

    async def _heed_orders(self) -> None:
        """What people have said since: lanes closed, all delivery stopped; the agents see to the
        rest by themselves.
        """
        before = (self._orders.version, self._orders.stops)
        closed = await self._orders.read()
        stopped = self._agents.keys() if self._orders.stops.is_all else closed & self._agents.keys()
        for lane in stopped:
            self._agents[lane].stop()
        if before != (self._orders.version, self._orders.stops):
            for agent in self._agents.values():
                agent.nudge()

    async def _start(self, lanes: Set[int]) -> None:
        room = LANES - len(self._agents)
        if not lanes or self._orders.stops.is_all:
            return
        if len(lanes) > room:
            self._make_room()
        if room <= 0:
            return
        for lane in await self._lanes.lease(lanes, room):
            try:
                agent = self._agent(lane)
            except Exception as error:  # what its row holds must not end the others
                await self._rest(lane, error)
                continue
            self._agents[lane.id] = agent
            task = asyncio.create_task(self._carry(agent))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _make_room(self) -> None:
        """More lanes have work than one drain holds: those that only linger go."""
        self._is_crowded = True
        asyncio.get_running_loop().call_later(POLL, setattr, self, "_is_crowded", False)
        for agent in self._agents.values():
            agent.nudge()

    def _agent(self, lane: LeasedLane) -> _Runs:
        if lane.id == Lane.ROUTING:
            return Dispatcher(lane, self._shared, self._destinations, self._failures)
        return DeliveryAgent(lane, self._shared)

    async def _carry(self, agent: _Runs) -> None:
        try:
            await agent.run()
        except Exception as error:  # one lane's fault must not end the others
            await self._rest(agent.lane, error)
        finally:
            self._agents.pop(agent.lane.id, None)
        await self._give_back(agent)

    async def _rest(self, lane: LeasedLane, error: Exception) -> None:
        """After a fault of ours: else the lane would be taken and lost again many times a
        second.
        """
        await self._shared.faults.note(Kind.LANE, lane.id, error, lasting=False)
        with suppress(DatabaseUnavailable):
            await self._lanes.pause(
                lane, lane.failures, FAULT_WAIT, "A fault of the service; see its log"
            )

    async def _give_back(self, agent: _Runs) -> None:
        """Only when all its outcomes are written, and its claims free: the next holder would take
        the rest for interrupted.

        Tried until PostgreSQL is back, or this drain has been told to end for `HAND_BACK`: what is
        left, the next drain of this machine sees to.
        """
        while True:
            await self._shared.ledger.flush()
            if (
                self._shared.ledger.has_left_behind
            ):  # who comes next writes it down before he takes the lanes
                self._owes = True
                return None
            try:
                if agent.may_have_strays:
                    await self._lanes.free_strays(agent.lane, besides=self._own_file.marked)
                return await self._lanes.release(agent.lane, agent.learned())
            except DatabaseUnavailable as error:
                if self._is_overdue():
                    logger.warning("lane=%s is not given back: %s", agent.lane.id, error)
                    self._owes = True
                    return None
                logger.warning("lane=%s could not be given back yet: %s", agent.lane.id, error)
                await asyncio.sleep(1)

    def _is_overdue(self) -> bool:
        """Whether an end that needs nothing but PostgreSQL has waited long enough for it."""
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
        async for ring in self._wakeups.heard():
            self._heard |= ring
            self._changed.set()

    async def _tell_of_dns(self) -> None:
        while True:
            await asyncio.sleep(POLL)
            if complaint := self._resolver.complaint:
                await self._board.say_dns_outage(complaint)

    def _clock_was_set(self, seconds: float) -> None:
        self._was_set_back = self._was_set_back or seconds < 0

    async def _mend_times(self) -> None:
        if self._was_set_back or await future_times.are_there(self._databases[0]):
            await future_times.mend(self._databases[0])
        self._was_set_back = False

    def _heard_of(self, lane: int) -> None:
        self._heard |= WakeUp(frozenset([lane]), frozenset([lane]))
        self._changed.set()

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

    async def _close(self) -> None:
        await self._job_requests.close()
        await self._board.close()
        await self._wakeups.close()
        await self._succession.close()
        for database in self._databases:
            await database.close()
        self._own_file.close(owes=self._owes)


@lru_cache(maxsize=1)
def _known_of_dns(servers: tuple[str, ...]) -> tuple[Kept, LookupFailures]:
    """What one drain learned of DNS, the next one of this process goes on with: it is all there is
    while no server answers.
    """
    return Kept(), LookupFailures()


def _allow_sockets() -> None:
    """As many files as our own limit of connections asks for, as far as the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.EKIDEN_CONNECTIONS_PER_WORKER * (1 + SHARE_OF_SILENT) + AT_ONCE + 200
    if soft < wanted:
        with suppress(
            ValueError, OSError
        ):  # a confined service may be refused it, and then has what its unit says
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


def run_drain(seconds: float = RUN) -> bool:
    """Run a drain on a loop of its own; true if a signal ended it (the caller's handlers are in
    place again).
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    stopped = False

    async def main() -> None:
        nonlocal stopped
        drain = Drain()

        def stop() -> None:
            nonlocal stopped
            stopped = True
            systemd.stopping("Finishing the messages in hand")
            drain.stop()

        for number in before:
            asyncio.get_running_loop().add_signal_handler(number, stop)
        await drain.run(seconds)

    _allow_sockets()
    try:
        uvloop.run(main())
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return stopped
