"""A transaction at the MX port: who may be written to there, how large, and how much in a day."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from deliveries.backends import maillog
from deliveries.bounces import receive, return_path, trimming
from domains.foundation.secrets.tokens import ForgedToken
from domains.foundation.text.addresses import Address
from domains.senders import report_address
from smtp_listener.admission import policy
from smtp_listener.admission.policy import Refused
from smtp_listener.protocol import commands, replies
from smtp_listener.protocol.commands import PathCommand
from smtp_listener.protocol.replies import ServerReply
from smtp_listener.protocol.spool import Spool
from smtp_listener.sessions.client import Client
from smtp_listener.sessions.transaction import (
    MAIL_PARAMETERS,
    Transaction,
    check_mail_parameters,
    check_names,
    path_of,
)

MAX_TARGETS = 10  # mailboxes of one letter
LETTER = 262_144  # bytes of mail for people
# Who is written to by name: RFC 2142, and the addresses for feedback loops that providers are told.
MAILBOXES = {
    "postmaster": "postmaster",
    "abuse": "abuse",
    "feedback": "feedback",
    "fbl": "feedback",
}
FOR_PEOPLE = frozenset({"postmaster", "abuse"})
DMARC_MAIL = 15_728_640  # bytes: a report of 10 MB in base64, and what stands around it


class InboundTarget(NamedTuple):
    """A mailbox of ours, with the delivery or the domain that its address names."""

    kind: str
    delivery: UUID | None = None
    domain: int | None = None

    @property
    def is_alone(self) -> bool:
        return self.delivery is not None or self.domain is not None


class InboundTransaction(Transaction):
    """A report at one of our return paths, about DMARC, or a letter to one of our mailboxes.

    It is stored once: what comes to several mailboxes is one letter, and an address that names
    something has its mail for itself.
    """

    def __init__(
        self, session: Client, mail_from: Address | None, parameters: dict[str, str]
    ) -> None:
        super().__init__(session, mail_from, parameters)
        self._declared = commands.size(parameters["SIZE"]) if "SIZE" in parameters else 0
        self._targets: list[InboundTarget] = []
        self._repeats = 0

    @classmethod
    async def begin(cls, session: Client, given: PathCommand) -> InboundTransaction:
        """Begin a transaction with MAIL; raise `Refused`."""
        if not session.listener.disk.has_room(is_for_apps=False):
            raise Refused(replies.STORAGE_FULL)
        check_mail_parameters(given.parameters, MAIL_PARAMETERS, max_size=session.max_size)
        smtputf8 = "SMTPUTF8" in given.parameters
        return cls(
            session, path_of(given.path, is_sender=True, smtputf8=smtputf8), given.parameters
        )

    @property
    def has_recipients(self) -> bool:
        return bool(self._targets)

    @property
    def max_size(self) -> int:
        most = self.session.max_size
        if any(target.domain is not None for target in self._targets):
            return min(DMARC_MAIL, most)
        is_letter = any(target.kind in FOR_PEOPLE for target in self._targets)
        return min(LETTER, most) if is_letter else most

    async def add_recipient(self, given: PathCommand) -> None:
        check_names(given.parameters, frozenset())
        try:
            target = await self._target(given.path)
        except (return_path.ForgedReturnPath, ForgedToken) as error:
            if self.session.may_log():
                maillog.forged_return_path(
                    client=str(self.session.client), recipient=given.path[:64]
                )
            await self.session.listener.forged_return_paths.count()
            raise Refused(replies.NO_SUCH_RETURN_PATH) from error
        if target in self._targets:
            self._repeats += 1
            if self._repeats >= MAX_TARGETS:
                raise Refused(replies.TOO_MANY_RECIPIENTS(most=MAX_TARGETS))
        else:
            await self._check(target)
            self._targets.append(target)

    async def _check(self, target: InboundTarget) -> None:
        """Refuse what is refused before the content comes: raise `Refused`."""
        is_alone = target.is_alone or any(each.is_alone for each in self._targets)
        most = 1 if is_alone else MAX_TARGETS
        if len(self._targets) >= most:
            raise Refused(replies.TOO_MANY_RECIPIENTS(most=most))
        if target.kind in FOR_PEOPLE and self._declared > LETTER:
            raise Refused(replies.TOO_LARGE(most=LETTER))
        if target.domain is not None and self._declared > DMARC_MAIL:
            raise Refused(replies.TOO_LARGE(most=DMARC_MAIL))
        if not await self.session.listener.inbound_quotas.has_room(
            self.session.client, target.delivery, target.domain
        ):
            raise Refused(replies.INBOUND_FULL)

    async def _target(self, path: str) -> InboundTarget:
        if path.lower() == "postmaster":  # RFC 5321, section 4.5.1: it needs no domain
            return InboundTarget("postmaster")
        local_part, _, domain = path.rpartition("@")
        domain, listener = domain.lower().rstrip("."), self.session.listener
        is_return_path = return_path.is_ours(local_part)
        unknown = replies.RELAY_DENIED
        if domain != listener.hostname:
            if not await listener.return_path_names.has(domain):
                if is_return_path:
                    raise return_path.ForgedReturnPath("the name is nobody's")
                raise Refused(replies.RELAY_DENIED)
            unknown = replies.NO_SUCH_RETURN_PATH
        if kind := MAILBOXES.get(local_part.lower()):
            return InboundTarget(kind)
        if domain == listener.hostname and (kind := report_address.kind_of(local_part)):
            return InboundTarget(kind, domain=report_address.domain_of(local_part))
        if not is_return_path:
            raise Refused(unknown)
        delivery = return_path.parse(
            local_part, key=self.session.listener.return_path_key, now=datetime.now(UTC)
        )
        return InboundTarget("report", delivery)

    def keep(self, spool: Spool) -> Callable[[bytes], None]:
        """Return a function that keeps content up to what is stored in the end, and reads and
        forgets the rest.

        A report that is too long is taken all the same. Packed data are kept whole: they are worth
        nothing without their end.
        """
        self.spool = spool
        if self._targets[0].domain is not None:
            return spool.append

        def append(data: bytes) -> None:
            if spool.size <= trimming.MOST:
                spool.append(data)

        return append

    async def store(self, data: bytes) -> ServerReply:
        assert self.spool is not None
        policy.check_returned(data, self.session.listener.hostname)
        async with self.session.listener.returned_at_once.share(self.spool.size):
            if not self.spool.is_in_memory:
                data = await asyncio.to_thread(b"".join, self.spool.body(0).chunks())
            is_packed = self._targets[0].domain is not None
            kept = data if is_packed else trimming.trim(data, trimming.MOST)
            return await self._store(await receive.compressed(kept))

    async def _store(self, compressed: bytes) -> ServerReply:
        kind, delivery, domain = self._targets[0]
        listener, client = self.session.listener, self.session.client
        if not await listener.inbound_quotas.take(client, delivery, len(compressed), domain):
            return replies.INBOUND_FULL
        try:
            stored = await receive.receive(
                listener.inbound,
                kind=kind,
                delivery_id=delivery,
                mail_from=self.mail_from.wire if self.mail_from else "",
                client_address=str(client),
                compressed=compressed,
                domain_id=domain,
            )
        except BaseException:
            await listener.inbound_quotas.give_back(client, delivery, len(compressed), domain)
            raise
        return replies.RECEIVED(queue_id=stored)
