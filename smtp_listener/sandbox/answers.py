"""What the sandbox MX answers, by the recipient's local part: one table for the server, the docs
and the portal.
"""

from dataclasses import dataclass
from enum import StrEnum


class Play(StrEnum):
    """How an answer is given."""

    REPLY = "reply"
    FIRST_TRY = "first_try"  # only to a recipient's first try; taken some seconds later
    SLOWLY = "slowly"
    DROP = "drop"  # the message is taken and the connection closed without an answer
    LATE_BOUNCE = "late_bounce"  # taken, and returned with a report
    COMPLAINT = "complaint"  # taken, and complained of


@dataclass(frozen=True, slots=True)
class SandboxRule:
    """`stage` is RCPT or DATA (after the message); `reply` as the receiver says it; `meaning` in
    plain English.
    """

    name: str
    meaning: str
    stage: str = "RCPT"
    reply: str = ""
    play: Play = Play.REPLY


GREYLISTED_FOR = 20.0  # seconds after the first try
SLOW = 3.0  # seconds before each answer
BOUNCED_AFTER = 3.0  # seconds between the 250 and the report or complaint

RULES = {
    rule.name: rule
    for rule in (
        SandboxRule(
            "unknown-user",
            "There is no such mailbox: bounced at once.",
            reply="550 5.1.1 User unknown",
        ),
        SandboxRule(
            "unknown-user-docomo",
            "The same, as docomo says it: without an enhanced code.",
            reply="550 Unknown user",
        ),
        SandboxRule(
            "mailbox-full",
            "The mailbox is full for now: tried again.",
            reply="452 4.2.2 Mailbox full",
        ),
        SandboxRule(
            "over-quota",
            "The mailbox is over quota for good: bounced.",
            reply="552 5.2.2 Mailbox over quota",
        ),
        SandboxRule(
            "disabled",
            "The mailbox is switched off: bounced.",
            reply="550 5.2.1 Mailbox disabled, not accepting messages",
        ),
        SandboxRule(
            "blocked",
            "The sending address is on a blocklist: bounced.",
            reply="554 5.7.1 Blocked using a blocklist",
        ),
        SandboxRule(
            "temporary",
            "The receiver is in trouble, always: tried until the time is over.",
            reply="451 4.3.0 Try again later",
        ),
        SandboxRule(
            "greylist",
            "The first try is put off, a later one is taken.",
            reply="451 4.7.1 Greylisted, please try again in a while",
            play=Play.FIRST_TRY,
        ),
        SandboxRule(
            "rate-limit",
            "The session is ended for sending too fast; a later one is taken.",
            reply="421 4.7.0 Too many messages from your address, slow down",
            play=Play.FIRST_TRY,
        ),
        SandboxRule(
            "content",
            "The message itself is refused: bounced.",
            stage="DATA",
            reply="550 5.7.1 Message content rejected",
        ),
        SandboxRule("slow", f"Each answer takes {SLOW:.0f} seconds; delivered.", play=Play.SLOWLY),
        SandboxRule(
            "drop", "The answer after the message is lost: in doubt.", stage="DATA", play=Play.DROP
        ),
        SandboxRule(
            "new-owner",
            "Unknown at the first try, taken later: as when an address is given to somebody else.",
            reply="550 5.1.1 User unknown",
            play=Play.FIRST_TRY,
        ),
        SandboxRule(
            "late-bounce",
            "Taken, and returned with a report a little later.",
            stage="DATA",
            play=Play.LATE_BOUNCE,
        ),
        SandboxRule(
            "complaint",
            "Taken, and complained of by a feedback report a little later.",
            stage="DATA",
            play=Play.COMPLAINT,
        ),
    )
}


def rule_for(address: str) -> SandboxRule | None:
    """Find the rule of `unknown-user@any.test`; what follows a plus sign makes other addresses of
    the same rule.
    """
    local_part = address.rpartition("@")[0].strip('"').lower()
    return RULES.get(local_part.partition("+")[0])
