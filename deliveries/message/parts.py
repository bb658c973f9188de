"""The parts of a message that are no plain text: its HTML, for a frame that may do nothing, and its
attachments, as bytes to keep.

Mail is hostile, and so is its form.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import NamedTuple

from domains.foundation.text.texts import clean, clean_lines

logger = logging.getLogger(__name__)

HTML_MOST = 1_048_576  # characters
ATTACHMENTS_MOST = 100
# Before all that the mail says: nothing is fetched, run, sent or left, whatever comes behind it. A
# link wants a window, which the frame's sandbox does not let it have.
GUARD = (
    '<!doctype html><meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none'; style-src 'unsafe-inline'; form-action 'none'\">"
    '<meta name="referrer" content="no-referrer"><base target="_blank">'
)


class Attachment(NamedTuple):
    """One attachment by its place among them; `size` in bytes."""

    number: int
    name: str
    size: int


class Parts(NamedTuple):
    """`html` is "" where there is none, and is only for a frame with an empty `sandbox`."""

    html: str
    attachments: list[Attachment]


def parts_of(data: bytes) -> Parts:
    """Return what a message holds beside its text; nothing of one that cannot be read."""
    html, attachments = "", []
    try:
        message = _parsed(data)
        body = message.get_body(preferencelist=("html",))
        if body is not None:
            html = GUARD + clean_lines(str(body.get_content()))[:HTML_MOST]
        for number, part in enumerate(_attached(message)):
            name = clean(part.get_filename() or "")[:200]
            attachments.append(Attachment(number, name, len(_bytes(part))))
    except Exception as error:  # the library raises all kinds on a broken header or charset
        logger.info("event=unreadable error=%s", type(error).__name__)
    return Parts(html, attachments)


def attachment(data: bytes, number: int) -> bytes | None:
    """Return the bytes of one attachment as `parts_of` counts them; None where there is none."""
    try:
        parts = list(_attached(_parsed(data)))
        return _bytes(parts[number]) if 0 <= number < len(parts) else None
    except Exception as error:  # the same library, the same stranger's bytes
        logger.info("event=unreadable error=%s", type(error).__name__)
        return None


def _parsed(data: bytes) -> EmailMessage:
    message = message_from_bytes(data, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def _attached(message: EmailMessage) -> Iterator[EmailMessage]:
    """Yield all parts that are neither a container nor one of the two bodies, wherever they
    hang.
    """
    bodies = [message.get_body(preferencelist=(kind,)) for kind in ("plain", "html")]
    found = 0
    for part in message.walk():
        if part.is_multipart() or any(part is body for body in bodies):
            continue
        if found == ATTACHMENTS_MOST:
            return
        found += 1
        assert isinstance(part, EmailMessage)
        yield part


def _bytes(part: EmailMessage) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""
