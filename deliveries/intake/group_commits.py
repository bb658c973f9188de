"""Commits messages in groups, over one connection: a group is what gathered while the last was
committed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from uuid import UUID

from deliveries.backends import loglines, maillog
from deliveries.backends.database import Database, DatabaseUnavailable
from deliveries.intake.pending import COMMIT, FIRST_IDS, PendingMessage, columns
from deliveries.intake.submission import Receipt
from deliveries.intake.unsure_commits import Unsure
from deliveries.queue.wakeups import WakeUps

logger = logging.getLogger(__name__)

GROUP = 100


class IntakeUnavailable(Exception):
    """The message was not taken, by our own fault; the client shall try again."""


class GroupCommits:
    """One line of messages, whose owner closes the connection; each is answered when it is
    committed.
    """

    def __init__(self, database: Database, wakeups: WakeUps, unsure: Unsure) -> None:
        self._database = database
        self._wakeups = wakeups
        self._unsure = unsure
        self._waiting: list[PendingMessage] = []
        self._changed = asyncio.Event()
        self._committer: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._committer = asyncio.get_running_loop().create_task(self._run())

    def add(self, entry: PendingMessage) -> None:
        """Commit the message with the next group, and set the result of its `taken`."""
        self._waiting.append(entry)
        self._changed.set()

    async def close(self) -> None:
        """End, and tell whoever still waits that its message is not known to be committed."""
        if self._committer is not None:
            self._committer.cancel()
            await asyncio.gather(self._committer, return_exceptions=True)
        _fail(self._waiting, DatabaseUnavailable("this process is ending"))

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            await self._turn()

    async def _turn(self) -> None:
        """Commit what has gathered while the last commit ran."""
        group, self._waiting = self._waiting[:GROUP], self._waiting[GROUP:]
        if not self._waiting:
            self._changed.clear()
        try:
            await self._commit(group)
        except (DatabaseUnavailable, asyncio.CancelledError) as error:
            self._note_unsure(group)
            _fail(group, error)
            if isinstance(error, asyncio.CancelledError):  # `close` waits no longer
                raise
        except Exception as error:
            # The committer must outlive any message, and every session must hear an answer.
            await self._commit_each(group, error)

    async def _commit_each(self, group: list[PendingMessage], error: Exception) -> None:
        """Commit each message by itself, so that one that cannot be written fails alone."""
        if len(group) == 1:
            logger.error("message=%s cannot be stored: %s", group[0].id, error)
            _fail(group, error)
            return
        for entry in group:
            try:
                await self._commit([entry])
            except Exception as own_error:
                # As in `_turn`: whatever it is, this entry's session must hear of it.
                logger.error("message=%s cannot be stored: %s", entry.id, own_error)
                if isinstance(own_error, DatabaseUnavailable):
                    self._note_unsure([entry])
                _fail([entry], own_error)

    def _note_unsure(self, group: list[PendingMessage]) -> None:
        """Note messages that may be committed though the answer was lost."""
        for entry in group:
            if not entry.taken.done():
                self._unsure.add(entry.id, _line(entry))

    async def _commit(self, group: list[PendingMessage]) -> None:
        first = {entry.key or entry.id: entry for entry in reversed(group)}
        unique = list(first.values())
        [(fresh, lanes, urgent)] = await self._database.fetch(COMMIT, columns(unique))
        self._wakeups.notify(lanes, urgent=urgent)
        taken = set(fresh)
        repeats = [entry for entry in group if first[entry.key or entry.id].id not in taken]
        with loglines.together():
            for entry in group:
                # Theirs is committed, whatever becomes of the next question.
                if entry not in repeats:
                    _answer(entry, first[entry.key or entry.id].id)
        ids = await self._first_ids([entry.key for entry in repeats if entry.key])
        for entry in repeats:
            _answer(entry, ids[entry.key or b""])

    async def _first_ids(self, keys: list[bytes]) -> dict[bytes, UUID]:
        """Find the ids under which these submissions were taken before."""
        if not keys:
            return {}
        return {
            bytes(key): id_ for key, id_ in await self._database.fetch(FIRST_IDS, {"keys": keys})
        }


def _answer(entry: PendingMessage, id_: UUID) -> None:
    receipt = Receipt(str(id_), is_repeat=id_ != entry.id)
    if not entry.taken.done():
        entry.taken.set_result(receipt)
    _log(entry, receipt)


def _fail(group: list[PendingMessage], error: BaseException) -> None:
    for entry in group:
        if not entry.taken.done():
            failure = IntakeUnavailable(str(error))
            failure.__cause__ = error
            entry.taken.set_exception(failure)


def _log(entry: PendingMessage, receipt: Receipt) -> None:
    if receipt.is_repeat:
        maillog.repeated(receipt.queue_id, credential=entry.submission.sender.credential_id)
        return
    _line(entry)()


def _line(entry: PendingMessage) -> Callable[[], None]:
    """Prepare the line that the log gets once a message is taken.

    It is made without the entry and its content.
    """
    sender, envelope = entry.submission.sender, entry.submission.envelope
    return partial(
        maillog.accepted, str(entry.id), project=sender.project_id, credential=sender.credential_id,
        size=entry.size,
        mail_from=envelope.mail_from, recipients=len(envelope.recipients),
        priority=entry.submission.priority.name.lower(),
    )  # fmt: skip
