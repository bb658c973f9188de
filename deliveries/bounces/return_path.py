"""The signed return path (VERP) that names a delivery: made for MAIL FROM, read again from a
bounce's RCPT TO.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from domains.foundation.secrets import tokens

PREFIX = "b-"
LIFETIME = timedelta(
    days=30
)  # late bounces come within days; a token that leaks is worthless after a month

SIZE = 18  # octets of a payload

_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
_USE = b"return-path"


class ForgedReturnPath(ValueError):
    """Looks like a return path of ours and is none, or is too old."""


def make(delivery: UUID, *, key: bytes, now: datetime) -> str:
    """The local part, 44 characters, all in one case since some senders of bounces change it."""
    return PREFIX + tokens.make(payload(delivery, now=now), key=key, use=_USE)


def parse(local_part: str, *, key: bytes, now: datetime) -> UUID:
    """The delivery whose return path this is; raises `ForgedReturnPath`."""
    try:
        delivery, has_ended = read(
            tokens.parse(local_part[len(PREFIX) :], size=SIZE, key=key, use=_USE), now=now
        )
    except tokens.ForgedToken as error:
        raise ForgedReturnPath(str(error)) from error
    if has_ended:
        raise ForgedReturnPath("the token has expired")
    return delivery


def named(local_part: str, *, key: bytes) -> UUID:
    """The delivery that a return path of ours names, for people, though its token may have ended.

    Raises `ForgedReturnPath`.
    """
    try:
        token = tokens.parse(local_part[len(PREFIX) :], size=SIZE, key=key, use=_USE)
    except tokens.ForgedToken as error:
        raise ForgedReturnPath(str(error)) from error
    return UUID(bytes=token[:16])


def payload(delivery: UUID, *, now: datetime) -> bytes:
    """The delivery and the day on which its token ends."""
    return delivery.bytes + ((now - _EPOCH) + LIFETIME).days.to_bytes(2, "big")


def read(payload: bytes, *, now: datetime) -> tuple[UUID, bool]:
    """The delivery, and whether the token has ended."""
    return UUID(bytes=payload[:16]), int.from_bytes(payload[16:], "big") < (now - _EPOCH).days


def is_ours(local_part: str) -> bool:
    return local_part[: len(PREFIX)].lower() == PREFIX
