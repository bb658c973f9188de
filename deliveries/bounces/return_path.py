"""The signed return path (VERP) that names a delivery: made for MAIL FROM, read again from a bounce's RCPT TO."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from uuid import UUID

PREFIX = "b-"
LIFETIME = timedelta(days=30)  # late bounces come within days; a token that leaks is worthless after a month

_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
_TAG_SIZE = 8  # 64 bits: one guess a millisecond for 30 days hits once in seven billion


class ForgedReturnPath(ValueError):
    """Looks like a return path of ours and is none, or is too old."""


def make(delivery: UUID, *, key: bytes, now: datetime) -> str:
    """The local part, 44 characters, all in one case since some senders of bounces change it."""
    payload = delivery.bytes + ((now - _EPOCH) + LIFETIME).days.to_bytes(2, "big")
    return PREFIX + _encoded(payload + _tag(payload, key))


def parse(local_part: str, *, key: bytes, now: datetime) -> UUID:
    """The delivery whose return path this is; raises `ForgedReturnPath`."""
    try:
        token = base64.b32decode(_padded(local_part[len(PREFIX) :].upper()))
    except ValueError as error:
        raise ForgedReturnPath("not a token") from error
    if _encoded(token) != local_part[len(PREFIX) :].lower():  # the last character has bits that decoding ignores
        raise ForgedReturnPath("not as we write it")
    payload, tag = token[:-_TAG_SIZE], token[-_TAG_SIZE:]
    if len(payload) != 18 or not hmac.compare_digest(tag, _tag(payload, key)):
        raise ForgedReturnPath("the signature does not hold")
    if int.from_bytes(payload[16:], "big") < (now - _EPOCH).days:
        raise ForgedReturnPath("the token has expired")
    return UUID(bytes=payload[:16])


def is_ours(local_part: str) -> bool:
    return local_part[: len(PREFIX)].lower() == PREFIX


def _tag(payload: bytes, key: bytes) -> bytes:
    return hashlib.blake2b(payload, key=key, digest_size=_TAG_SIZE, person=b"return-path").digest()


def _encoded(token: bytes) -> str:
    return base64.b32encode(token).rstrip(b"=").decode("ascii").lower()


def _padded(text: str) -> str:
    return text + "=" * (-len(text) % 8)
