"""The header field by which a report finds its delivery: signed, for one recipient, and with an
end.

It is written at sending and not signed by DKIM, so all recipients of a message still share the
stored bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from deliveries.bounces import return_path
from domains.foundation.secrets import tokens

NAME = b"x-feedback-token"  # what apps send under this name is taken out
_STANDS_WITHIN = 4096  # octets: only our signatures and our Received line stood above it
_USE = b"feedback-token"
# of versions that gave all recipients of a message the same token, without an end
_USE_SHARED = b"feedback-id"


@dataclass(frozen=True, slots=True)
class Token:
    """What a token of ours names: its delivery, or of old tokens the message.

    Only one that `is_current` proves anything.
    """

    delivery: UUID | None = None
    message: UUID | None = None
    is_current: bool = False


def field(delivery: UUID, *, key: bytes, now: datetime) -> bytes:
    """Return the whole field for this delivery alone."""
    return (
        b"X-Feedback-Token: %b\r\n"
        % tokens.make(return_path.payload(delivery, now=now), key=key, use=_USE).encode()
    )


def parse(value: str, *, key: bytes, now: datetime) -> Token:
    """Return the token that a field holds; raise `ForgedToken` where it is not ours."""
    value = value.strip()
    try:
        delivery, has_ended = return_path.read(
            tokens.parse(value, size=return_path.SIZE, key=key, use=_USE), now=now
        )
    except tokens.ForgedToken:
        return Token(message=UUID(bytes=tokens.parse(value, size=16, key=key, use=_USE_SHARED)))
    return Token(delivery, is_current=not has_ended)


def without(content: bytes) -> bytes:
    """Return the content without a token field, which messages stored by older versions hold.

    Where there is none, the same bytes are returned.
    """
    at = content.find(b"\r\nX-Feedback-Token: ", 0, _STANDS_WITHIN)
    if at < 0 or 0 <= content.find(b"\r\n\r\n", 0, at + 2) < at:  # in the body it is the app's
        return content
    return content[: at + 2] + content[content.index(b"\r\n", at + 2) + 2 :]
