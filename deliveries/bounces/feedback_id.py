"""The header field by which a complaint finds its message: signed, so that nobody complains of what he did not get."""

from uuid import UUID

from deliveries.bounces import tokens

NAME = b"x-feedback-token"  # what apps send under this name is taken out
_USE = b"feedback-id"


def field(message: UUID, *, key: bytes) -> bytes:
    """The whole field, which all recipients of the message get alike."""
    return b"X-Feedback-Token: %b\r\n" % tokens.make(message.bytes, key=key, use=_USE).encode()


def parse(value: str, *, key: bytes) -> UUID:
    """The message; raises `ForgedToken`."""
    return UUID(bytes=tokens.parse(value.strip(), size=16, key=key, use=_USE))
