"""Reads a file of suppressions line by line, whatever wrote it: charset, delimiter, format; each
row is an entry or an error.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import IO

from domains.foundation.text import texts
from domains.foundation.text.addresses import BadAddress
from suppressions.classes import Class
from suppressions.exchange.cells import plain
from suppressions.exchange.formats import kind_of, moment, recognise
from suppressions.exchange.known_formats import FORMATS, Format
from suppressions.keys import key_of
from suppressions.models import Suppression

LOOKED_AT = 262_144  # octets by which charset and delimiter are told
CELL_MOST = 100_000
SHOWN = 200  # characters of a bad line
REASON_MOST = 500
OURS = FORMATS[0]
_SEP = re.compile('\ufeff?"?sep=([,;\t|])"?(?=[\r\n])', re.IGNORECASE)
_NAMED = re.compile(r"[^<>]*<([^<>]*)>")

csv.field_size_limit(CELL_MOST)


@dataclass(frozen=True, slots=True)
class ListedAddress:
    """One row that can be taken."""

    line: int
    key: str
    source: str
    category: str
    is_hard: bool
    reason: str
    first_seen_at: datetime
    last_seen_at: datetime
    count: int = 1
    until: datetime | None = None
    sender_domain: str = ""


@dataclass(frozen=True, slots=True)
class BadLine:
    line: int
    text: str
    why: str


class File:
    """An open file of suppressions. Raises `ValueError` where it is none."""

    def __init__(self, opened: IO[bytes], *, now: datetime) -> None:
        self._now = now
        start = opened.read(LOOKED_AT)
        opened.seek(0)
        self.charset = charset_of(start)
        self._text = io.TextIOWrapper(opened, encoding=self.charset, errors="replace", newline="")
        try:
            decoded = start.decode(self.charset, "replace")
            # The first line of files that Excel wrote for another country.
            named = _SEP.match(decoded)
            self.delimiter = named[1] if named else delimiter_of(decoded)
            self._rows = csv.reader(map(texts.storable, self._text), delimiter=self.delimiter)
            if named:
                next(self._rows)
            first = next((row for row in self._rows if row), [])
            self.format, self._columns, has_header = recognise(first)
        except csv.Error as error:
            self._text.detach()
            raise ValueError(f"There is no column of addresses: {error}") from error
        except ValueError:
            self._text.detach()
            raise
        self._first = [] if has_header else [first]

    def __enter__(self) -> File:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the file open, wherever it stands: it is the caller's."""
        self._text.detach()

    def entries(self) -> Iterator[ListedAddress | BadLine]:
        read = self._ours if self.format is OURS else self._theirs
        for row in self._all_rows():
            if isinstance(row, BadLine):
                yield row
            elif row and any(row):
                try:
                    yield read(row)
                except (BadAddress, ValueError) as error:
                    why = error.text if isinstance(error, BadAddress) else str(error)
                    yield BadLine(self._rows.line_num, self.delimiter.join(row)[:SHOWN], why)

    def _all_rows(self) -> Iterator[list[str] | BadLine]:
        yield from self._first
        while True:
            try:
                yield next(self._rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield BadLine(self._rows.line_num, "", f"This line cannot be read: {error}")

    def _theirs(self, row: list[str]) -> ListedAddress:
        wanted = self.format
        kind = kind_of(wanted, self._cell(row, wanted.word), self._cell(row, wanted.code))
        text = self._cell(row, wanted.text)
        reason = f"{kind.reason}: {text}" if text else kind.reason
        at = self._moment(self._cell(row, wanted.at)) or self._now
        key = key_of(_address_in(self._cell(row, wanted.address)))
        return ListedAddress(
            self._rows.line_num,
            key,
            kind.source,
            kind.category,
            kind.is_hard,
            _reason(reason),
            at,
            at,
        )

    def _ours(self, row: list[str]) -> ListedAddress:
        def cell(name: str) -> str:
            return plain(self._cell(row, name))

        source, category = cell("source"), cell("class")
        if source not in Suppression.SuppressedBy.values:
            raise ValueError(f"The source is none: {source[:50]}")
        if category and category not in Class._value2member_map_:
            raise ValueError(f"The class is none: {category[:50]}")
        first = self._moment(cell("firstseen")) or self._now
        last = self._moment(cell("lastseen")) or first
        count = int(cell("count")) if cell("count").isdigit() else 1
        return ListedAddress(
            self._rows.line_num, key_of(cell("address")), source, category, cell("hard") == "yes",
            _reason(cell("reason")) or "Imported", first, last, min(max(count, 1), 2_000_000_000),
            moment(cell("until")),
            cell("sendingdomain"),
        )  # fmt: skip

    def _cell(self, row: list[str], name: str) -> str:
        at = self._columns.get(name, -1) if name else -1
        return row[at] if 0 <= at < len(row) else ""

    def _moment(self, text: str) -> datetime | None:
        at = moment(text)
        return min(at, self._now) if at else None


def _address_in(cell: str) -> str:
    """Unwrap `Anna <a@b.test>` and `mailto:a@b.test`, which address books write."""
    found = _NAMED.fullmatch(cell.strip())
    return (found[1] if found else cell.strip()).removeprefix("mailto:")


def charset_of(start: bytes) -> str:
    """Guess the charset: by its mark; else UTF-8 if it is that, else what Windows writes in
    Japan.
    """
    if start.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    # Without a mark, UTF-16 shows in the zero beside each letter of the header.
    if b"\0" in start[:2]:
        return "utf-16-le" if start[1:2] == b"\0" else "utf-16-be"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return "cp932"
    return "utf-8"


def delimiter_of(text: str) -> str:
    line = next((line for line in texts.lines(text) if line.strip()), "")
    return max(",;\t|", key=line.count)


def _reason(text: str) -> str:
    return texts.one_line(text, REASON_MOST)


__all__ = ["BadLine", "File", "Format", "ListedAddress"]
