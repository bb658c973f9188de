"""What all sessions of a listener share: its limits, accounts, connections and committer; it knows
no session.
"""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

from django.conf import settings

from deliveries.backends.database import Database
from deliveries.bounces.keys import return_path_key
from deliveries.capacity.concurrency import Concurrency
from deliveries.capacity.inflow import Board
from deliveries.capacity.memory_budget import ByteBudget
from deliveries.intake.committer import Intake
from smtp_listener.admission.accounts import Accounts
from smtp_listener.admission.authentication import Authentication
from smtp_listener.admission.disk import Disk
from smtp_listener.admission.inbound_quotas import InboundQuotas
from smtp_listener.admission.limits import (
    FORGED_RETURN_PATHS,
    Counters,
    EventCounter,
    LoginThrottle,
    Quotas,
)
from smtp_listener.admission.log_limits import Sparing
from smtp_listener.admission.refusals import Refusals
from smtp_listener.admission.return_path_names import ReturnPathNames
from smtp_listener.admission.session_slots import Guest, Room
from smtp_listener.admission.turns import ListenerTurns
from smtp_listener.protocol import replies, tls
from smtp_listener.protocol.patience import Patience
from smtp_listener.protocol.replies import ServerReply
from suppressions.index import Index
from suppressions.lookup import Lookup

RETURNED_AT_ONCE = 67_108_864  # bytes of mail of port 25 in memory at one time
GUEST_LINES, APP_LINES = 20, 1000  # refusals of one place in a minute that are written into the log
# Seconds to read millions of suppressions; recipients are looked up one by one meanwhile.
INDEX_PATIENCE = 300.0


class Shared:
    """What all sessions of the process share; `rooms` has one for each port, by its name."""

    def __init__(self, rooms: dict[str, Room]) -> None:
        self.hostname: str = settings.EKIDEN_HOSTNAME
        self.max_size: int = settings.EKIDEN_MAX_MESSAGE_SIZE
        self.max_recipients: int = settings.EKIDEN_MAX_RECIPIENTS
        self.is_repairing: bool = settings.EKIDEN_BARE_NEWLINES == "repair"
        self.spool_folder: Path = settings.EKIDEN_DATA / "spool"
        self.return_path_key = return_path_key()
        self.certificate = tls.certificate(
            settings.EKIDEN_TLS_CERT,
            settings.EKIDEN_TLS_KEY,
            data=settings.EKIDEN_DATA,
            hostname=self.hostname,
        )
        self.patience = Patience()
        self.sessions: set[Guest] = set()
        self._rooms = rooms
        self.is_empty = asyncio.Event()
        self.is_draining = False
        self.intake = Intake.create()
        self.inbound = Database("ekiden inbound")
        self.return_path_names = ReturnPathNames(self.inbound)
        self.returned_at_once = ByteBudget(RETURNED_AT_ONCE)
        self.accounts = Accounts(Database("ekiden accounts"))
        self.refusals = Refusals(Database("ekiden refusals", is_durable=False))
        self.suppression_database = Database("ekiden suppressions")
        self.index_database = Database("ekiden index", patience=INDEX_PATIENCE)
        self.index = Index(self.index_database)
        self.suppressions = Lookup(self.suppression_database, self.index)
        self.counters = Counters(settings.REDIS_URL)
        self.carrying = Concurrency()
        self.urgent_by_header: set[int] = set()  # credentials whose mail's header said so
        self.turns = ListenerTurns(Board(f"listener-{uuid.uuid4()}"))
        self.quotas = Quotas(self.counters)
        self.inbound_quotas = InboundQuotas(self.counters, self.inbound)
        self.disk = Disk(settings.EKIDEN_DATA, settings.EKIDEN_LOW_DISK)
        self.guest_lines, self.app_lines = Sparing(GUEST_LINES), Sparing(APP_LINES)
        self.forged_return_paths = EventCounter(self.counters, FORGED_RETURN_PATHS)
        self.authentication = Authentication(self.accounts, LoginThrottle())
        self._name = uuid.uuid4().hex[:12]
        self._session_count = 0

    def next_session_id(self) -> str:
        self._session_count += 1
        return f"{self._name}-{self._session_count}"

    def admit(self, session: Guest, port: str) -> ServerReply | None:
        """Take it in until `release`; or why there is no room for it."""
        if self.is_draining:
            return replies.SHUTTING_DOWN
        refusal = self._rooms[port].admit(session)
        if refusal is None:
            self.sessions.add(session)
            self.is_empty.clear()
        return refusal

    def make_known(self, session: Guest, port: str) -> None:
        self._rooms[port].make_known(session)

    def release(self, session: Guest, port: str) -> None:
        """Let go of a session that is over; one that gave way has left its room already."""
        self._rooms[port].release(session)
        self.sessions.discard(session)
        if not self.sessions:
            self.is_empty.set()
