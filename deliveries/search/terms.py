"""The terms by which the index knows a message: the words of its subject, its senders, the domains
of its recipients, its project and credential.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

WORDS_MOST = 64  # of one subject
ADDRESS_MOST = 320  # characters
HEADER_MOST = 1000  # characters of From that are looked at
_ADDRESS = re.compile(r"[^\s<>\"(),;:]+@[^\s<>\"(),;:]+")
_RUN = re.compile(r"\w+")
# Han, kana, Hangul and Thai are written without blanks: each pair of characters is a term.
_UNSPACED = re.compile(
    "[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\U00020000-\U0002fa1f]+"
)


def folded(text: str) -> str:
    """Return the text as it is compared: without case, full-width letters as letters (NFKC)."""
    return unicodedata.normalize("NFKC", text).casefold()


def words(text: str) -> list[str]:
    """Return the terms of a subject, or of what is looked for in one, each once and in order."""
    if text.isascii():  # as most are: nothing to fold but the case, and nothing without blanks
        plain = dict.fromkeys(run[:40] for run in _RUN.findall(text.lower()))
        return list(plain)[:WORDS_MOST]
    found = dict.fromkeys(term for run in _RUN.findall(folded(text)) for term in _of_run(run))
    return list(found)[:WORDS_MOST]


def _of_run(run: str) -> Iterator[str]:
    end = 0
    for part in _UNSPACED.finditer(run):
        if part.start() > end:
            yield run[end : part.start()][:40]
        characters = part[0]
        yield from (characters[at : at + 2] for at in range(len(characters) - 1))
        if len(characters) == 1:
            yield characters
        end = part.end()
    if end < len(run):
        yield run[end:][:40]


@lru_cache(maxsize=4096)  # an app has few senders and many messages
def sender(address: str) -> tuple[str, ...]:
    """Return the terms of a sender's address: itself and its domain."""
    key = address.strip().strip("<>").lower()
    if "@" not in key or len(key) > ADDRESS_MOST:  # GIN takes no item over 2.7 kB
        return ()
    return f"from:{key}", f"from:@{key.rpartition('@')[2]}"


@lru_cache(maxsize=4096)  # as above
def named_in(header: str) -> tuple[str, ...]:
    """Return the addresses in the field From."""
    return tuple(_ADDRESS.findall(header[:HEADER_MOST]))


def of_message(
    *,
    project: int,
    credential: int | None,
    senders: Iterable[str],
    domains: Iterable[str],
    subject: str,
) -> list[str]:
    """Return all terms of one message, each once.

    `senders` are addresses, `domains` those of the recipients as A-labels.
    """
    found = [f"project:{project}", *words(subject)]
    if credential:
        found.append(f"credential:{credential}")
    for each in senders:
        found += sender(each)
    found += [f"to:@{domain}" for domain in domains]
    return list(dict.fromkeys(found))
