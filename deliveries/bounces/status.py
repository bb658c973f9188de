"""The fields of a delivery status (RFC 3464), as mail systems write them: not always in groups,
not always complete.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from deliveries.bounces.mime import Fields, read_fields
from deliveries.bounces.wording import ADDRESS
from domains.foundation.text.texts import has_control

MAX_RECIPIENTS = 100

_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,4})(?![\d.])")
_BEGINS = re.compile(
    r"^[ \t]*(?:(?:Final|Original)-Recipient|Action|Reporting-MTA)[ \t]*:",
    re.IGNORECASE | re.MULTILINE,
)
_TYPE = re.compile(r"^\s*[\w-]{1,30}\s*;\s*")
_UTF8 = re.compile(r"\\x\{([0-9A-Fa-f]{1,6})\}")


@dataclass(frozen=True, slots=True)
class Status:
    """One recipient's fields. `action` is in lower case; what the report does not say is empty.

    `recipient` is the address that we wrote to, where the report knows it (RFC 3464, section
    2.3.1); `final` is what became of it.
    """

    recipient: str
    action: str
    status: str
    diagnostic: str
    host: str
    reporter: str
    final: str = ""
    is_program: bool = False  # `diagnostic` was printed by a program that was given the message


def statuses(text: str) -> list[Status]:
    """Read all recipients of a message/delivery-status, or of a text with such fields."""
    found: list[Status] = []
    reporter = ""
    for fields in _groups(text):
        reporter = _bare(fields, "reporting-mta") or reporter
        if "action" in fields or "final-recipient" in fields or "original-recipient" in fields:
            found.append(_status(fields, reporter))
        if len(found) >= MAX_RECIPIENTS:
            break
    return found


def stands_in(text: str) -> bool:
    """Tell whether the fields are part of the text.

    Whoever sent it lost the MIME header or never wrote one.
    """
    return len(_BEGINS.findall(text[:65_536])) >= 2


def _groups(text: str) -> list[Fields]:
    """Split the fields into groups: at blank lines, and where a field that opens a group comes
    again.
    """
    groups: list[list[str]] = [[]]
    seen: set[str] = set()
    for line in text.split("\n"):
        name = line.partition(":")[0].strip().lower() if line[:1] not in (" ", "\t") else ""
        if not line.strip() or (name in ("final-recipient", "action") and name in seen):
            groups.append([])
            seen = set()
        seen.add(name)
        groups[-1].append(line)
    return [fields for group in groups if (fields := read_fields("\n".join(group)))]


def _status(fields: Fields, reporter: str) -> Status:
    original, final = (
        _recipient(fields, "original-recipient"),
        _recipient(fields, "final-recipient"),
    )
    code = _STATUS.search(_first(fields, "status"))
    return Status(
        recipient=(original if "@" in original else "")
        or final
        or original
        or _recipient(fields, "x-actual-recipient"),
        action=(_first(fields, "action") or _first(fields, "ction"))
        .strip()
        .lower()
        .partition(" ")[0][:20],
        status=code[1] if code else "",
        diagnostic=_TYPE.sub("", _first(fields, "diagnostic-code"), count=1)[:4000],
        host=_bare(fields, "remote-mta").partition(" ")[0].rstrip("."),
        reporter=reporter,
        final=final,
        is_program=_first(fields, "diagnostic-code").lower().startswith("x-unix"),
    )


def _recipient(fields: Fields, name: str) -> str:
    value = _UTF8.sub(lambda match: chr(min(int(match[1], 16), 0x10FFFF)), _bare(fields, name))
    if (match := ADDRESS.search(value)) is not None:
        return match.group()
    return value.strip("<> ")[:320] if not has_control(value) else ""


def _bare(fields: Fields, name: str) -> str:
    """Return the value without its type: `dns; mx.example.test`."""
    return _TYPE.sub("", _first(fields, name), count=1).strip()


def _first(fields: Fields, name: str) -> str:
    return " ".join(fields.get(name, [""])[0].split())
