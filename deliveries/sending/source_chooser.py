"""The agent of a site's own lane where we have several sources: it sends nothing, but leads each
delivery to the lane of the source that is to carry it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from uuid import UUID

from deliveries.backends.database import DatabaseUnavailable
from deliveries.queue.leased import LeasedLane
from deliveries.queue.source_lanes import Due, SourceLanes
from deliveries.routing.egress import URGENT, Egress, Outgoing, SourceFacts
from deliveries.sending.known_smarthosts import KnownSmarthost
from deliveries.sending.shared import SharedResources

logger = logging.getLogger(__name__)

LINGER = 10.0
AT_ONCE = 2000  # deliveries that one look takes
AGAIN = 30.0  # seconds after which mail that no source may carry is looked at again
LANES_KEEP = 10.0  # seconds for which the ids of the sources' lanes are remembered

Notify = Callable[[Iterable[int], Iterable[int]], None]
WayOut = Callable[[LeasedLane, Outgoing, str], KnownSmarthost | None]


class SourceChooser:
    """Runs like an agent. `notify` wakes lanes, and of these the ones with urgent mail."""

    def __init__(
        self, lane: LeasedLane, shared: SharedResources, lanes: SourceLanes, notify: Notify
    ) -> None:
        self.lane = lane
        self._shared = shared
        self._source_lanes = lanes
        self._notify = notify
        # Numbers of the day that were taken for deliveries which have not been led there yet:
        # source, receiver and day.
        self._reserved: dict[UUID, tuple[str, str, date]] = {}
        self._ids: dict[str, int] = {}
        self._ids_until = 0.0
        self._woken = asyncio.Event()
        self._woken.set()
        self._is_stopping = False
        self._has_more = False
        self.may_have_strays = False  # it claims nothing

    def wake(self, *, is_urgent: bool) -> None:
        """Note that there is new work in the lane."""
        self._woken.set()

    def hurry(self) -> None:
        """Do nothing: the most urgent is always led first."""

    def nudge(self) -> None:
        """Look again: what sources may carry has changed."""
        self._ids_until = 0.0
        self._woken.set()

    def stop(self) -> None:
        """Lead no more."""
        self._is_stopping = True
        self._woken.set()

    def hang_up(self) -> None:
        """Do nothing: it calls nobody."""

    def learned(self) -> None:
        """Return nothing: a home lane speaks to no receiver."""

    async def run(self) -> None:
        """Lead deliveries until there has been nothing to lead for a while; the caller holds the
        lease.
        """
        while not self._is_stopping:
            self._woken.clear()
            if self._shared.lanes.holds(self.lane):
                await self._lead_due()
                if self._has_more:
                    continue
            try:
                async with asyncio.timeout(LINGER):
                    await self._woken.wait()
            except TimeoutError:
                return

    async def _lead_due(self) -> None:
        try:
            due = await self._source_lanes.due(self.lane, AT_ONCE)
            self._has_more = len(due) == AT_ONCE
            if due:
                await self._lead(due)
        except DatabaseUnavailable as error:
            logger.warning("lane=%s no mail could be led to sources: %s", self.lane.id, error)
            self._has_more = False
            await asyncio.sleep(1)
            self._woken.set()

    async def _lead(self, due: Sequence[Due]) -> None:
        egress = self._shared.orders.egress.now
        orders = self._shared.orders
        if egress.leads_out and not (due := await self._lead_out(due, orders.way_out)):
            return
        chosen = await self._choose(egress, due)
        above = [each for each in due if each.id not in chosen]
        if above and (waiting := await self._lead_out(above, orders.overflow)):
            await self._source_lanes.wait(self.lane, [each.id for each in waiting], AGAIN)
        if not chosen:
            return
        ids = await self._lane_ids({source.name for source in chosen.values()})
        lanes = {id_: ids[source.name] for id_, source in chosen.items()}
        await self._source_lanes.lead(self.lane, lanes)
        self._reserved.clear()  # what comes back from there has given its number back
        self._wake(due, lanes)

    def _wake(self, due: Sequence[Due], lanes: Mapping[UUID, int]) -> None:
        urgent = {lanes[each.id] for each in due if each.priority >= URGENT and each.id in lanes}
        self._notify(set(lanes.values()), urgent)

    async def _lead_out(self, due: Sequence[Due], way_out: WayOut) -> list[Due]:
        """Lead to smarthosts what is to go there; return the others."""
        ways = {each.id: way_out(self.lane, outgoing(each), each.domain) for each in due}
        lanes: dict[int, int] = {}
        for way in ways.values():
            if way is not None and way.id not in lanes:
                lanes[way.id] = await self._source_lanes.of_smarthost(way.target)
        led = {id_: lanes[way.id] for id_, way in ways.items() if way is not None}
        if led:
            await self._source_lanes.lead(self.lane, led)
            self._wake(due, led)
        return [each for each in due if each.id not in led]

    async def _choose(self, egress: Egress, due: Sequence[Due]) -> dict[UUID, SourceFacts]:
        """Return the source of each delivery that has one.

        What a source that warms up may not carry any more today goes to the next best. A number
        that was taken before PostgreSQL failed is not taken again.
        """
        chosen: dict[UUID, SourceFacts] = {}
        today = datetime.now(UTC).date()
        # What is not due here any more has been led, or has gone elsewhere.
        self._reserved = {
            each.id: self._reserved[each.id] for each in due if each.id in self._reserved
        }
        ways = {each.id: list(self._ways(egress, each)) for each in due}
        receivers = {each.id: self._receiver(each) for each in due}
        left = [each.id for each in due]
        while left:
            asked: dict[tuple[str, str], list[UUID]] = defaultdict(list)
            for id_ in left:
                if not ways[id_]:
                    continue
                source = ways[id_].pop(0)
                is_reserved = self._reserved.get(id_) == (source.name, receivers[id_], today)
                if source.warms_for(receivers[id_]) and not is_reserved:
                    asked[source.name, receivers[id_]].append(id_)
                chosen[id_] = source
            left = []
            for (name, receiver), ids in asked.items():
                granted = await self._source_lanes.reserve(name, receiver, len(ids))
                self._reserved |= dict.fromkeys(ids[:granted], (name, receiver, today))
                for id_ in ids[granted:]:
                    del chosen[id_]
                    left.append(id_)
        return chosen

    def _ways(self, egress: Egress, each: Due) -> Iterable[SourceFacts]:
        return egress.candidates(outgoing(each), self._receiver(each), self.lane.id)

    def _receiver(self, each: Due) -> str:
        return self._shared.orders.receiver(self.lane, each.domain)

    async def _lane_ids(self, names: set[str]) -> dict[str, int]:
        now = time.monotonic()
        if now >= self._ids_until or not names <= self._ids.keys():
            self._ids = await self._source_lanes.lanes(self.lane, sorted(names | self._ids.keys()))
            self._ids_until = now + LANES_KEEP
        return self._ids


def outgoing(each: Due) -> Outgoing:
    sending_domain = each.header_from.rpartition("@")[2].lower()
    return Outgoing(each.id, each.project, each.credential, each.priority, sending_domain)
