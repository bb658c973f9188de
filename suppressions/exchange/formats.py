"""Recognise a suppression list of another service, and read its words, codes and times."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence, Set
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

from suppressions.exchange.known_formats import (
    BOUNCE,
    FORMATS,
    JAPANESE,
    LEFT,
    LIVING,
    PEOPLE,
    PLAIN,
    SES_PLAIN,
    SOFT,
    WORDS,
    Format,
    ReasonKind,
    word,
)

FIRST_YEAR, LAST_YEAR = 1971, 9998


def recognise(first: Sequence[str]) -> tuple[Format, dict[str, int], bool]:
    """Recognise the format of a file by its first row.

    Return it, where its columns are, and whether that row is a header. Raise `ValueError` where
    there is no column of addresses.
    """
    columns = {column(cell): number for number, cell in reversed(list(enumerate(first)))}
    for each in sorted(FORMATS, key=lambda each: -len(each.needs)):
        if each.needs <= columns.keys():
            _check_is_of_the_dead(each, columns.keys() & PEOPLE)
            return each, columns, True
    if first and "@" in first[0]:
        plain = SES_PLAIN if len(first) > 1 and word(first[1]) in WORDS else PLAIN
        return plain, {str(number): number for number in range(len(first))}, False
    raise ValueError(
        "There is no column of addresses: its header must be email, address or recipient"
    )


def _check_is_of_the_dead(format_: Format, about_people: Set[str]) -> None:
    says_why = (
        format_.word
        or format_.text
        or format_.code
        or (format_.kind is LEFT and "unsubtime" in format_.needs)
    )
    if format_.is_living or (about_people and not says_why and format_.at != "cleantime"):
        shown = ", ".join(sorted(about_people or format_.needs))
        raise ValueError(
            f"This is a list of people who get mail (columns {shown}), not of suppressed ones. To "
            "suppress them all, keep the column of addresses alone"
        )


def column(cell: str) -> str:
    """Return what a column is called here."""
    plain = unicodedata.normalize("NFKC", cell).strip().lower()
    return JAPANESE.get("".join(plain.split())) or word(plain)


def kind_of(format_: Format, said: str, code: str) -> ReasonKind:
    """Return what kind of reason the line gives. Raises `ValueError` for the word of a person who
    gets mail.

    SendGrid's blocks come with the same columns as its bounces; only X.1.y and 55X are about a dead
    address.
    """
    if said and (known := WORDS.get(word(said))) is not None:
        return known
    if said and word(said) in LIVING:
        raise ValueError(f"The line says “{said[:50]}”: this person gets mail")
    if format_.needs_word:
        raise ValueError(f"The line does not say why: “{said[:50]}” is no word for it")
    if format_.kind is BOUNCE and code and not code.startswith(("5.1.", "5.0.", "55")):
        return SOFT
    return format_.kind


@lru_cache(maxsize=10_000)
def moment(text: str) -> datetime | None:
    """Parse Unix time, ISO 8601 or RFC 5322, in UTC where no zone is named; return None for
    anything else.

    A year that programs write for "none" or "for ever" (1, 9999) is none either: shown in another
    zone it would be no date at all.
    """
    text = text.strip()
    try:
        if text.isdigit() and len(text) in (10, 13):
            return datetime.fromtimestamp(int(text[:10]), UTC)
        found = datetime.fromisoformat(text) if text[:4].isdigit() else parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
