"""The listener of one process: its ports, what its sessions share, and its end."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

import uvloop
from django.conf import settings

from deliveries.backends.database import DatabaseUnavailable
from domains.foundation.process import systemd
from domains.foundation.process.pulse import Pulse
from smtp_listener.admission import low_disks, session_slots
from smtp_listener.admission.session_slots import Room
from smtp_listener.protocol.channel import Channel
from smtp_listener.sessions.inbound import InboundTransaction
from smtp_listener.sessions.ports import Port
from smtp_listener.sessions.session import Session
from smtp_listener.sessions.shared import Shared
from smtp_listener.sessions.submission import SubmissionTransaction
from smtp_listener.sessions.verbs import VERBS

logger = logging.getLogger(__name__)

BACKLOG = 1024
WRITE_USES_EVERY = 30.0
# seconds for sessions that were cut off to say so, and for commits under way to be answered
LAST_WORDS = 5.0


def ports() -> list[Port]:
    """Return the ports to listen on; a port number of 0 switches that port off."""
    every = [
        Port(
            "submission", settings.EKIDEN_SUBMISSION_PORT, True, False, SubmissionTransaction.begin
        ),
        Port(
            "submissions", settings.EKIDEN_SUBMISSIONS_PORT, True, True, SubmissionTransaction.begin
        ),
        Port("mx", settings.EKIDEN_MX_PORT, False, False, InboundTransaction.begin),
    ]
    return [port for port in every if port.number]


def _at_most(port: Port, share: int) -> int:
    return min(port.most, share)


def _most_of_place() -> int:
    return int(settings.EKIDEN_MAX_SESSIONS_PER_ADDRESS)


def _make_rooms() -> dict[str, Room]:
    """Make a room for each port; the settings are read anew for each session."""
    share = session_slots.share(
        {port.name: port.most for port in ports()}, session_slots.descriptors()
    )
    return {
        port.name: Room(partial(_at_most, port, share[port.name]), _most_of_place)
        for port in ports()
    }


class Listener(Shared):
    """The ports of the process, from `start` to `stop`."""

    def __init__(self) -> None:
        super().__init__(_make_rooms())
        self._servers: list[asyncio.Server] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Listen on all ports; raises `OSError` where one is taken."""
        await self.intake.start()
        self.turns.start()
        for port in ports():
            self._servers.append(await self._listen(port))
        self.refusals.start()
        self._tasks += [
            asyncio.create_task(self._write_uses()),
            asyncio.create_task(Pulse().run()),
            asyncio.create_task(self.carrying.run()),
        ]
        self._indexing = asyncio.create_task(self.index.run())

    async def _listen(self, port: Port) -> asyncio.Server:
        loop = asyncio.get_running_loop()

        def serve(channel: Channel) -> Coroutine[Any, Any, None]:
            return Session(self, port, channel, VERBS).run()

        listening = bound(settings.EKIDEN_BIND, port.number)
        return await loop.create_server(
            lambda: Channel(loop, port.patience(self.patience), serve),
            sock=listening,
            backlog=BACKLOG,
        )

    async def _write_uses(self) -> None:
        while True:
            await low_disks.tell(self.counters, self.disk)
            await asyncio.sleep(WRITE_USES_EVERY)
            self.certificate.refresh()
            for lines in (self.guest_lines, self.app_lines):
                lines.sweep()
            with suppress(DatabaseUnavailable):
                await self.accounts.write_uses()

    async def stop(self, patience: float) -> None:
        """Stop accepting, let sessions finish for so many seconds, cut the rest off."""
        self.is_draining = True
        self.turns.open()
        for server in self._servers:
            server.close()
        for session in list(self.sessions):
            session.drain()
        await self._wait_for_sessions(patience)
        for session in list(self.sessions):
            session.cut()
        await self._wait_for_sessions(LAST_WORDS)
        for session in list(self.sessions):
            session.give_up()
        await self._close()

    async def _wait_for_sessions(self, seconds: float) -> None:
        if self.sessions:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.is_empty.wait(), seconds)

    async def _close(self) -> None:
        self.index.stop()
        await asyncio.wait({self._indexing}, timeout=LAST_WORDS)
        for task in (*self._tasks, self._indexing):
            task.cancel()
        await asyncio.gather(*self._tasks, self._indexing, return_exceptions=True)
        with suppress(DatabaseUnavailable):
            await self.accounts.write_uses()
        await self.refusals.close()
        await self.turns.close()
        await self.intake.close()
        await self.accounts.close()
        await self.suppression_database.close()
        await self.index_database.close()
        await self.inbound.close()
        await self.counters.close()


def bound(address: str, port: int) -> socket.socket:
    """Return a socket that other listener processes may share (SO_REUSEPORT).

    Raise `OSError` where it cannot be bound.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.bind((address, port))
    except OSError:
        listening.close()
        raise
    listening.setblocking(False)
    return listening


async def serve() -> None:
    """Run until SIGTERM or SIGINT, then drain."""
    listener = Listener()
    await listener.start()
    names = ", ".join(f"{port.name} {settings.EKIDEN_BIND}:{port.number}" for port in ports())
    logger.info("event=listening ports=%r", names)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    systemd.ready(f"Listening: {names}")
    await systemd.alive_until(stopping)
    systemd.stopping("Letting sessions finish")
    logger.info("event=draining sessions=%d", len(listener.sessions))
    await listener.stop(settings.EKIDEN_DRAIN_SECONDS)


def run() -> None:
    uvloop.run(serve())
