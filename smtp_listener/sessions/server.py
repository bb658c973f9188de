"""The listener of one process: its ports, what its sessions share, and its end."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

import uvloop
from django.conf import settings

from deliveries.backends.database import Database, DatabaseUnavailable
from deliveries.bounces.keys import return_path_key
from deliveries.capacity.concurrency import Carrying
from deliveries.capacity.inflow import Board
from deliveries.capacity.memory_budget import ByteBudget
from deliveries.intake.committer import Intake
from foundation.process import systemd
from smtp_listener.admission import low_disks, session_slots
from smtp_listener.admission.accounts import Accounts
from smtp_listener.admission.authentication import Authentication
from smtp_listener.admission.disk import Disk
from smtp_listener.admission.inbound_quotas import InboundQuotas
from smtp_listener.admission.limits import FORGED_RETURN_PATHS, Counters, Guard, Quotas, Tally
from smtp_listener.admission.log_limits import Sparing
from smtp_listener.admission.refusals import Refusals
from smtp_listener.admission.session_slots import Room
from smtp_listener.admission.turns import Turns
from smtp_listener.protocol import replies, tls
from smtp_listener.protocol.channel import Channel, Patience
from smtp_listener.protocol.commands import PathCommand
from smtp_listener.protocol.content import Clock
from smtp_listener.protocol.replies import Reply
from smtp_listener.sessions.inbound import InboundTransaction
from smtp_listener.sessions.session import Session
from smtp_listener.sessions.transaction import SubmissionTransaction, Transaction
from suppressions.index import Index
from suppressions.lookup import Lookup

logger = logging.getLogger(__name__)

BACKLOG = 1024
RETURNED_AT_ONCE = 67_108_864  # bytes of mail of port 25 in memory at one time
WRITE_USES_EVERY = 30.0
GUEST_LINES, APP_LINES = 20, 1000  # refusals of one place in a minute that are written into the log
INDEX_PATIENCE = 300.0  # seconds to read millions of suppressions; recipients are looked up one by one meanwhile
# At the MX port: seconds for a command or a piece of a message, and from when on how many bytes a second a message must bring.
MX_IDLE, MX_GRACE, MX_RATE = 60.0, 60.0, 4096
LAST_WORDS = 5.0  # seconds for sessions that were cut off to say so, and for commits under way to be answered


@dataclass(frozen=True, slots=True)
class Port:
    """One port: its number, whether apps submit there, whether TLS comes first."""

    name: str
    number: int
    is_submission: bool
    is_implicit_tls: bool
    begin: Callable[[Session, PathCommand], Awaitable[Transaction]] = field(repr=False)

    @property
    def most(self) -> int:
        """Sessions at once; each port has a number of its own."""
        return int(settings.EKIDEN_MAX_SESSIONS if self.is_submission else settings.EKIDEN_MAX_MX_SESSIONS)

    def patience(self, patience: Patience) -> Patience:
        """The internet's mail hosts are quick, or come again."""
        if self.is_submission:
            return patience
        return replace(patience, idle=min(patience.idle, MX_IDLE), block=min(patience.block, MX_IDLE))

    def clock(self, channel: Channel) -> Clock:
        """For the content of a message that begins now."""
        if self.is_submission:
            return Clock(channel.loop.time(), channel.patience.message)
        return Clock(channel.loop.time(), channel.patience.message, grace=MX_GRACE, rate=MX_RATE)

    def until(self, session: Session) -> float:
        """When a client that has spoken must have logged in; at the MX port, when it has been here long enough."""
        if session.account is not None:
            return inf
        patience = session.channel.patience
        return session.channel.began + (patience.log_in if self.is_submission else patience.visit)


def ports() -> list[Port]:
    """A port number of 0 switches that port off."""
    every = [
        Port("submission", settings.EKIDEN_SUBMISSION_PORT, True, False, SubmissionTransaction.begin),
        Port("submissions", settings.EKIDEN_SUBMISSIONS_PORT, True, True, SubmissionTransaction.begin),
        Port("mx", settings.EKIDEN_MX_PORT, False, False, InboundTransaction.begin),
    ]
    return [port for port in every if port.number]


def _at_most(port: Port, share: int) -> int:
    return min(port.most, share)


def _most_of_place() -> int:
    return int(settings.EKIDEN_MAX_SESSIONS_PER_ADDRESS)


class Listener:
    """What all sessions of the process share."""

    def __init__(self) -> None:
        self.hostname: str = settings.EKIDEN_HOSTNAME
        self.max_size: int = settings.EKIDEN_MAX_MESSAGE_SIZE
        self.max_recipients: int = settings.EKIDEN_MAX_RECIPIENTS
        self.is_repairing: bool = settings.EKIDEN_BARE_NEWLINES == "repair"
        self.spool_folder: Path = settings.EKIDEN_DATA / "spool"
        self.return_path_key = return_path_key()
        self.certificate = tls.certificate(
            settings.EKIDEN_TLS_CERT, settings.EKIDEN_TLS_KEY, data=settings.EKIDEN_DATA, hostname=self.hostname
        )
        self.patience = Patience()
        self.sessions: set[Session] = set()
        self._rooms = self._make_rooms()
        self._is_empty = asyncio.Event()
        self.is_draining = False
        self.intake = Intake.create()
        self.inbound = Database("ekiden inbound")
        self.returned_at_once = ByteBudget(RETURNED_AT_ONCE)
        self.accounts = Accounts(Database("ekiden accounts"))
        self.refusals = Refusals(Database("ekiden refusals", is_durable=False))
        self._suppression_database = Database("ekiden suppressions")
        self._index_database = Database("ekiden index", patience=INDEX_PATIENCE)
        self.index = Index(self._index_database)
        self.suppressions = Lookup(self._suppression_database, self.index)
        self._counters = Counters(settings.REDIS_URL)
        self.carrying = Carrying()
        self.turns = Turns(Board(f"listener-{uuid.uuid4()}"))
        self.quotas = Quotas(self._counters)
        self.inbound_quotas = InboundQuotas(self._counters, self.inbound)
        self.disk = Disk(settings.EKIDEN_DATA, settings.EKIDEN_LOW_DISK)
        self.guest_lines, self.app_lines = Sparing(GUEST_LINES), Sparing(APP_LINES)
        self.forged_return_paths = Tally(self._counters, FORGED_RETURN_PATHS)
        self.authentication = Authentication(self.accounts, Guard())
        self._servers: list[asyncio.Server] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._name = uuid.uuid4().hex[:12]
        self._session_count = 0

    def _make_rooms(self) -> dict[str, Room]:
        """One for each port; settings are looked at anew for each session."""
        share = session_slots.share({port.name: port.most for port in ports()}, session_slots.descriptors())
        return {port.name: Room(partial(_at_most, port, share[port.name]), _most_of_place) for port in ports()}

    def next_session_id(self) -> str:
        self._session_count += 1
        return f"{self._name}-{self._session_count}"

    def admit(self, session: Session) -> Reply | None:
        """Take it in until `release`; or why there is no room for it."""
        if self.is_draining:
            return replies.SHUTTING_DOWN
        refusal = self._rooms[session.port.name].admit(session)
        if refusal is None:
            self.sessions.add(session)
            self._is_empty.clear()
        return refusal

    def make_known(self, session: Session) -> None:
        self._rooms[session.port.name].make_known(session)

    def release(self, session: Session) -> None:
        """The session is over; one that gave way has left its room already."""
        self._rooms[session.port.name].release(session)
        self.sessions.discard(session)
        if not self.sessions:
            self._is_empty.set()

    async def start(self) -> None:
        """Listen on all ports; raises `OSError` where one is taken."""
        await self.intake.start()
        self.turns.start()
        for port in ports():
            self._servers.append(await self._listen(port))
        self.refusals.start()
        self._tasks += [asyncio.create_task(self._write_uses()), asyncio.create_task(self.carrying.run())]
        self._indexing = asyncio.create_task(self.index.run())

    async def _listen(self, port: Port) -> asyncio.Server:
        loop = asyncio.get_running_loop()

        def serve(channel: Channel) -> Coroutine[Any, Any, None]:
            return Session(self, port, channel).run()

        listening = bound(settings.EKIDEN_BIND, port.number)
        return await loop.create_server(lambda: Channel(loop, port.patience(self.patience), serve), sock=listening, backlog=BACKLOG)

    async def _write_uses(self) -> None:
        while True:
            await low_disks.tell(self._counters, self.disk)
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
                await asyncio.wait_for(self._is_empty.wait(), seconds)

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
        await self._suppression_database.close()
        await self._index_database.close()
        await self.inbound.close()
        await self._counters.close()


def bound(address: str, port: int) -> socket.socket:
    """A socket that other listener processes may share (SO_REUSEPORT)."""
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
