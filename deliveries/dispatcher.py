"""The routing lane's courier: finds the lane of each delivery whose domain has not been resolved lately."""

from __future__ import annotations

import asyncio
import logging
import random
from functools import partial

from deliveries import verdict
from deliveries.db import DatabaseUnavailable
from deliveries.depot import Depot
from deliveries.destinations import Destinations
from deliveries.lanes import Claimed, LeasedLane
from deliveries.outcomes import Bounced, Deferred
from deliveries.routing import Site

logger = logging.getLogger(__name__)

LOOKUPS = 200  # domains resolved at one time
LINGER = 10.0


class Dispatcher:
    """Runs like a courier; a domain that is slow to resolve holds up nobody else's."""

    def __init__(self, lane: LeasedLane, depot: Depot, destinations: Destinations) -> None:
        self.lane = lane
        self._depot = depot
        self._destinations = destinations
        self._lookups: dict[str, asyncio.Task[None]] = {}
        self._woken = asyncio.Event()
        self._woken.set()
        self._is_stopping = False
        self._has_news = self._may_have_more = True
        self._may_have_strays = False  # whether PostgreSQL may know of claims that we do not

    def wake(self, *, is_urgent: bool) -> None:
        """There are deliveries to be routed."""
        self._has_news = True
        self._woken.set()

    def nudge(self) -> None:
        """Nothing that people say changes where a domain's mail hosts are."""

    def stop(self) -> None:
        """Start no more look-ups."""
        self._is_stopping = True
        self._woken.set()

    def hang_up(self) -> None:
        """It calls nobody."""

    def learned(self) -> None:
        """Its lane has no receiver."""

    async def run(self) -> None:
        """Until nothing has been there to route for a while; the lane's lease is the caller's."""
        try:
            while not self._is_stopping and await self._turn():
                pass
        finally:
            for lookup in self._lookups.values():
                lookup.cancel()
            await asyncio.gather(*self._lookups.values(), return_exceptions=True)

    async def _turn(self) -> bool:
        self._woken.clear()
        for domain in await self._domains(LOOKUPS - len(self._lookups)):
            lookup = asyncio.create_task(self._route(domain))
            self._lookups[domain] = lookup
            lookup.add_done_callback(partial(self._routed, domain))
        try:
            async with asyncio.timeout(LINGER):
                await self._woken.wait()
        except TimeoutError:
            return bool(self._lookups)
        return True

    async def _domains(self, room: int) -> list[str]:
        # One look finds many, and costs the same for a few.
        if room <= 0 or not (self._has_news or (self._may_have_more and room >= LOOKUPS // 4)):
            return []
        self._has_news = False
        try:
            if self._may_have_strays:  # what is claimed here is settled at once: none is in hand
                await self._depot.lanes.free_strays(self.lane, besides=())
                self._may_have_strays = False
            found = await self._destinations.unrouted(besides=list(self._lookups), most=room)
            self._may_have_more = len(found) == room
            return found
        except DatabaseUnavailable as error:
            logger.warning("the domains to be routed could not be read: %s", error)
            asyncio.get_running_loop().call_later(1, partial(self.wake, is_urgent=False))
            return []

    def _routed(self, domain: str, _: asyncio.Task[None]) -> None:
        self._lookups.pop(domain, None)
        self._woken.set()

    async def _route(self, domain: str) -> None:
        try:
            found = await self._depot.router.site(domain)
            if isinstance(found, Site):
                await self._destinations.assign(domain, found)
            else:
                await self._settle_all(domain, found)
        except DatabaseUnavailable as error:
            logger.warning("domain=%s could not be routed: %s", domain, error)
            self._may_have_strays = True
            await asyncio.sleep(1)

    async def _settle_all(self, domain: str, outcome: Bounced | Deferred) -> None:
        """The whole domain shares one fate: it does not exist, wants no mail, or cannot be looked up now."""
        while claimed := await self._depot.lanes.claim(self.lane, 500, domain=domain):
            for delivery in claimed:
                self._settle(delivery, outcome)
            await self._depot.ledger.has_room()
        await self._depot.ledger.flush()  # else the next turn would find the same domain again

    def _settle(self, claimed: Claimed, outcome: Bounced | Deferred) -> None:
        if claimed.suppressed is not None:
            entry = verdict.suppressed(claimed, epoch=self.lane.epoch)
        else:
            entry = verdict.settle(claimed, outcome, epoch=self.lane.epoch, spread=random.random())
        self._depot.ledger.record(entry)
