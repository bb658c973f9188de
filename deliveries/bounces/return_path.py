"""The signed return path (VERP) that names a delivery: made for MAIL FROM, read again from a
bounce's RCPT TO.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from domains.foundation.secrets import tokens

PREFIX = "b-"
# Late bounces come within days; a token that leaks is worthless after a month.
LIFETIME = timedelta(days=30)

SIZE = 18  # octets of a payload

_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
_USE = b"return-path"


class ForgedReturnPath(ValueError):
    """Looks like a return path of ours and is none, or is too old."""


def make(delivery: UUID, *, key: bytes, now: datetime) -> str:
    """Return the local part: 44 characters, in one case since some senders of bounces change it."""
    return PREFIX + tokens.make(payload(delivery, now=now), key=key, use=_USE)


def parse(local_part: str, *, key: bytes, now: datetime) -> UUID:
    """Return the delivery whose return path this is; raise `ForgedReturnPath` where it is none."""
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
    """Return the delivery that a return path of ours names, though its token may have ended.

    This is for people. Raise `ForgedReturnPath` where it is not ours.
    """
    try:
        token = tokens.parse(local_part[len(PREFIX) :], size=SIZE, key=key, use=_USE)
    except tokens.ForgedToken as error:
        raise ForgedReturnPath(str(error)) from error
    return UUID(bytes=token[:16])


def payload(delivery: UUID, *, now: datetime) -> bytes:
    """Pack the delivery and the day on which its token ends."""
    return delivery.bytes + ((now - _EPOCH) + LIFETIME).days.to_bytes(2, "big")


def read(payload: bytes, *, now: datetime) -> tuple[UUID, bool]:
    """Return the delivery, and whether the token has ended."""
    return UUID(bytes=payload[:16]), int.from_bytes(payload[16:], "big") < (now - _EPOCH).days


def is_ours(local_part: str) -> bool:
    return local_part[: len(PREFIX)].lower() == PREFIX
