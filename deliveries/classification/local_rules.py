"""Rules about answers that people add: words in their order, never a pattern that could take for
ever.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from deliveries.classification.rules import normal
from deliveries.smtp.outcomes import Stage
from suppressions.classes import Class

PATTERN_MOST = 500
WORD_LEAST = 4  # characters of the longest word: "550" or "no" would speak about everything


@dataclass(frozen=True, slots=True)
class ParsedLocalRule:
    """`pattern`: words that the answer holds, `*` between two that follow each other anywhere, `|`
    between alternatives.
    """

    name: str
    class_: Class
    pattern: str
    is_hard: bool = False
    detail: str = ""
    providers: frozenset[str] = frozenset()
    stages: frozenset[Stage] = frozenset()
    codes: frozenset[int] = frozenset()

    @property
    def full_name(self) -> str:
        return f"local/{self.name}"


def alternatives(pattern: str) -> list[list[str]]:
    """Return the words of each alternative, as they stand in a text that `normal` has been over.

    Raise `ValueError` for a pattern that is too long, or an alternative without a word long enough.
    """
    if len(pattern) > PATTERN_MOST:
        raise ValueError(f"At most {PATTERN_MOST} characters")
    found = [
        [word for each in part.split("*") if (word := normal(each))] for part in pattern.split("|")
    ]
    if any(not words or max(map(len, words)) < WORD_LEAST for words in found):
        raise ValueError(f"Each alternative needs a word of at least {WORD_LEAST} characters")
    return found


class LocalRules:
    """In the order of their names; the first that fits counts.

    Costs microseconds for each rule, whatever the text.
    """

    def __init__(self, rules: Iterable[ParsedLocalRule]) -> None:
        self._rules = [
            (rule, alternatives(rule.pattern)) for rule in sorted(rules, key=lambda rule: rule.name)
        ]

    def __bool__(self) -> bool:
        return bool(self._rules)

    def find(
        self, text: str, *, provider: str, stage: Stage | None, code: int
    ) -> ParsedLocalRule | None:
        for rule, found in self._rules:
            is_here = (
                (not rule.providers or provider in rule.providers)
                and (not rule.stages or stage in rule.stages)
                and (not rule.codes or code in rule.codes)
            )
            if is_here and any(_stand_in(text, words) for words in found):
                return rule
        return None


def _stand_in(text: str, words: list[str]) -> bool:
    at = 0
    for word in words:
        at = text.find(word, at)
        if at < 0:
            return False
        at += len(word)
    return True
