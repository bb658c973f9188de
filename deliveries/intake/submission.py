"""What the edge hands to intake: a message, its envelope, who sent it and how it arrived."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from deliveries.message.headers import Headers
from deliveries.message.priorities import Priority


@dataclass(frozen=True, slots=True)
class SubmittingAccount:
    """The account behind a message, as far as intake must know it. Durations in seconds."""

    project_id: int
    credential_id: int | None
    lifetime: int = 432_000
    idempotency_window: int = 86_400
    hides_client_address: bool = False
    adds_unsubscribe: bool = False
    keeps_subject: bool = True


@dataclass(frozen=True, slots=True)
class Recipient:
    """One RCPT TO: `wire` is what we shall send, `key` what look-ups use, `domain` an A-label."""

    wire: str
    key: str
    domain: str
    notify: str = ""
    orcpt: str = ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """The reverse-path in wire form ("" for the null one), the recipients without repeats, and
    MAIL's parameters.
    """

    mail_from: str
    recipients: tuple[Recipient, ...]
    smtputf8: bool = False
    envid: str = ""
    ret: str = ""


@dataclass(frozen=True, slots=True)
class Arrival:
    """How the message came: for the Received line and for the record.

    `protocol` as RFC 3848 names it.
    """

    client_address: str | None
    helo: str
    protocol: str
    tls: str = ""


class Body(Protocol):
    """The bytes after the empty line, in memory or spilled to disk; may be read more than once."""

    @property
    def size(self) -> int: ...

    def chunks(self) -> Iterator[bytes]: ...


@dataclass(frozen=True, slots=True)
class MemoryBody:
    """A body small enough to stay in memory."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    def chunks(self) -> Iterator[bytes]:
        yield self.data


@dataclass(frozen=True, slots=True)
class SubmittedMessage:
    """A message that passed every check of the edge.

    `header_from` is the From field for display, `from_domain` the A-label of its first mailbox: it
    chooses the signing keys. `eight_bit` tells whether any byte is above 127, `has_long_lines`
    whether a line may be over 998 octets. `idempotency_key` is the client's own, if it gave one.
    """

    sender: SubmittingAccount
    envelope: Envelope
    arrival: Arrival
    headers: Headers
    body: Body
    header_from: str
    from_domain: str
    eight_bit: bool
    has_long_lines: bool = False
    priority: Priority = Priority.NORMAL
    idempotency_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a submission that is committed: its queue id, and whether it had been taken
    before.
    """

    queue_id: str
    is_repeat: bool = False
