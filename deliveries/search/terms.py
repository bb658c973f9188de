"""The terms by which the index knows a message: the words of its subject, its senders, the domains
of its recipients, its project and credential.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

WORDS_MOST = 64  # of one subject
ADDRESS_MOST = 320  # characters
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


def sender(address: str) -> list[str]:
    """Return the terms of a sender's address: itself and its domain."""
    key = address.strip().strip("<>").lower()
    if "@" not in key or len(key) > ADDRESS_MOST:  # GIN takes no item over 2.7 kB
        return []
    return [f"from:{key}", f"from:@{key.rpartition('@')[2]}"]


def of_message(
    *,
    project: int,
    credential: int | None,
    senders: Iterable[str],
    domains: Iterable[str],
    subject: str,
) -> list[str]:
    """Return all terms of one message, sorted and each once.

    `senders` are addresses, `domains` those of the recipients as A-labels.
    """
    return sorted(
        {
            f"project:{project}",
            *([f"credential:{credential}"] if credential else []),
            *(term for each in senders for term in sender(each)),
            *(f"to:@{domain}" for domain in domains),
            *words(subject),
        }
    )
