"""The outcomes of all agents of a process, committed in groups: deliveries move, attempts are
written down.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from deliveries.backends import loglines, maillog
from deliveries.backends.database import Database, DatabaseUnavailable
from deliveries.models.states import DeliveryState
from deliveries.queue import transcripts
from deliveries.queue.ledger_entries import RECORD, WRITTEN, LedgerEntry, columns
from deliveries.queue.own_faults import Faults

logger = logging.getLogger(__name__)

# More outcomes than this waiting means that PostgreSQL does not keep up: agents wait before they
# send more, because each further mail sent is one that could go out twice if this process died now.
ROOM = 1000
GROUP = 500
# seconds from the beginning of one commit to the next, unless somebody waits or a group is full
EVERY = 0.03
LAST_TRY = 2.0  # seconds for a commit when the process is about to end


class Ledger:
    """Takes entries at once and commits them together; what PostgreSQL does not take now is kept
    and tried again.
    """

    def __init__(
        self,
        database: Database,
        *,
        learned: Callable[[], None] = lambda: None,
        committed: Callable[[Iterable[UUID]], None] = lambda ids: None,
        faults: Faults | None = None,
        save: Callable[[list[LedgerEntry]], object] | None = None,
    ) -> None:
        """Set up a ledger. On the loop it calls `learned` after something about an address was
        written, and `committed` with the deliveries of each group.

        `save` keeps entries elsewhere when this process ends before PostgreSQL takes them; it
        raises `OSError`.
        """
        self._database = database
        self._learned = learned
        self._committed = committed
        self._faults = faults
        self._save = save
        self.has_left_behind = False  # whether there are outcomes that this ledger did not commit
        self._ends_at: float | None = None  # on the loop's clock
        self._limit: asyncio.Timeout | None = None  # of the commit under way
        self._waiting: list[LedgerEntry] = []
        self._changed = asyncio.Event()
        self._is_wanted = asyncio.Event()  # somebody waits for a commit, or a group is full
        self._room = asyncio.Event()
        self._room.set()
        self._recorded = self._done = 0  # entries, since the beginning
        # Who waits until so many are committed.
        self._flushes: deque[tuple[int, asyncio.Future[None]]] = deque()
        # Of the group under way, committed and logged.
        self._announced: set[tuple[UUID, datetime]] = set()
        self._is_unsure = False  # whether the last group, whose answer was lost, was committed

    def record(self, entry: LedgerEntry) -> None:
        """Take one entry; it is committed soon, and never lost while the process lives."""
        self._waiting.append(entry)
        self._recorded += 1
        self._changed.set()
        if len(self._waiting) >= GROUP:
            self._is_wanted.set()
        if len(self._waiting) >= ROOM:
            self._room.clear()

    @property
    def is_full(self) -> bool:
        """Tell whether PostgreSQL does not keep up."""
        return not self._room.is_set()

    async def has_room(self) -> None:
        """Wait while too many entries wait for PostgreSQL."""
        await self._room.wait()

    async def flush(self) -> None:
        """Wait until all entries that were recorded before this call are committed, however many
        follow.
        """
        if self._waiting:
            done = asyncio.get_running_loop().create_future()
            self._flushes.append((self._recorded, done))
            self._is_wanted.set()
            await done

    def end_by(self, moment: float) -> None:
        """Save elsewhere what PostgreSQL does not take at once after this moment of the loop's
        clock: the process ends.
        """
        self._ends_at = moment
        self._is_wanted.set()
        if self._limit is not None and self._limit.when() is None:
            self._limit.reschedule(moment)

    async def run(self) -> None:
        """Commit what waits, for ever."""
        while True:
            await self._changed.wait()
            begun = asyncio.get_running_loop().time()
            await self.turn()
            await self._gather(begun + EVERY)

    async def _gather(self, until: float) -> None:
        """Let outcomes come together, unless somebody waits for them or they are a whole group."""
        if self._flushes or len(self._waiting) >= GROUP or self._ends_at is not None:
            return
        self._is_wanted.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._is_wanted.wait()

    async def turn(self) -> None:
        """Commit one group."""
        group = self._waiting[:GROUP]
        if group and not await self._commit_in_time(group):
            if (
                self._save is not None
                and self._ends_at is not None
                and asyncio.get_running_loop().time() >= self._ends_at
            ):
                self._leave_behind(self._save)
            else:
                await asyncio.sleep(0.5)
            return
        self._committed([entry.id for entry in group if entry.moves])
        self._done_with(len(group))

    def _done_with(self, amount: int) -> None:
        del self._waiting[:amount]
        self._announced.clear()
        self._done += amount
        if len(self._waiting) < ROOM:
            self._room.set()
        if not self._waiting:
            self._changed.clear()
        while self._flushes and self._flushes[0][0] <= self._done:
            _, done = self._flushes.popleft()
            if not done.cancelled():
                done.set_result(None)

    def _leave_behind(self, save: Callable[[list[LedgerEntry]], object]) -> None:
        """Leave what waits for the next worker of this machine, which writes it down.

        Where even that fails, their marks say that they may have been sent.
        """
        left, self.has_left_behind = list(self._waiting), True
        try:
            logger.warning(
                "%d outcomes are left behind for the next worker: %s", len(left), save(left)
            )
        except OSError as error:
            logger.error(
                "%d outcomes could not be left behind, and count as in doubt: %s", len(left), error
            )
        self._done_with(len(left))

    async def _commit_in_time(self, group: list[LedgerEntry]) -> bool:
        last_try = asyncio.get_running_loop().time() + LAST_TRY
        try:
            async with asyncio.timeout_at(
                None if self._ends_at is None else max(self._ends_at, last_try)
            ) as self._limit:
                return await self._commit(group)
        except TimeoutError:
            self._is_unsure = True
            return False
        finally:
            self._limit = None

    async def apply(self, left: list[LedgerEntry]) -> None:
        """Write what another ledger left behind; it may have been committed already.

        Raises `DatabaseUnavailable`.
        """
        for start in range(0, len(left), GROUP):
            self._is_unsure = True
            if not await self._commit(left[start : start + GROUP]):
                raise DatabaseUnavailable("outcomes left behind")
            self._announced.clear()

    async def _commit(self, group: list[LedgerEntry]) -> bool:
        try:
            if self._is_unsure:
                group = await self._unwritten(group)
            await self._write(group)
            self._is_unsure = False
        except DatabaseUnavailable as error:
            logger.warning("%d outcomes wait for PostgreSQL: %s", len(self._waiting), error)
            self._is_unsure = True
            return False
        except Exception:  # the ledger must outlive any entry: all agents wait for it
            logger.exception("a group of %d outcomes was refused; each is tried alone", len(group))
            return await self._commit_each(group)
        return True

    async def _commit_each(self, group: list[LedgerEntry]) -> bool:
        """Commit each entry by itself, so that one bad entry fails alone."""
        try:
            for entry in group:
                await self._commit_one(entry)
        except DatabaseUnavailable:
            self._is_unsure = True
            return False
        return True

    async def _commit_one(self, entry: LedgerEntry) -> None:
        """Commit one entry, without its words where it must be: what happened matters more than
        they do, and without it the mail would be sent again.
        """
        try:
            await self._write([entry])
        except DatabaseUnavailable:
            raise
        except Exception:  # whatever the words hold that PostgreSQL refuses
            logger.exception(
                "the outcome of delivery %s is written without its words: %r", entry.id, entry
            )
            await self._commit_bare(
                replace(
                    entry,
                    host="",
                    address="",
                    source="",
                    tls="",
                    code=None,
                    enhanced="",
                    text="(unreadable)",
                )
            )

    async def _commit_bare(self, entry: LedgerEntry) -> None:
        try:
            await self._write([entry])
        except DatabaseUnavailable:
            raise
        except Exception as error:  # a fault of ours; its claim ends with the lease
            logger.error("the outcome of delivery %s cannot be written at all", entry.id)
            if self._faults is not None:
                await self._faults.put_aside(entry.id, error)

    async def _unwritten(self, group: list[LedgerEntry]) -> list[LedgerEntry]:
        """Return the entries that are not committed: an entry that was must not move its delivery
        twice, which may be in hand again under the same claim.

        Only the answer was lost with it, so that what follows a commit is done here.
        """
        written = set(await self._database.fetch(WRITTEN, columns(group)))
        self._tell([entry for entry in group if (entry.id, entry.at) in written - self._announced])
        return [entry for entry in group if (entry.id, entry.at) not in written]

    async def _write(self, group: list[LedgerEntry]) -> None:
        # Two entries for one row in one statement would be one update: PostgreSQL takes either.
        # They cannot be: a delivery is in one agent's hands until its entry is recorded.
        moved = {row for (row,) in await self._database.fetch(RECORD, columns(group))}
        await transcripts.keep(self._database, group)
        if lost := [entry.id for entry in group if entry.moves and entry.id not in moved]:
            with loglines.together():
                for id_ in lost:
                    logger.warning(
                        "delivery=%s had moved on; its attempt was written, its state kept", id_
                    )
        self._tell(group)

    def _tell(self, committed: list[LedgerEntry]) -> None:
        """Do what follows a commit: remember the entries, call for learning, log the attempts."""
        self._announced.update([(entry.id, entry.at) for entry in committed])
        if any(entry.state is DeliveryState.BOUNCED for entry in committed):
            self._learned()
        with loglines.together():
            for entry in committed:
                maillog.attempted(
                    entry.message_id, entry.id, outcome=entry.outcome, recipient=entry.recipient,
                    stage=entry.stage,
                    host=entry.host, code=entry.code, text=entry.text,
                )  # fmt: skip
