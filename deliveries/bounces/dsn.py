"""Reads a delivery status notification (RFC 3464): what it says of its first recipient."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import Message

MAX_PARTS = 50
_STATUS = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


@dataclass(frozen=True, slots=True)
class Finding:
    """The report's own words, cut to size and without control characters; `action` is in lower case."""

    action: str
    status: str
    text: str
    reporter: str


def read(data: bytes) -> Finding | None:
    """What the report says; None where it is no report of this kind."""
    try:
        blocks = _status_blocks(message_from_bytes(data, policy=policy.compat32))
        return _finding(blocks)
    except Exception:  # hostile bytes: the email package has a dozen ways to say no, and all mean "no report"
        return None


def _finding(blocks: list[Message]) -> Finding | None:
    recipient = next((block for block in blocks if "action" in block), None)
    if recipient is None:
        return None
    status = _STATUS.search(_value(recipient, "status"))
    return Finding(
        action=_value(recipient, "action").lower()[:20],
        status=status.group() if status else "",
        text=_value(recipient, "diagnostic-code").partition(";")[2].strip()[:1000],
        reporter=next((_value(block, "reporting-mta") for block in blocks if "reporting-mta" in block), "").partition(";")[2].strip()[:255],
    )


def _status_blocks(report: Message) -> list[Message]:
    """The field groups of the delivery-status part, as the email package splits them."""
    for number, part in enumerate(report.walk()):
        if number > MAX_PARTS:
            break
        payload = part.get_payload()
        if part.get_content_type() == "message/delivery-status" and isinstance(payload, list):
            return [block for block in payload if isinstance(block, Message)]
    return []


def _value(block: Message, name: str) -> str:
    """Lone surrogates, which the email package makes of 8-bit bytes, become question marks: no database takes them."""
    return _CONTROLS.sub(" ", str(block.get(name, ""))).encode("utf-8", "replace").decode().strip()
