"""What a sentence says by its stems, in twelve languages: a noun for the recipient near a verb for
its state.

Asked after all phrases. A phrase is one text's wording; a stem holds for wordings that nobody here
has seen. The two stand in one sentence, at most `NEAR` characters apart, in either order.
"""

from __future__ import annotations

from deliveries.classification.asian_stems import ASIAN
from deliveries.classification.european_stems import EUROPEAN
from deliveries.classification.rules import BounceRule, phrases
from suppressions.classes import Class

NEAR = 40
_CLASSES = {
    "unknown": Class.UNKNOWN_USER, "full": Class.MAILBOX_FULL, "disabled": Class.MAILBOX_DISABLED,
    "domain": Class.UNKNOWN_DOMAIN, "refused": Class.RECIPIENT_REFUSED, "size": Class.TOO_LARGE,
    "spam": Class.CONTENT, "late": Class.NETWORK, "connection": Class.NETWORK,
    "permission": Class.SENDER_REFUSED, "virus": Class.VIRUS, "policy": Class.POLICY,
}  # fmt: skip
_DETAILS = {"spam": "spam", "late": "expired", "connection": "connection"}


def _rules() -> tuple[BounceRule, ...]:
    made: list[BounceRule] = []
    for language, meaning, nouns, states, example in (*EUROPEAN, *ASIAN):
        gap = rf"[^.!?。！？]{{0,{NEAR}}}?"  # the ends of a sentence, in East Asian scripts too
        pattern = rf"(?:{nouns}){gap}(?:{states})|(?:{states}){gap}(?:{nouns})"
        row = (f"stem-{language}-{meaning}", pattern, example, _DETAILS.get(meaning, ""))
        made += phrases(_CLASSES[meaning], row)
    return tuple(made)


STEMS = _rules()
