"""Signed tokens in lower-case base32: they come back to us from strangers and say only what we
once wrote.
"""

import base64
import hashlib
import hmac

TAG_SIZE = 8  # octets; 64 bits: one guess a millisecond for 30 days hits once in seven billion


class ForgedToken(ValueError):
    """Not one of ours."""


def make(payload: bytes, *, key: bytes, use: bytes) -> str:
    """Sign the payload; `use`, at most 16 octets, keeps tokens of different uses apart."""
    return _encoded(payload + _tag(payload, key, use))


def parse(token: str, *, size: int | None, key: bytes, use: bytes) -> bytes:
    """Return the payload of `size` octets, or of any; raise `ForgedToken`.

    The token may be in any case of letters, since some senders of bounces change it.
    """
    try:
        data = base64.b32decode(token.upper() + "=" * (-len(token) % 8))
    except ValueError as error:
        raise ForgedToken("not a token") from error
    if _encoded(data) != token.lower():  # the last character has bits that decoding ignores
        raise ForgedToken("not as we write it")
    payload, tag = data[:-TAG_SIZE], data[-TAG_SIZE:]
    if (size is not None and len(payload) != size) or not hmac.compare_digest(
        tag, _tag(payload, key, use)
    ):
        raise ForgedToken("the signature does not hold")
    return payload


def _tag(payload: bytes, key: bytes, use: bytes) -> bytes:
    return hashlib.blake2b(payload, key=key, digest_size=TAG_SIZE, person=use).digest()


def _encoded(data: bytes) -> str:
    return base64.b32encode(data).rstrip(b"=").decode("ascii").lower()
