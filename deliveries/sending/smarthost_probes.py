"""Looks whether a smarthost's host that was put aside is well, so that no message need try."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass

from deliveries.routing.host_experience import Experience
from deliveries.sending.smarthost_door import SmarthostDoor
from deliveries.sending.smarthost_logins import NoLogin
from deliveries.smtp.connection import ConnectionFailed, Endpoint, Timeouts
from deliveries.smtp.outcomes import Stage
from deliveries.smtp.replies import local_reply

logger = logging.getLogger("ekiden.mail")


@dataclass(frozen=True, slots=True)
class Probe:
    """One look: a session with log-in and without a message, as a lane's connections begin."""

    door: SmarthostDoor
    endpoint: Endpoint
    source: str | None
    ehlo_name: str
    timeouts: Timeouts
    experience: Experience

    async def run(self) -> None:
        """Note in the lane's experience what was found."""
        name, host, address = self.door.smarthost.name, self.endpoint.host, self.endpoint.address
        try:
            connection = await self.door.open(
                self.endpoint, source=self.source, ehlo_name=self.ehlo_name,
                timeouts=self.timeouts, peer=self.experience.peer(host), without=frozenset(),
            )  # fmt: skip
        except (ConnectionFailed, NoLogin) as error:
            reply = (
                error.outcome.reply
                if isinstance(error, ConnectionFailed)
                else local_reply(451, "4.7.0", str(error))
            )
            self.experience.put_aside(host, address, reply, now=time.time())
            said = f"{getattr(error, 'stage', Stage.AUTH)}: {reply}"
            logger.warning("event=smarthost-aside smarthost=%s host=%s said=%r", name, host, said)
        else:
            self.experience.well(address)
            logger.info("event=smarthost-back smarthost=%s host=%s", name, host)
            await connection.close()


class SmarthostProbes:
    """Of one drain: at most one look at each address at a time."""

    def __init__(self) -> None:
        self._running: dict[tuple[int, str, int], asyncio.Task[None]] = {}

    def start(self, probe: Probe) -> None:
        """Begin, where no such look is under way; return at once."""
        key = (probe.door.smarthost.id, probe.endpoint.address, probe.endpoint.port)
        if key not in self._running:
            self._running[key] = task = asyncio.get_running_loop().create_task(probe.run())
            task.add_done_callback(lambda done: self._ended(key, done))

    def _ended(self, key: tuple[int, str, int], task: asyncio.Task[None]) -> None:
        self._running.pop(key, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("event=smarthost-probe could not be made", exc_info=error)

    async def close(self) -> None:
        """End what is under way."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
