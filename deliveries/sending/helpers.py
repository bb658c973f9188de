"""What runs beside a drain for as long as it does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

logger = logging.getLogger(__name__)


class Helpers:
    """Tasks that end with the drain. Where one fails, that is told and `failed` is called: without
    it mail would wait, and the next drain begins with all of them.
    """

    def __init__(
        self, beside: Iterable[Coroutine[Any, Any, None]], failed: Callable[[], None]
    ) -> None:
        self._failed = failed
        self._tasks = [asyncio.create_task(each) for each in beside]
        for task in self._tasks:
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.critical("event=drain-failed part=%s", task.get_coro(), exc_info=error)
            self._failed()

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
