"""Reads by which domains a stored message is signed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import compat32

from domains.foundation.text.texts import one_line

NAME_MOST = 253
SIGNATURES_MOST = 10
_TAG = r"(?:^|;)\s*{}\s*=\s*([^;]*)"
_DOMAIN, _SELECTOR, _ALGORITHM = (re.compile(_TAG.format(tag)) for tag in ("d", "s", "a"))


@dataclass(frozen=True, slots=True)
class StatedSignature:
    """What a DKIM-Signature field says of itself; nothing is verified here."""

    domain: str
    selector: str
    algorithm: str


def signed_by(head: bytes) -> list[StatedSignature]:
    """Return the signatures of a message, of which `head` is the beginning, the topmost first."""
    fields = message_from_bytes(head, policy=compat32).get_all("DKIM-Signature", [])
    return [_stated(str(field)) for field in fields[:SIGNATURES_MOST]]


def _stated(field: str) -> StatedSignature:
    domain = _tag(_DOMAIN, field).lower()
    return StatedSignature(domain, _tag(_SELECTOR, field), _tag(_ALGORITHM, field))


def _tag(pattern: re.Pattern[str], field: str) -> str:
    found = pattern.search(field)
    return one_line(re.sub(r"\s+", "", found[1]), NAME_MOST) if found else ""
