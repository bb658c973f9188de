"""Says what an input is taken for: an id or how one begins, a Message-ID, a return path of ours,
addresses, a domain, or words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from domains.foundation.text.addresses import BadAddress, canonical_domain, parse_path

READ_MOST = 65_536  # characters of what was pasted
CLUES_MOST = 12
WORD_MOST = 512  # characters of what is taken for one name
_ID = re.compile(
    r"(?<![0-9a-f-])[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}(?![0-9a-f])",
    re.IGNORECASE,
)
_BEGINNING = re.compile(r"[0-9a-f]{6,8}(?:-[0-9a-f-]{0,27})?", re.IGNORECASE)
_MESSAGE_ID = re.compile(
    r"(?<!\S)(?:original-)?message-id:\s*<?([^\s<>]+@[^\s<>]+)>?", re.IGNORECASE
)
_RETURN_PATH = re.compile(r"(?<![a-z0-9])b-[a-z2-7]{40,46}(?=@|\b)", re.IGNORECASE)
# Bounded, so that a long text without any costs no square of its length.
_ADDRESS = re.compile(r"[^\s<>\"(),;:@]{1,128}@[^\s<>\"(),;:@]{0,254}[^\s<>\"(),;:.@]")
_FINAL = re.compile(
    r"(?:final|original)-recipient:\s*(?:rfc822|utf-8)\s*;\s*<?([^\s<>;]+@[^\s<>;]+)", re.IGNORECASE
)
_DOMAIN = re.compile(r"@?(?=.*\.)[^\s@/:]+\.[^\s@/:]+")


class ClueKind(StrEnum):
    """What a part of an input may name."""

    ID = "id"
    BEGINNING = "beginning"
    MESSAGE_ID = "message_id"
    RETURN_PATH = "return_path"
    ADDRESS = "address"
    DOMAIN = "domain"
    WORDS = "words"


class Clue(NamedTuple):
    """`value`: an id in lower case, a Message-ID without brackets, a local part, an address's
    canonical key, an A-label, or the words as written.
    """

    kind: ClueKind
    value: str


@dataclass(frozen=True, slots=True)
class Understood:
    """`exact` name one message each; `loose` are asked where none of those is known."""

    exact: tuple[Clue, ...]
    loose: tuple[Clue, ...]


def understood(text: str) -> Understood:
    """Return what a line or a pasted text may name, the surest first; "" names nothing."""
    text = text[:READ_MOST].strip()
    is_word = len(text) <= WORD_MOST and len(text.split()) == 1 and not _MESSAGE_ID.match(text)
    return _word(text) if is_word else _pasted(text)


def _word(word: str) -> Understood:
    if ids := _ids(word):
        return Understood(tuple(ids), ())
    address = word.strip("<>")
    if "@" in address.lstrip("@"):
        # a Message-ID looks like an address, and the other way round
        key = _key(address)
        return Understood(
            (Clue(ClueKind.MESSAGE_ID, address),),
            (Clue(ClueKind.ADDRESS, key),) if key else (),
        )
    if _BEGINNING.fullmatch(word):
        return Understood((), (Clue(ClueKind.BEGINNING, word.lower()), Clue(ClueKind.WORDS, word)))
    if _DOMAIN.fullmatch(word) and (domain := _domain(word)):
        return Understood((), (Clue(ClueKind.DOMAIN, domain),))
    return Understood((), (Clue(ClueKind.WORDS, word),))


def _pasted(text: str) -> Understood:
    exact = list(_ids(text))
    exact += [Clue(ClueKind.MESSAGE_ID, found) for found in _MESSAGE_ID.findall(text)]
    final = [key for found in _FINAL.findall(text) if (key := _key(found))]
    others = [] if final else [key for found in _ADDRESS.findall(text) if (key := _key(found))]
    if not exact:
        exact += [Clue(ClueKind.MESSAGE_ID, f.strip("<>")) for f in _ADDRESS.findall(text)]
    named = {clue.value.lower() for clue in exact if clue.kind == ClueKind.RETURN_PATH}
    loose = [
        Clue(ClueKind.ADDRESS, key)
        for key in dict.fromkeys([*final, *others])
        if key.partition("@")[0] not in named
    ]
    if not loose and not exact and text:
        loose = [Clue(ClueKind.WORDS, text)]
    return Understood(
        tuple(dict.fromkeys(exact))[:CLUES_MOST], tuple(dict.fromkeys(loose))[:CLUES_MOST]
    )


def _ids(text: str) -> list[Clue]:
    return [Clue(ClueKind.ID, found.lower()) for found in _ID.findall(text)] + [
        Clue(ClueKind.RETURN_PATH, found.lower()) for found in _RETURN_PATH.findall(text)
    ]


def _key(text: str) -> str | None:
    try:
        return parse_path(text.strip("<>"), smtputf8=True).key
    except BadAddress:
        return None


def _domain(text: str) -> str | None:
    try:
        return canonical_domain(text.lstrip("@"))
    except BadAddress:
        return None
