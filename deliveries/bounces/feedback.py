"""Complaints: feedback reports (RFC 5965) and those of providers that have a form of their own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from deliveries.bounces import kinds
from deliveries.bounces.mime import Fields, Part, header, originals, read_fields
from deliveries.bounces.wording import ADDRESS, addresses


@dataclass(frozen=True, slots=True)
class Complaint:
    """Who complained, where the report says so, and of what: abuse, fraud, opt-out, unsubscribe,
    auth-failure, …
    """

    type: str
    recipients: tuple[str, ...]


# Microsoft's Junk Mail Reporting, AOL's and SpamCop's old forms have no feedback-report part.
_ABUSE = re.compile(
    r"complaint about message from|^(?:fw: )?(?:spam|abuse) "
    r"(?:report|complaint)|^\[spamcop|email feedback report"
    r"|client tos notification|junk (?:e?mail )?report|feedback loop",
    re.IGNORECASE,
)
_WORD = re.compile(r"[a-z0-9-]{1,30}")


def read(fields: Fields, parts: Sequence[Part], text: str) -> Complaint | None:
    """Read a complaint; return None where the message is none.

    A subject that begins with "unsubscribe" is not enough: answers keep the subject that the app
    wrote, and we offer no address for unsubscribing. What a program sent is a complaint only in one
    of the known forms.
    """
    report = next((part for part in parts if part.type == "message/feedback-report"), None)
    if report is not None:
        said = read_fields(report.text)
        return Complaint(_type(said), _named(said) or _original(parts))
    # Apple Mail writes it at a touch of "Unsubscribe": an answer that no person worded.
    if "x-apple-unsubscribe" in fields:
        return Complaint("unsubscribe", tuple(addresses(header(fields, "from"))[:1]))
    if kinds.is_answer_of_program(fields):
        return None
    if "feedback-type" in (inline := read_fields(text[:4000])) and "user-agent" in inline:
        return Complaint(_type(inline), _named(inline) or _original(parts))
    if _ABUSE.search(header(fields, "subject")) and any(
        part.type == "message/rfc822" for part in parts
    ):
        return Complaint("abuse", _original(parts))
    return None


def _type(said: Fields) -> str:
    match = _WORD.match(header(said, "feedback-type").lower())
    return match.group() if match else "abuse"


def _named(said: Fields) -> tuple[str, ...]:
    found = [
        value for name in ("original-rcpt-to", "removal-recipient") for value in said.get(name, [])
    ]
    return tuple(dict.fromkeys(address for value in found for address in addresses(value)))[:100]


def _original(parts: Sequence[Part]) -> tuple[str, ...]:
    """Return the one recipient that the header of the complained-about message names; none where it
    hides or lists several.
    """
    for fields in originals(parts):
        for name in ("x-hmxmroriginalrecipient", "x-original-to", "delivered-to", "to"):
            if len(found := ADDRESS.findall(header(fields, name))) == 1:
                return tuple(found)
    return ()
