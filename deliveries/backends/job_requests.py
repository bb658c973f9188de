"""Calls for a maintenance job from an event loop; of many calls while one is under way, one more
is made.
"""

from __future__ import annotations

import asyncio

from deliveries.backends import job_queues


class JobRequests:
    """The job comes by itself now and then, so that a call may be lost."""

    def __init__(self, job: str) -> None:
        self._job = job
        self._is_wanted = False
        self._calling: asyncio.Task[None] | None = None

    def notify(self) -> None:
        """Ask for the job, and return at once; must be called on the event loop."""
        self._is_wanted = True
        if self._calling is None or self._calling.done():
            self._calling = asyncio.get_running_loop().create_task(self._call())

    async def _call(self) -> None:
        while self._is_wanted:
            self._is_wanted = False
            await asyncio.to_thread(job_queues.call, self._job)

    async def close(self) -> None:
        if self._calling is not None:
            await self._calling
