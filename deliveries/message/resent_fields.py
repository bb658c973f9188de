"""The header section of a message that is sent again to somebody else (RFC 5322, section 3.6.6)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from deliveries.message.headers import Field, Headers

_UNSUBSCRIBE = frozenset({b"list-unsubscribe", b"list-unsubscribe-post"})


@dataclass(frozen=True, slots=True)
class ResentBlock:
    """Who sends it again, to whom, when, and under which id of its own; addresses in wire form."""

    sender: str
    recipient: str
    message_id: str
    at: datetime

    def __bytes__(self) -> bytes:
        lines = (
            f"Resent-Date: {format_datetime(self.at)}",
            f"Resent-From: <{self.sender}>",
            f"Resent-To: <{self.recipient}>",
            f"Resent-Message-ID: {self.message_id}",
        )
        return "".join(f"{line}\r\n" for line in lines).encode()


def resent(headers: Headers, block: ResentBlock, *, signed_by: str, unsubscribe_at: str) -> Headers:
    """Return the fields as they were, below the block of the new sending.

    Without the signatures of the domain that signs anew, and without the link that would end the
    first recipient's mail: `unsubscribe_at` is how links of ours begin.
    """
    kept = Headers(_kept(headers, signed_by, unsubscribe_at))
    return kept.before(*_lines(block))


def _kept(headers: Headers, domain: str, unsubscribe_at: str) -> Iterator[Field]:
    offers = headers.value(b"list-unsubscribe")
    is_ours = bool(unsubscribe_at) and offers.startswith(f"<{unsubscribe_at}".encode())
    for field in headers:
        if field.name == b"dkim-signature" and _signer(field) == domain.encode():
            continue
        if is_ours and field.name in _UNSUBSCRIBE:
            continue
        yield field


def _signer(field: Field) -> bytes:
    """Return the domain that a DKIM signature names (RFC 6376, section 3.5)."""
    tags = (tag.partition(b"=") for tag in b"".join(field.value.split()).split(b";"))
    return next((value.lower() for name, _, value in tags if name == b"d"), b"")


def _lines(block: ResentBlock) -> list[bytes]:
    return [line + b"\r\n" for line in bytes(block).split(b"\r\n")[:-1]]
