"""The outcomes of all couriers of a process, committed in groups: deliveries move, attempts are
written down.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from deliveries.backends import loglines, maillog
from deliveries.backends.database import Database, DatabaseUnavailable
from deliveries.models.states import IS_REPORT, State
from deliveries.queue.own_faults import Faults
from domains.operations.isolation import Kind

logger = logging.getLogger(__name__)

# More outcomes than this waiting means that PostgreSQL does not keep up: couriers wait before they
# send more, because each further mail sent is one that could go out twice if this process died now.
ROOM = 1000
GROUP = 500
# seconds from the beginning of one commit to the next, unless somebody waits or a group is full
EVERY = 0.03
PASSED = -1  # as an entry's claim, which is no delivery's
LAST_TRY = 2.0  # seconds for a commit when the process is about to end

# What ends is added to the tallies by rows of this statement's own, since a row that several
# workers count in would make them wait for one another; a refusal that ends a delivery says
# something about the address, which `suppressions.recording` hears of.
RECORD = f"""
WITH given AS (
    SELECT * FROM unnest(%(id)s::uuid[], %(claim)s::bigint[], %(state)s::text[], %(wait)s::float8[],
                         %(is_in_doubt)s::bool[], %(owes_report)s::bool[], %(is_try)s::bool[],
                             %(at)s::timestamptz[],
                         %(outcome)s::text[], %(stage)s::text[], %(host)s::text[],
                             %(address)s::text[], %(source)s::text[],
                         %(tls)s::text[], %(code)s::smallint[], %(enhanced)s::text[],
                             %(text)s::text[], %(seconds)s::float8[],
                         %(category)s::text[], %(rule)s::text[], %(is_hard)s::bool[],
                             %(provider)s::text[])
        AS given(id, claim, state, wait, is_in_doubt, owes_report, is_try, at, outcome, stage, host,
            address, source, tls, code,
                 enhanced, text, seconds, category, rule, is_hard, provider)
), moved AS (
    UPDATE deliveries_delivery delivery
    SET state = given.state, claim = 0, is_in_doubt = given.is_in_doubt,
        owes_report = given.owes_report,
        attempt_count = least(delivery.attempt_count + given.is_try::int, 32767),
        throttle_count = CASE WHEN given.outcome = 'throttled'
            THEN least(delivery.throttle_count + 1, 32767) ELSE 0 END,
        due_at = CASE WHEN given.wait IS NOT NULL
            THEN now() + make_interval(secs => given.wait) END,
        ended_at = CASE WHEN given.wait IS NULL THEN now() END
    FROM given
    WHERE delivery.id = given.id AND delivery.due_at IS NOT NULL
        -- it is live; by `ended_at` all the live might be read
      -- The fence: who lost the lease may no longer move the row, except to say that the mail has
      -- arrived.
      AND (delivery.claim = given.claim OR given.state = 'delivered')
    RETURNING delivery.id, delivery.project_id, delivery.flow, delivery.recipient_key,
        delivery.notify
), attempts AS (
    INSERT INTO deliveries_attempt
        (delivery_id, at, outcome, stage, host, address, source, tls, code, enhanced, text, seconds,
            category, rule)
    SELECT id, at, outcome, stage, host, address, source, tls, code, enhanced, text, seconds,
        category, rule FROM given
), ended AS (
    SELECT moved.project_id, moved.flow, moved.recipient_key, given.*
    FROM moved JOIN given ON given.id = moved.id WHERE given.wait IS NULL AND NOT {IS_REPORT}
), tallied AS (
    INSERT INTO deliveries_tally (hour, project_id, credential_id, provider, category, is_hard,
        amount)
    SELECT date_trunc('hour', now(), 'UTC'), project_id, flow, provider,
           CASE WHEN state IN ('delivered', 'suppressed') THEN state
               ELSE coalesce(nullif(category, ''), 'other') END, is_hard, count(*)
    FROM ended GROUP BY project_id, flow, provider, 5, is_hard
), learned AS (
    INSERT INTO suppressions_occurrence
        (project_id, credential_id, address_key, kind, category, is_hard, provider, delivery_id,
            stage, host, code, enhanced, text, rule)
    SELECT project_id, flow, recipient_key, 'reply', category, is_hard, provider, id, stage, host,
        code, enhanced, left(text, 1000), rule
    FROM ended WHERE state = 'bounced' AND category <> ''
)
SELECT id FROM moved
"""  # noqa: S608  (put together from constants)
WRITTEN = (
    "SELECT delivery_id, at FROM deliveries_attempt WHERE delivery_id = ANY(%(id)s) AND "
    "at = "
    "ANY(%(at)s)"
)
COLUMNS = (
    "id", "claim", "state", "wait", "is_in_doubt", "owes_report", "is_try", "at", "outcome",
    "stage", "host", "address",
    "source", "tls", "code", "enhanced", "text", "seconds", "category", "rule", "is_hard",
    "provider",
)  # fmt: skip
FLOATS = ("wait", "seconds")


@dataclass(frozen=True, slots=True)
class Entry:
    """What happened to one delivery, and what becomes of it.

    `wait` is in seconds and None for an end; `outcome` is the word of the attempt row; `is_try` is
    false for what uses up no try (an interruption by our own fault, an answer about the pace only).
    `category`, `rule` and `is_hard` say what the answer means; `provider` is the shaping rule that
    the receiver falls under.
    """

    id: UUID
    message_id: UUID
    recipient: str
    claim: int
    state: State
    outcome: str
    stage: str
    wait: float | None = None
    is_in_doubt: bool = False
    owes_report: bool = False
    is_try: bool = True
    host: str = ""
    address: str = ""
    source: str = ""
    tls: str = ""
    code: int | None = None
    enhanced: str = ""
    text: str = ""
    category: str = ""
    rule: str = ""
    is_hard: bool = False
    provider: str = ""
    seconds: float = 0.0
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def moves(self) -> bool:
        """False for an answer after which the next host was asked in the same attempt: it is
        written down, and the delivery stays.
        """
        return self.claim != PASSED


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
        save: Callable[[list[Entry]], object] | None = None,
    ) -> None:
        """On the loop, `learned` is called after something about an address was written,
        `committed` with the deliveries of each group.

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
        self._waiting: list[Entry] = []
        self._changed = asyncio.Event()
        self._is_wanted = asyncio.Event()  # somebody waits for a commit, or a group is full
        self._room = asyncio.Event()
        self._room.set()
        self._recorded = self._done = 0  # entries, since the beginning
        self._flushes: deque[tuple[int, asyncio.Future[None]]] = (
            deque()
        )  # who waits until so many are committed
        self._told: set[tuple[UUID, datetime]] = (
            set()
        )  # of the group under way, committed and logged
        self._is_unsure = False  # whether the last group, whose answer was lost, was committed

    def record(self, entry: Entry) -> None:
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
        """Whether PostgreSQL does not keep up."""
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
        """The process ends: from this moment of the loop's clock on, what PostgreSQL does not take
        at once is saved elsewhere.
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
        self._told.clear()
        self._done += amount
        if len(self._waiting) < ROOM:
            self._room.set()
        if not self._waiting:
            self._changed.clear()
        while self._flushes and self._flushes[0][0] <= self._done:
            _, done = self._flushes.popleft()
            if not done.cancelled():
                done.set_result(None)

    def _leave_behind(self, save: Callable[[list[Entry]], object]) -> None:
        """The next worker of this machine writes them down.

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

    async def _commit_in_time(self, group: list[Entry]) -> bool:
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

    async def apply(self, left: list[Entry]) -> None:
        """Write what another ledger left behind; it may have been committed already.

        Raises `DatabaseUnavailable`.
        """
        for start in range(0, len(left), GROUP):
            self._is_unsure = True
            if not await self._commit(left[start : start + GROUP]):
                raise DatabaseUnavailable("outcomes left behind")
            self._told.clear()

    async def _commit(self, group: list[Entry]) -> bool:
        try:
            await self._write(await self._unwritten(group) if self._is_unsure else group)
            self._is_unsure = False
        except DatabaseUnavailable as error:
            logger.warning("%d outcomes wait for PostgreSQL: %s", len(self._waiting), error)
            self._is_unsure = True
            return False
        except Exception:  # the ledger must outlive any entry: all couriers wait for it
            logger.exception("a group of %d outcomes was refused; each is tried alone", len(group))
            return await self._commit_each(group)
        return True

    async def _commit_each(self, group: list[Entry]) -> bool:
        """So that one bad entry fails alone."""
        try:
            for entry in group:
                await self._commit_one(entry)
        except DatabaseUnavailable:
            self._is_unsure = True
            return False
        return True

    async def _commit_one(self, entry: Entry) -> None:
        """What happened matters more than the words for it: without them the mail would be sent
        again.
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

    async def _commit_bare(self, entry: Entry) -> None:
        try:
            await self._write([entry])
        except DatabaseUnavailable:
            raise
        except Exception as error:  # a fault of ours; its claim ends with the lease
            logger.error("the outcome of delivery %s cannot be written at all", entry.id)
            await self._put_aside(entry, error)

    async def _put_aside(self, entry: Entry, error: Exception) -> None:
        if self._faults is not None and await self._faults.note(Kind.DELIVERY, entry.id, error):
            await self._faults.hold(entry.id)

    async def _unwritten(self, group: list[Entry]) -> list[Entry]:
        """A delivery may be in hand again under the same claim: an entry that was committed must
        not move it twice.

        Only the answer was lost with it, so that what follows a commit is still to be done.
        """
        written = set(await self._database.fetch(WRITTEN, columns(group)))
        self._tell([entry for entry in group if (entry.id, entry.at) in written - self._told])
        return [entry for entry in group if (entry.id, entry.at) not in written]

    async def _write(self, group: list[Entry]) -> None:
        # Two entries for one row in one statement would be one update: PostgreSQL takes either.
        # They cannot be: a delivery is in one courier's hands until its entry is recorded.
        moved = {row for (row,) in await self._database.fetch(RECORD, columns(group))}
        if lost := [entry.id for entry in group if entry.moves and entry.id not in moved]:
            with loglines.together():
                for id_ in lost:
                    logger.warning(
                        "delivery=%s had moved on; its attempt was written, its state kept", id_
                    )
        self._tell(group)

    def _tell(self, committed: list[Entry]) -> None:
        """What follows a commit."""
        self._told.update([(entry.id, entry.at) for entry in committed])
        if any(entry.state is State.BOUNCED for entry in committed):
            self._learned()
        with loglines.together():
            for entry in committed:
                maillog.attempted(
                    entry.message_id, entry.id, outcome=entry.outcome, recipient=entry.recipient,
                    stage=entry.stage,
                    host=entry.host, code=entry.code, text=entry.text,
                )  # fmt: skip


def columns(group: list[Entry]) -> dict[str, list[Any]]:
    """The entries by column, as the statement takes them; an int among floats would be no array
    for the driver.
    """
    found: dict[str, list[Any]] = {
        name: [getattr(entry, name) for entry in group] for name in COLUMNS
    }
    for name in FLOATS:
        found[name] = [value if value is None else float(value) for value in found[name]]
    return found
