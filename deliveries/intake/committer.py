"""The only way into the queue: completes and signs each message, and commits those that wait in
one transaction.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from django.conf import settings

from deliveries.backends.database import Database, DatabaseUnavailable
from deliveries.capacity.memory_budget import ByteBudget
from deliveries.intake import unsubscribing
from deliveries.intake.group_commits import GroupCommits, IntakeUnavailable
from deliveries.intake.header_completion import complete, without_dead_signatures
from deliveries.intake.long_lines import without_long_lines
from deliveries.intake.pending import PendingMessage
from deliveries.intake.submission import Receipt, SubmittedMessage
from deliveries.intake.unsure_commits import Unsure
from deliveries.message import compression
from deliveries.message.ids import new_id
from deliveries.message.priorities import Priority
from deliveries.message.signing import SigningKeys
from deliveries.message.subjects import subject_of
from deliveries.queue.wakeups import WakeUps
from domains.senders import dkim

LARGE_AT_ONCE = 67_108_864  # bytes of large messages in memory at one time


class Intake:
    """One per process: `accept` from any number of tasks.

    What has gathered is committed together. Urgent messages have a connection of their own: a group
    of large ones that is under way does not hold them up.
    """

    def __init__(
        self, database: Database, urgent: Database, keys: SigningKeys, wakeups: WakeUps
    ) -> None:
        self._databases = (database, urgent)
        self._keys = keys
        self._wakeups = wakeups
        self._memory = ByteBudget(LARGE_AT_ONCE)
        self._unsure = Unsure(database, wakeups)
        self._calm = GroupCommits(database, wakeups, self._unsure)
        self._urgent = GroupCommits(urgent, wakeups, self._unsure)

    @classmethod
    def create(cls) -> Intake:
        """Make an intake with connections of its own; `close` closes them."""
        return cls(
            Database("ekiden intake"),
            Database("ekiden intake urgent"),
            SigningKeys(Database("ekiden keys")),
            WakeUps(),
        )

    async def start(self) -> None:
        self._calm.start()
        self._urgent.start()

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
        is_urgent = submission.priority >= Priority.URGENT
        (self._urgent if is_urgent else self._calm).add(entry)
        prepared()
        return await entry.taken

    async def close(self) -> None:
        """End the commits, after the last `accept` has returned.

        Whoever still waits is told that its message is not known to be committed.
        """
        await self._calm.close()
        await self._urgent.close()
        await self._unsure.close()
        await self._wakeups.close()
        for database in self._databases:
            await database.close()
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
