"""The only way into the queue: completes and signs each message, and commits those that wait in
one transaction.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from django.conf import settings

from deliveries.backends import loglines, maillog
from deliveries.backends.database import Database, DatabaseUnavailable
from deliveries.capacity.memory_budget import ByteBudget
from deliveries.intake import unsubscribing
from deliveries.intake.header_completion import complete, without_dead_signatures
from deliveries.intake.long_lines import without_long_lines
from deliveries.intake.pending import COMMIT, FIRST_IDS, PendingMessage, columns
from deliveries.intake.submission import Receipt, SubmittedMessage
from deliveries.intake.unsure_commits import Unsure
from deliveries.message import compression
from deliveries.message.ids import new_id
from deliveries.message.signing import SigningKeys
from deliveries.message.subjects import subject_of
from deliveries.queue.wakeups import WakeUps
from domains.senders import dkim

logger = logging.getLogger(__name__)

LARGE_AT_ONCE = 67_108_864  # bytes of large messages in memory at one time
GROUP = 100


class IntakeUnavailable(Exception):
    """The message was not taken, by our own fault; the client shall try again."""


class Intake:
    """One per process: `accept` from any number of tasks; one committer writes what has
    gathered.
    """

    def __init__(self, database: Database, keys: SigningKeys, wakeups: WakeUps) -> None:
        self._database = database
        self._keys = keys
        self._wakeups = wakeups
        self._waiting: list[PendingMessage] = []
        self._changed = asyncio.Event()
        self._memory = ByteBudget(LARGE_AT_ONCE)
        self._committer: asyncio.Task[None] | None = None
        self._unsure = Unsure(database, wakeups)

    @classmethod
    def create(cls) -> Intake:
        """Make an intake with connections of its own; `close` closes them."""
        return cls(Database("ekiden intake"), SigningKeys(Database("ekiden keys")), WakeUps())

    async def start(self) -> None:
        self._committer = asyncio.get_running_loop().create_task(self._run())

    async def accept(
        self, submission: SubmittedMessage, *, prepared: Callable[[], None] = lambda: None
    ) -> Receipt:
        """Store a message, which is committed when this returns.

        Raise `IntakeUnavailable` where it is not known to be, `NotText` where it cannot leave.

        `prepared` is called when all that is left is to wait for PostgreSQL. The caller shields it
        from cancellation: a commit under way goes on whether or not the client waits.
        """
        if submission.body.size <= compression.LARGE:
            return await self._accept(submission, prepared)
        async with self._memory.share(submission.body.size):
            return await self._accept(submission, prepared)

    async def _accept(self, submission: SubmittedMessage, prepared: Callable[[], None]) -> Receipt:
        try:
            signers = await self._keys.signers(submission.sender.project_id, submission.from_domain)
        except (DatabaseUnavailable, ValueError) as error:
            raise IntakeUnavailable(f"signing keys: {error}") from error
        is_large = submission.body.size > compression.LARGE
        entry = (
            await asyncio.to_thread(_prepare, submission, signers)
            if is_large
            else _prepare(submission, signers)
        )
        entry.taken = asyncio.get_running_loop().create_future()
        self._waiting.append(entry)
        self._changed.set()
        prepared()
        return await entry.taken

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            await self.turn()

    async def turn(self) -> None:
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
                # As in `turn`: whatever it is, this entry's session must hear of it.
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

    async def close(self) -> None:
        """End the committer, after the last `accept` has returned.

        Whoever still waits is told that its message is not known to be committed.
        """
        if self._committer is not None:
            self._committer.cancel()
            await asyncio.gather(self._committer, return_exceptions=True)
        _fail(self._waiting, DatabaseUnavailable("this process is ending"))
        await self._unsure.close()
        await self._wakeups.close()
        await self._database.close()
        await self._keys.close()


def _prepare(submission: SubmittedMessage, signers: Sequence[dkim.Signer]) -> PendingMessage:
    """Complete, sign and compress: all that costs time and needs no database."""
    id_ = new_id()
    now = datetime.now(UTC)
    body_hash = dkim.body_hash(submission.body.chunks())
    given_id = submission.headers.value(b"message-id")
    key = (
        idempotency_key(submission, given_id, body_hash)
        if submission.idempotency_key or given_id
        else None
    )
    if submission.has_long_lines:
        submission = without_long_lines(submission)
        body_hash = dkim.body_hash(submission.body.chunks())
    headers, message_id = complete(
        submission, queue_id=str(id_), hostname=settings.EKIDEN_HOSTNAME, now=now,
        unsubscribe=unsubscribing.fields(submission),
    )  # fmt: skip
    headers = without_dead_signatures(headers, submission, body_hash, now=now)
    if signers:
        fields = [(field.name, field.raw) for field in headers]
        headers = headers.before(
            dkim.sign(fields, body_hash, signers=signers, now=int(time.time()))
        )
    subject = subject_of(headers.value(b"subject")) if submission.sender.keeps_subject else ""
    head = bytes(headers) + b"\r\n"
    size = len(head) + submission.body.size
    data = compression.compress(head, submission.body.chunks(), size=size)
    # set on the loop
    return PendingMessage(id_, key, submission, message_id, size, data, subject, taken=None)  # type: ignore[arg-type]


def idempotency_key(submission: SubmittedMessage, message_id: bytes, body_hash: bytes) -> bytes:
    """Return what makes two submissions the same.

    It is the client's own key; else Message-ID, recipients, body and all fields that we sign.

    An app that reuses one Message-ID for different messages must not lose them silently, and a
    reader tells messages apart by Subject and Date too. A client that repeats a message after a
    lost reply repeats its fields byte for byte.
    """
    what = blake(str(submission.sender.credential_id or -submission.sender.project_id).encode())
    if submission.idempotency_key:
        what.update(b"\0key\0" + submission.idempotency_key.encode())
        return what.digest()
    fields = [field.raw for field in submission.headers.fields if field.name in dkim.SIGNED]
    what.update(b"\0id\0" + message_id + b"\0" + body_hash + b"".join(fields))
    for key in sorted(recipient.key for recipient in submission.envelope.recipients):
        what.update(b"\0" + key.encode())
    return what.digest()


def blake(data: bytes) -> hashlib.blake2b:
    return hashlib.blake2b(data, digest_size=16, person=b"submission")


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
