"""Keeps what an app was refused, off the way of the reply: written every few seconds, and bounded
whatever a client does.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from deliveries.backends.database import Database, DatabaseUnavailable
from domains.foundation.text.addresses import BadAddress, parse_path
from domains.foundation.text.texts import storable
from smtp_listener.admission.accounts import Account
from smtp_listener.protocol.replies import ServerReply

logger = logging.getLogger(__name__)

WAITING_MOST = 2000  # rows in memory
PER_HOUR = 2000  # of one credential; a client that tries on and on would fill the table
OF_A_MESSAGE = 100  # recipients
EVERY = 1.0  # seconds
HOUR = 3600.0

WRITE = """
INSERT INTO deliveries_refusal (at, project_id, credential_id, mail_from, recipient, recipient_key,
    command, code, enhanced, text)
SELECT * FROM unnest(%(at)s::timestamptz[], %(project_id)s::bigint[], %(credential_id)s::bigint[],
    %(mail_from)s::text[],
    %(recipient)s::text[], %(recipient_key)s::text[], %(command)s::text[], %(code)s::smallint[],
        %(enhanced)s::text[], %(text)s::text[])
"""
COLUMNS = (
    "at",
    "project_id",
    "credential_id",
    "mail_from",
    "recipient",
    "recipient_key",
    "command",
    "code",
    "enhanced",
    "text",
)


class Refusals:
    """One per listener."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._waiting: deque[tuple[Any, ...]] = deque(maxlen=WAITING_MOST)
        self._writing = asyncio.Lock()
        self._noted: Counter[int] = Counter()
        self._noted_until = 0.0
        self._task: asyncio.Task[None] | None = None

    def note(
        self,
        account: Account,
        reply: ServerReply,
        *,
        command: str,
        mail_from: str,
        recipients: Iterable[str],
    ) -> None:
        """Remember it; `recipients` as the client wrote them, none where it had named none yet."""
        if self._clock() >= self._noted_until:
            self._noted.clear()
            self._noted_until = self._clock() + HOUR
        for recipient in [*recipients][:OF_A_MESSAGE] or [""]:
            self._noted[account.credential_id] += 1
            if self._noted[account.credential_id] > PER_HOUR:
                return
            self._waiting.append((
                datetime.now(UTC), account.project_id, account.credential_id,
                storable(mail_from)[:320], storable(recipient)[:320],
                _key(recipient), command, reply.code, reply.enhanced, storable(reply.text)[:500],
            ))  # fmt: skip

    def start(self) -> None:
        """Write what gathers, until `close`; on the running loop."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            await self.write()

    async def write(self) -> None:
        """Write down what waits; while PostgreSQL is away the latest of it is kept."""
        async with self._writing:
            await self._write()

    async def _write(self) -> None:
        rows = list(self._waiting)
        if not rows:
            return
        self._waiting.clear()
        try:
            await self._database.fetch(
                WRITE, dict(zip(COLUMNS, map(list, zip(*rows, strict=True)), strict=True))
            )
        except DatabaseUnavailable:
            room = WAITING_MOST - len(self._waiting)
            self._waiting.extendleft(reversed(rows[max(0, len(rows) - room) :]))
        except Exception:  # a hint for people must not end what writes the next one
            logger.exception("%d refusals could not be written down", len(rows))

    async def close(self) -> None:
        """Write what is left and close; a write under way is not cancelled, since that would leave
        a connection behind.
        """
        async with self._writing:
            if self._task is not None:
                self._task.cancel()
        await self.write()
        await self._database.close()


def _key(recipient: str) -> str:
    """Return the key by which a look-up finds the recipient; for what is no address, the text
    itself.
    """
    try:
        return parse_path(recipient, smtputf8=True).key
    except BadAddress:
        return storable(recipient).lower()[:320]
