"""What was read out of a report: its kind, its recipients, and what it says of each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from deliveries.bounces.evidence import best
from deliveries.classification.classifier import Answer, Classified, plainly, softened
from domains.foundation.text.texts import one_line
from suppressions.classes import Class


class ReportKind(StrEnum):
    BOUNCE = "bounce"
    DELAY = "delay"
    DELIVERED = "delivered"
    COMPLAINT = "complaint"
    AUTO_REPLY = "auto_reply"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class RecipientStatus:
    """What the report says of one recipient; `text` is its evidence, `action` and `status` are the
    words of RFC 3464 where it has them.

    The words are a stranger's: each is one printable line, cut to size, and fit for a database.
    """

    recipient: str
    classified: Classified
    code: int = 0
    enhanced: str = ""
    text: str = ""
    host: str = ""
    action: str = ""
    status: str = ""

    def __post_init__(self) -> None:
        for name, most in (
            ("recipient", 320),
            ("enhanced", 12),
            ("text", 1000),
            ("host", 255),
            ("action", 20),
            ("status", 20),
        ):
            object.__setattr__(self, name, one_line(getattr(self, name), most))


@dataclass(frozen=True, slots=True)
class Report:
    """`complaint` is its feedback type (RFC 5965, section 7.3), for many providers name no
    recipient who could have it in his fate.
    """

    kind: ReportKind
    fates: tuple[RecipientStatus, ...] = ()
    reporter: str = ""
    complaint: str = ""


def judged(recipient: str, answer: Answer, said: str, kind: ReportKind) -> RecipientStatus:
    found, spoke = best(answer, said)
    if kind is ReportKind.DELAY:  # it may still arrive
        # "A temporary problem" of the reporter's own words says no more than that it waits.
        says_why = found.weight and (spoke.code or found.rule != "system/trouble")
        found = (
            softened(found) if says_why else plainly(Class.NETWORK, rule="delay", detail="expired")
        )
    return RecipientStatus(
        recipient,
        found,
        spoke.code or answer.code,
        spoke.enhanced or answer.enhanced,
        spoke.text or said,
        spoke.host,
    )


def domain_of(address: str) -> str:
    return address.rpartition("@")[2]
