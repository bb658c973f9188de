"""The part of a drain's lanes in the limits of providers: asked for together, in PostgreSQL, as
long as mail waits there.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from deliveries.backends.database import Database, DatabaseUnavailable
from deliveries.sending.claimed_deliveries import ClaimedDeliveries
from deliveries.shaping.pace import Pace
from deliveries.shaping.sharing import (
    ASK_EVERY,
    STALE,
    Deal,
    LaneWish,
    ProviderAllowance,
    ProviderShare,
    deal,
)

logger = logging.getLogger(__name__)

KEPT_EVERY = 2.0  # seconds between two looks while no mail waits
TRIES = 5  # where others write at the same moment
AT_ONCE = 10  # messages that a connection may send until the next look

READ = """
SELECT state, version, extract(epoch FROM clock_timestamp())::float8
FROM deliveries_providerlimit WHERE id = %(id)s
"""
# Nobody else has written since it was read.
WRITE = """
UPDATE deliveries_providerlimit SET state = %(state)s::jsonb, version = version + 1
WHERE id = %(id)s AND version = %(version)s RETURNING 1
"""


@dataclass(frozen=True, slots=True)
class LaneDemand:
    """What a lane has to send; `connections` tells how many are open and how many of them work."""

    waiting: ClaimedDeliveries
    pace: Pace
    connections: Callable[[], tuple[int, int]]
    notify: Callable[[], None]

    def wish(self, lane: int) -> LaneWish:
        """Say what it needs now."""
        waiting, (in_use, busy) = len(self.waiting), self.connections()
        return LaneWish(
            lane, in_use,
            wanted=min(self.pace.window.size, waiting + busy),
            messages=min(waiting, AT_ONCE * max(1, in_use)),
            is_urgent=bool(self.waiting.urgent),
        )  # fmt: skip


class ProviderShares:
    """Of one drain. Without limits it does nothing."""

    def __init__(self, database: Database, holder: UUID) -> None:
        self._database, self._holder = database, str(holder)
        self._shares: dict[int, tuple[ProviderShare, LaneDemand]] = {}
        self._left: set[ProviderAllowance] = set()  # limits in whose books lanes of ours stand
        self._heard: dict[int, float] = {}  # when each limit's books were last written
        self._woken = asyncio.Event()

    def of(
        self, lane: int, allowed: ProviderAllowance | None, demand: LaneDemand
    ) -> ProviderShare | None:
        """Return the lane's share of this limit; None where there is no limit."""
        known = self._shares.get(lane)
        if allowed is None:
            self.leave(lane)
            return None
        if known is not None and known[0].allowed.id == allowed.id:
            known[0].allowed = allowed
            return known[0]
        self.leave(lane)
        made = ProviderShare(allowed)
        self._shares[lane] = made, demand
        self._woken.set()
        return made

    def leave(self, lane: int) -> None:
        """Have no part any more: the lane's connections are closed, or no limit holds."""
        gone = self._shares.pop(lane, None)
        if gone is not None:
            gone[0].close()
            self._left.add(gone[0].allowed)
            self._woken.set()

    async def run(self) -> None:
        """Ask for what the lanes need, for ever."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._patience()):
                    await self._woken.wait()
            self._woken.clear()
            await self.look()
            if self._shares:
                await asyncio.sleep(ASK_EVERY / 4)  # many lanes that come at once ask together

    def _patience(self) -> float | None:
        if not self._shares and not self._left:
            return None
        waits = any(len(demand.waiting) for _, demand in self._shares.values())
        return ASK_EVERY if waits else KEPT_EVERY

    async def look(self) -> None:
        """Ask once for each limit."""
        limits = {share.allowed.id: share.allowed for share, _ in self._shares.values()}
        left = {each.id: each for each in self._left}
        for allowed in (left | limits).values():
            try:
                await self._ask(allowed)
                self._left = {each for each in self._left if each.id != allowed.id}
            except DatabaseUnavailable as error:
                logger.warning("limit=%s could not be asked for: %s", allowed.name, error)
                self._give_up_stale(allowed)

    async def _ask(self, allowed: ProviderAllowance) -> None:
        ours = {
            lane: each for lane, each in self._shares.items() if each[0].allowed.id == allowed.id
        }
        wishes = []
        for lane, (share, demand) in ours.items():
            wish = demand.wish(lane)
            wishes.append(_with_unused(wish, share.freeze(wish.in_use)))
        for _ in range(TRIES):
            asked_at = time.monotonic()
            found = await self._deal(allowed, wishes)
            if found is not None:
                self._heard[allowed.id] = asked_at
                for lane, (share, demand) in ours.items():
                    if lane in self._shares and self._shares[lane][0] is share:
                        share.granted(found.grants[lane], asked_at)
                        demand.notify()
                return

    async def _deal(self, allowed: ProviderAllowance, wishes: list[LaneWish]) -> Deal | None:
        """Write what follows from the books as they are; None where another was quicker."""
        given: dict[str, Any] = {"id": allowed.id}
        for state, version, now in await self._database.fetch(READ, given):
            found = deal(allowed, state, wishes, holder=self._holder, now=now)
            given |= {"state": json.dumps(found.state), "version": version}
            return found if await self._database.fetch(WRITE, given) else None
        return None

    def _give_up_stale(self, allowed: ProviderAllowance) -> None:
        if time.monotonic() - self._heard.get(allowed.id, 0.0) < STALE:
            return
        for share, _ in self._shares.values():
            if share.allowed.id == allowed.id:
                share.close()

    async def close(self) -> None:
        """Take what is ours out of the books."""
        for lane in list(self._shares):
            self.leave(lane)
        if self._left:
            await self.look()
        await self._database.close()


def _with_unused(wish: LaneWish, unused: int) -> LaneWish:
    return LaneWish(wish.lane, wish.in_use, wish.wanted, wish.messages, unused, wish.is_urgent)
