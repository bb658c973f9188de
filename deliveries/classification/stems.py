"""What a sentence says by its stems, in twenty-one languages: a noun of the recipient near a verb
for its state.

Asked after all phrases. A phrase is one text's wording; a stem holds for wordings that nobody here
has seen. The two stand in one sentence, at most `NEAR` characters apart, in either order.
"""

from __future__ import annotations

import re

from deliveries.classification.asian_stems import ASIAN
from deliveries.classification.english_stems import LOOSE_ENGLISH
from deliveries.classification.european_stems import EUROPEAN
from deliveries.classification.rules import BounceRule, phrases
from deliveries.classification.sender_stems import SENDING
from suppressions.classes import Class

NEAR = 40
_CLASSES = {
    "unknown": Class.UNKNOWN_USER, "full": Class.MAILBOX_FULL, "disabled": Class.MAILBOX_DISABLED,
    "domain": Class.UNKNOWN_DOMAIN, "refused": Class.RECIPIENT_REFUSED, "size": Class.TOO_LARGE,
    "spam": Class.CONTENT, "late": Class.NETWORK, "connection": Class.NETWORK,
    "permission": Class.SENDER_REFUSED, "virus": Class.VIRUS, "policy": Class.POLICY,
    "reputation": Class.REPUTATION, "rate": Class.RATE_LIMITED, "relay": Class.RELAY_DENIED,
    "sender": Class.SENDER_REFUSED, "system": Class.SYSTEM, "loop": Class.SYSTEM,
    "authentication": Class.AUTHENTICATION, "address": Class.REPUTATION,
}  # fmt: skip
_DETAILS = {
    "spam": "spam", "late": "expired", "connection": "connection", "loop": "loop",
    "reputation": "blocklist", "address": "address",
}  # fmt: skip


# "Not allowed" is "isn't allowed", too.
_NOT = re.compile(r"(?<=\)) not |(?<![a-z? ])not ")

Row = tuple[str, str, str, str, str]


def _rules(rows: tuple[Row, ...]) -> tuple[BounceRule, ...]:
    made: list[BounceRule] = []
    for language, meaning, nouns, states, example in rows:
        if language == "en":
            states = _NOT.sub(lambda match: f"(?:{match.group()[:-1]}|n't) ", states)
        gap = rf"[^.!?。！？]{{0,{NEAR}}}?"  # the ends of a sentence, in East Asian scripts too
        pattern = rf"(?:{nouns}){gap}(?:{states})|(?:{states}){gap}(?:{nouns})"
        row = (f"stem-{language}-{meaning}", pattern, example, _DETAILS.get(meaning, ""))
        made += phrases(_CLASSES[meaning], row)
    return tuple(made)


_ALL = (*EUROPEAN, *ASIAN, *SENDING)
# "The group does not exist, or you may not write to it": what may not be is the reason.
MAY_NOT = _rules(tuple(row for row in _ALL if row[1] == "permission"))
STEMS = _rules(tuple(row for row in _ALL if row[1] != "permission"))
# English words that also stand in texts about something else: asked after all else.
LAST = _rules(LOOSE_ENGLISH)
