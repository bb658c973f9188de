"""Notices that a sending service gives in JSON instead of a report: Amazon SES, by mail through
SNS.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from deliveries.bounces.status import MAX_RECIPIENTS, Status
from deliveries.bounces.wording import ADDRESS

# https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html (read in
# November 2026); a message that SES itself refuses to send, for a virus, is a "reject".
_KINDS = {
    "bounce": "bounce",
    "complaint": "complaint",
    "delivery": "delivered",
    "deliverydelay": "delay",
    "reject": "bounce",
}
_BODIES = {"deliverydelay": "deliveryDelay"}
_IS_NOTICE = re.compile(r"(?:notification|event)Type", re.IGNORECASE)
_WRAPPED = re.compile(r"\r?\n[ \t]?")
MAX_BRACKETS = 1000  # a notice has some dozens; thousands nested would exhaust the decoder's stack


@dataclass(frozen=True, slots=True)
class Notification:
    """The kind in the words of `parsed_report.ReportKind`, and whom it is about."""

    kind: str
    statuses: list[Status]


def read(text: str) -> Notification | None:
    """Read such a notice; return None where the text is none."""
    start = text.find("{")
    if (
        start < 0
        or not _IS_NOTICE.search(text[:4000])
        or text.count("{") + text.count("[") > MAX_BRACKETS
    ):
        return None
    notice = _decoded(text[start:])
    return _of(notice) if isinstance(notice, dict) else None


def _decoded(text: str) -> object:
    """Return the object that the text begins with, or None where it is no JSON.

    A mailer that broke long lines has put line ends into its strings, or a blank too many after
    them.
    """
    for each in (text, _WRAPPED.sub("", text)):
        try:
            return json.JSONDecoder(strict=False).raw_decode(each)[0]
        except (ValueError, RecursionError):
            continue
    return None


def _of(notice: dict[str, Any]) -> Notification | None:  # JSON that anybody may have written
    if isinstance(notice.get("Message"), str):  # as SNS wraps it
        return read(notice["Message"])
    type_ = str(notice.get("notificationType") or notice.get("eventType") or "").lower()
    kind = _KINDS.get(type_)
    body = notice.get(_BODIES.get(type_, type_))
    if kind is None or not isinstance(body, dict):
        return None
    people: list[Any] = next(
        (body[name] for name in _NAMES if isinstance(body.get(name), list)), []
    )
    if (
        not people
        and isinstance(mail := notice.get("mail"), dict)
        and isinstance(mail.get("destination"), list)
    ):
        people = mail["destination"]
    return Notification(kind, [_status(each, body) for each in people[:MAX_RECIPIENTS]])


_NAMES = ("bouncedRecipients", "complainedRecipients", "delayedRecipients", "recipients")


def _status(person: object, body: dict[str, Any]) -> Status:
    about = person if isinstance(person, dict) else {"emailAddress": person}
    address = ADDRESS.search(str(about.get("emailAddress", ""))[:400])
    diagnostic = str(
        about.get("diagnosticCode")
        or body.get("smtpResponse")
        or body.get("bounceSubType")
        or body.get("reason")
        or ""
    )
    return Status(
        recipient=address.group() if address else "",
        action=str(about.get("action", ""))[:20].lower(),
        status=str(about.get("status", ""))[:10],
        diagnostic=diagnostic.partition("; ")[2][:4000]
        if diagnostic.lower().startswith("smtp;")
        else diagnostic[:4000],
        host="",
        reporter=str(body.get("reportingMTA", ""))[:255],
    )
