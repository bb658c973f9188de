"""What runs a lane while it is leased, and how its lease ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from deliveries.backends.database import DatabaseUnavailable
from deliveries.queue.leased import Learned, LeasedLane
from deliveries.sending.shared import SharedResources
from domains.models import ItemKind

logger = logging.getLogger(__name__)

FAULT_WAIT = 5.0  # seconds for which a lane rests that met a fault of ours


class LaneRunner(Protocol):
    """An agent or the dispatcher."""

    lane: LeasedLane

    @property
    def may_have_strays(self) -> bool:
        """Tell whether PostgreSQL may know of claims of the lane that nobody has in hand."""

    def wake(self, *, is_urgent: bool) -> None: ...
    def hurry(self) -> None: ...
    def nudge(self) -> None: ...
    def stop(self) -> None: ...
    def hang_up(self) -> None: ...
    def learned(self) -> Learned | None: ...
    async def run(self) -> None: ...


async def rest(lane: LeasedLane, shared: SharedResources, error: Exception) -> None:
    """Pause a lane after a fault of ours: else it would be taken and lost again many times a
    second.
    """
    await shared.faults.note(ItemKind.LANE, lane.id, error, lasting=False)
    with suppress(DatabaseUnavailable):
        await shared.lanes.pause(
            lane, lane.failures, FAULT_WAIT, "A fault of the service; see its log"
        )


async def refuse(lane: LeasedLane, shared: SharedResources, error: Exception) -> None:
    """Rest a lane for which no agent can be made, and give it back: nothing of it was claimed."""
    await rest(lane, shared, error)
    with suppress(DatabaseUnavailable):
        await shared.lanes.release(lane)


async def give_back(
    runner: LaneRunner, shared: SharedResources, *, is_overdue: Callable[[], bool]
) -> bool:
    """Release a lane; false where it is left to the next drain of this machine.

    Only when all its outcomes are written, and its claims free: the next holder would take the
    rest for interrupted. Tried until PostgreSQL is back, or `is_overdue`.
    """
    lane = runner.lane
    learned: Learned | None = None
    while True:
        await shared.ledger.flush()
        if shared.ledger.has_left_behind:  # the next drain writes it down before it takes the lanes
            return False
        try:
            if runner.may_have_strays:
                await shared.lanes.free_strays(lane, besides=shared.own_file.marked)
            learned = runner.learned() or learned  # it says so once
            await shared.lanes.release(lane, learned)
        except DatabaseUnavailable as error:
            if is_overdue():
                logger.warning("lane=%s is not given back: %s", lane.id, error)
                return False
            logger.warning("lane=%s could not be given back yet: %s", lane.id, error)
            await asyncio.sleep(1)
        else:
            return True
