"""Opens a connection to a host, while others go on without waiting for it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from deliveries.capacity.sockets import Slot
from deliveries.smtp.connection import Connection

# Seconds for which a host may keep silent before others go on without waiting for it. A thousand
# silent hosts pass through the places of a worker (450) in so many seconds times three.
SILENCE = 0.5


class GivenUp(Exception):
    """This worker ends, or the lease of the lane may be over: nothing more is sent, and no other
    host is asked.
    """


async def opened(
    connecting: Coroutine[Any, Any, Connection],
    openings: set[asyncio.Future[Any]],
    slot: Slot,
) -> Connection:
    """Return the connection; while the host keeps silent, its slot goes to others.

    It stands in `openings` meanwhile. Raises `GivenUp` where somebody cancels it there.
    """
    opening = asyncio.ensure_future(connecting)
    openings.add(opening)
    try:
        done, _ = await asyncio.wait({opening}, timeout=SILENCE)
        if not done:
            slot.step_aside()
        connection = await opening
    except asyncio.CancelledError as error:
        if not _is_told_to_end():
            raise GivenUp from error
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        raise
    finally:
        openings.discard(opening)
    await slot.step_in()
    return connection


def _is_told_to_end() -> bool:
    """Tell whether it is this task that was cancelled, and not what it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
