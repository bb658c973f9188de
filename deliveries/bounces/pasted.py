"""Finds the report in what a person has pasted: a whole message, or the lines that a mail program
shows of one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_FIELDS = (
    "Reporting-MTA|Arrival-Date|Original-Envelope-Id|Original-Recipient|Final-Recipient|Action|"
    "Status|Remote-MTA|Diagnostic-Code|Last-Attempt-Date|Will-Retry-Until|Final-Log-ID"
)
# Where a program has run the lines together, each field begins after a blank.
_FIELD = re.compile(rf"(?<!\S)(?P<name>{_FIELDS}):[ \t]*", re.IGNORECASE)
_NAMES_SOMEBODY = re.compile(r"(?:final|original)-recipient\s*:", re.IGNORECASE)
_HEADER = (
    b"Content-Type: multipart/report; report-type=delivery-status; boundary=pasted\r\n\r\n"
    b"--pasted\r\nContent-Type: message/delivery-status\r\n\r\n"
    b"Reporting-MTA: dns; unknown\r\n"
)


def reports_in(text: str) -> Iterator[bytes]:
    """Yield the messages that a pasted text may stand for, the likeliest first; none where it is
    no report.
    """
    first = _FIELD.search(text)
    if first is None or not _NAMES_SOMEBODY.search(text):
        return
    yield text.strip().encode()
    fields = _FIELD.sub(lambda found: f"\n{found['name']}: ", text[first.start() :])
    yield b"".join((_HEADER, *_blocks(fields), b"\r\n--pasted--\r\n"))


def _blocks(fields: str) -> Iterator[bytes]:
    """Yield the lines, with an empty one before what is said of each recipient."""
    is_begun = False
    for line in (each.strip() for each in fields.split("\n")):
        name = line.partition(":")[0].lower()
        if name == "reporting-mta" or not line:
            continue
        if name == "original-recipient" or (name == "final-recipient" and not is_begun):
            yield b"\r\n"
        is_begun = name == "original-recipient"
        yield line.encode() + b"\r\n"
