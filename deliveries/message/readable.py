"""What a person reads of a message: its headers and its plain text, never its HTML.

Mail is hostile, and so is its form.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from domains.foundation.text.texts import clean, clean_lines

logger = logging.getLogger(__name__)

SHOWN_MOST = 262_144  # bytes; what is longer is cut, for the parser and for the browser
HEADERS_MOST = 200


@dataclass(frozen=True, slots=True)
class Reading:
    """`text` is "" where there is no text part; `is_cut` tells that the mail is longer than what
    was read.
    """

    subject: str
    headers: list[tuple[str, str]]
    text: str
    source: str
    is_cut: bool


def read(data: bytes) -> Reading:
    kept = data[:SHOWN_MOST]
    source = clean_lines(kept.decode("utf-8", "replace"))
    try:
        message = message_from_bytes(kept, policy=default)
        assert isinstance(message, EmailMessage)
        headers = [
            (clean(name), clean(str(value))) for name, value in message.items()[:HEADERS_MOST]
        ]
        subject, text = clean(str(message["Subject"] or "")), clean_lines(_text(message))
    except Exception as error:  # the library raises all kinds on a broken header or charset
        # the source is shown still
        logger.info("event=unreadable error=%s", type(error).__name__)
        headers, subject, text = [], "", ""
    return Reading(subject, headers, text, source, is_cut=len(data) > SHOWN_MOST)


def _text(message: EmailMessage) -> str:
    part = message.get_body(preferencelist=("plain",))
    return str(part.get_content()) if part is not None else ""
