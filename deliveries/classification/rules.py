"""What a rule about an answer is, and how a table of them is searched in microseconds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from deliveries.smtp.outcomes import Stage
from suppressions.classes import Class

MAX_TEXT = 2000  # characters of an answer that are looked at; servers send far less


GENERAL = frozenset({"general"})


@dataclass(frozen=True, slots=True)
class BounceRule:
    """`pattern`, a regular expression, is searched in the text as `normal` leaves it.

    Empty `providers`, `stages` and `codes` stand for any.

    `is_hard`: the address, or its domain, is dead. `says_so_itself`: a "no such user" that needs no
    proof by stage or code. `seen`: the systems whose words these are (as `corpus.Sample.system`
    names them), or "general".
    """

    name: str
    class_: Class
    pattern: str
    example: str
    detail: str = ""
    is_hard: bool = False
    says_so_itself: bool = False
    providers: frozenset[str] = frozenset()
    stages: frozenset[Stage] = frozenset()
    codes: frozenset[int] = frozenset()
    seen: frozenset[str] = GENERAL

    def fits(self, text: str, *, provider: str, stage: Stage | None, code: int) -> bool:
        is_here = (
            (not self.providers or provider in self.providers)
            and (not self.stages or stage in self.stages)
            and (not self.codes or code in self.codes)
        )
        return is_here and self.search(text) is not None

    def search(self, text: str) -> re.Match[str] | None:
        return _compiled(self.pattern).search(text)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern when it is first searched for.

    A process searches for a few of the hundreds, if any; all of them would take it a third of its
    start.
    """
    return re.compile(pattern)


HARD = {Class.UNKNOWN_USER, Class.UNKNOWN_DOMAIN}


def rule(
    name: str,
    class_: Class,
    pattern: str,
    example: str,
    *,
    detail: str = "",
    is_hard: bool | None = None,
    says_so_itself: bool = False,
    of: tuple[str, ...] = (),
    stages: tuple[Stage, ...] = (),
    codes: tuple[int, ...] = (),
    seen: tuple[str, ...] = (),
) -> BounceRule:
    return BounceRule(
        name, class_, pattern, example, detail,
        class_ in HARD if is_hard is None else is_hard, says_so_itself,
        frozenset(of), frozenset(stages), frozenset(codes), frozenset(seen) or GENERAL,
    )  # fmt: skip


def phrases(
    class_: Class, *rows: tuple[str, ...], detail: str = "", **settings: Any
) -> tuple[BounceRule, ...]:
    """Build one rule of the class for each row (name, pattern, example and, if it has one, a
    detail); `settings` go to `rule`.
    """
    return tuple(
        rule(
            f"{class_}/{row[0]}",
            class_,
            *row[1:3],
            detail=row[3] if row[3:] else detail,
            **settings,
        )
        for row in rows
    )


class RuleTable:
    """Rules in order; the first that fits counts.

    Each branch of a pattern has a literal without which it cannot match. Looking for a literal
    costs a tenth of a search by pattern, so that hundreds of rules cost about as much as a few
    dozen would.
    """

    def __init__(self, rules: Sequence[BounceRule]) -> None:
        self.rules = tuple(rules)

    @cached_property
    def _keyed(self) -> tuple[tuple[_Keys, BounceRule], ...]:
        # What two branches need is looked for once.
        return tuple((tuple(dict.fromkeys(literals(each.pattern))), each) for each in self.rules)

    @cached_property
    def _ascii(self) -> tuple[tuple[_Keys, BounceRule], ...]:
        # Most answers are ASCII and hold no other literal: other languages cost them nothing.
        ascii_keys = ((tuple(filter(str.isascii, keys)), each) for keys, each in self._keyed)
        return tuple((keys, each) for keys, each in ascii_keys if keys)

    def find(
        self, text: str, *, provider: str = "", stage: Stage | None = None, code: int = 0
    ) -> BounceRule | None:
        """Return the first rule that fits `text`, which `normal` has been over, or None."""
        for keys, each in self._ascii if text.isascii() else self._keyed:
            for key in keys:
                if key in text:
                    if each.fits(text, provider=provider, stage=stage, code=code):
                        return each
                    break
        return None


# An address names people, not reasons: "spam@" is no spam. Bounded, so that no text costs more than
# that times its length.
# A dot ends it where another follows: sendmail writes "hanako@example.test...User unknown".
_ADDRESS = re.compile(
    r"[^\s<>()\[\]\"';:,@]{1,64}@[^\s<>()\[\]\"';:,@.]{1,253}(?:\.[^\s<>()\[\]\"';:,@.]{1,253}){0,40}"
)
# The code that RFC 2034 has at the start of each line, left in the middle of a text by those who
# join lines.
_REPEATED = re.compile(
    r"(?<!^)(?:\b[245]\d\d[- ](?:#?[245]\.\d{1,3}\.\d{1,3}\b)|\b[245]\d\d-(?=[a-z ]))"
)
# The page's part that a link leads to is a word about the page:
# https://example.org/reasons#filtered
_ANCHOR = re.compile(r"(://[^\s#]{1,200})#[a-z]{1,40}(?![a-z0-9])")
# Postfix names its client in front: <relay.example.test[192.0.2.1]>. Its name gives no reason.
_CLIENT = re.compile(r"<[a-z0-9._-]{1,253}(?=\[)")
_SPACES = re.compile(r"\s+")


def normal(text: str) -> str:
    """Return one line in lower case, without addresses, a client's name and repeated codes."""
    text = _SPACES.sub(" ", text[:MAX_TEXT].lower().replace("’", "'")).strip()
    if "@" in text:
        text = _ADDRESS.sub("@", text)
    if "<" in text:
        text = _CLIENT.sub("<", text)
    if "://" in text:
        text = _ANCHOR.sub(r"\1", text)
    return _SPACES.sub(" ", _REPEATED.sub(" ", text))


_Keys = tuple[str, ...]
_QUANTIFIER = re.compile(r"[?*+]|\{[^}]*\}|")
_OPENING = re.compile(r"\((?:\?(:|=|!|<=|<!))?")


def literals(pattern: str) -> _Keys:
    """Find texts of which every match of `pattern` holds at least one: the longest of each branch,
    or those of a group in it.
    """
    return _alternation(pattern, 0)[0]


def alternatives(pattern: str) -> tuple[str, ...]:
    """Return the branches of a pattern at its top level: each is a phrase of its own."""
    found, at = [], 0
    while at <= len(pattern):
        _, end = _branch(pattern, at)
        found.append(pattern[at:end])
        at = end + 1
    return tuple(found)


def _alternation(pattern: str, at: int) -> tuple[_Keys, int]:
    """Return the texts of all branches up to the closing bracket, and where the pattern goes on."""
    keys: _Keys = ()
    while True:
        best, at = _branch(pattern, at)
        keys += best
        at += 1
        if at > len(pattern) or pattern[at - 1] == ")":
            return keys, at


def _branch(pattern: str, at: int) -> tuple[_Keys, int]:
    found: list[_Keys] = [("",)]
    run = ""
    while at < len(pattern) and pattern[at] not in "|)":
        plain, keys, at = _atom(pattern, at)
        quantifier = _quantifier(pattern, at)
        at += len(quantifier)
        may_miss = quantifier.startswith(("?", "*", "{0"))
        run += "" if may_miss else plain
        if not plain or quantifier:
            found.append((run,))
            run = ""
        if keys and not may_miss:
            found.append(keys)
    return max([*found, (run,)], key=lambda keys: min(map(len, keys))), at


def _atom(pattern: str, at: int) -> tuple[str, _Keys, int]:
    """Return the character that stands for itself, or the texts of a group.

    The number is where the next atom begins.
    """
    match pattern[at]:
        case "\\":
            char = pattern[at + 1]
            return "" if char.isalnum() else char, (), at + 2
        case "[":
            return "", (), pattern.index("]", at + 2) + 1
        case "(":
            opening = _OPENING.match(pattern, at)
            assert opening is not None
            keys, end = _alternation(pattern, opening.end())
            return "", keys if opening[1] in (None, ":") else (), end
        case char:
            return "" if char in ".^$" else char, (), at + 1


def _quantifier(pattern: str, at: int) -> str:
    match = _QUANTIFIER.match(pattern, at)
    return match.group() if match else ""


def said(
    class_: Class, name: str, *, by: str, words: str, example: str, **settings: Any
) -> tuple[BounceRule, ...]:
    """Return one row; `by` is the system as `corpus` names it, "" where anybody may say so."""
    return phrases(class_, (name, words, example), seen=(by,) if by else (), **settings)
