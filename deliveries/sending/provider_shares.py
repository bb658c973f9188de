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
    LaneGrant,
    LaneWish,
    ProviderAllowance,
    ProviderShare,
    UnusedMessages,
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
        # Of each limit, what the books have yet to take back.
        self._unused: dict[int, list[UnusedMessages]] = {}
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
            share, _ = gone
            self._keep(share.allowed, share.freeze(0), time.monotonic())
            self._left.add(share.allowed)
            self._woken.set()

    def _keep(self, allowed: ProviderAllowance, messages: int, since: float) -> None:
        """Keep what was granted and not used, to give it back with the next look."""
        if messages:
            self._unused.setdefault(allowed.id, []).append(UnusedMessages(messages, since))

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
            # A lane that leaves while we ask is for the next look.
            self._left = {each for each in self._left if each.id != allowed.id}
            is_done = False
            try:
                is_done = await self._ask(allowed)
            except DatabaseUnavailable as error:
                logger.warning("limit=%s could not be asked for: %s", allowed.name, error)
                self._give_up_stale(allowed)
            finally:
                if allowed.id in left and not is_done:
                    self._left.add(allowed)

    async def _ask(self, allowed: ProviderAllowance) -> bool:
        """Ask for all lanes of this limit; tell whether the books have taken it."""
        ours = {
            lane: each for lane, each in self._shares.items() if each[0].allowed.id == allowed.id
        }
        asked_at = time.monotonic()
        wishes = []
        for lane, (share, demand) in ours.items():
            wishes.append(wish := demand.wish(lane))
            self._keep(allowed, share.freeze(wish.in_use), asked_at)
        for _ in range(TRIES):
            found = await self._deal(allowed, wishes, asked_at)
            if found is not None:
                self._heard[allowed.id] = asked_at
                for lane, (share, demand) in ours.items():
                    grant = found.grants[lane]
                    if lane in self._shares and self._shares[lane][0] is share:
                        share.granted(grant, asked_at)
                        demand.notify()
                    else:  # the lane has left meanwhile
                        self._keep(allowed, grant.messages or 0, asked_at)
                return True
            asked_at = time.monotonic()
        return False

    async def _deal(
        self, allowed: ProviderAllowance, wishes: list[LaneWish], asked_at: float
    ) -> Deal | None:
        """Write what follows from the books as they are; None where another was quicker."""
        given: dict[str, Any] = {"id": allowed.id}
        books = await self._database.fetch(READ, given)
        # It may have left while we read. What a lane keeps from now on is for the next look.
        unused = self._unused.pop(allowed.id, [])
        if not books:  # nobody limits it any more
            return Deal({}, {wish.lane: LaneGrant(0, 0) for wish in wishes})
        [(state, version, now)] = books
        given_back = sum(each.worth(allowed, asked_at) for each in unused)
        found = deal(allowed, state, wishes, holder=self._holder, now=now, given_back=given_back)
        given |= {"state": json.dumps(found.state), "version": version}
        try:
            is_written = bool(await self._database.fetch(WRITE, given))
        except BaseException:
            self._keep_doubtful(allowed, unused, found)
            raise
        if is_written:
            return found
        self._unused[allowed.id] = [*unused, *self._unused.get(allowed.id, [])]
        return None

    def _keep_doubtful(
        self, allowed: ProviderAllowance, unused: list[UnusedMessages], found: Deal
    ) -> None:
        """Keep as many as are unused whether the books have taken the deal or not.

        Where they have, that is what it granted, else what it gave back.
        """
        granted = sum(grant.messages or 0 for grant in found.grants.values())
        given_back = sum(each.messages for each in unused)
        oldest = min((each.since for each in unused), default=0.0)
        self._keep(allowed, min(granted, given_back), oldest)

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
