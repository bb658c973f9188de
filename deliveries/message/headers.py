"""The header section of a message as raw fields: found, added and removed without touching any
other byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# RFC 5322, section 3.6.8: printable ASCII without the colon. White space before the colon is
# obsolete syntax (section 4.5) that receivers read differently, so it is refused rather than
# guessed at.
FIELD = re.compile(rb"([!-9;-~]+):[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*")
MAILBOX_LINES = re.compile(rb"\A(?:>?From (?!\s*:)[^\r\n]*\r\n)+")
MAX_SIZE = 262_144
MAX_FIELDS = 1000


class BadHeaders(ValueError):
    """The header section cannot be taken; the text is for the client."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its name in lower case and its bytes as they came, folding and final CRLF
    included.
    """

    name: bytes
    raw: bytes

    @property
    def value(self) -> bytes:
        """The unfolded value (RFC 5322, section 2.2.3)."""
        return self.raw.partition(b":")[2].replace(b"\r\n", b"").strip(b" \t")


class Headers:
    """A header section; every change makes a new one."""

    __slots__ = ("fields",)

    def __init__(self, fields: Iterable[Field]) -> None:
        self.fields = tuple(fields)

    def __iter__(self) -> Iterator[Field]:
        return iter(self.fields)

    def __bytes__(self) -> bytes:
        return b"".join([field.raw for field in self.fields])

    def all(self, name: bytes) -> list[Field]:
        return [field for field in self.fields if field.name == name]

    def value(self, name: bytes) -> bytes:
        """Return the first such field's value; empty where there is none."""
        return next((field.value for field in self.fields if field.name == name), b"")

    def without(self, names: frozenset[bytes]) -> Headers:
        return Headers(field for field in self.fields if field.name not in names)

    def before(self, *raw: bytes) -> Headers:
        """Return the section with these complete fields on top, where trace fields go (RFC 5321,
        section 4.4).
        """
        return Headers((*map(_field, raw), *self.fields))

    def after(self, *raw: bytes) -> Headers:
        """Return the section with these complete fields at the end."""
        return Headers((*self.fields, *map(_field, raw)))


def _field(raw: bytes) -> Field:
    return Field(raw.partition(b":")[0].lower(), raw)


def parse(section: bytes) -> Headers:
    """Read the header section without the empty line after it; every line ends in CRLF.

    Raise `BadHeaders`.
    """
    if len(section) > MAX_SIZE:
        raise BadHeaders(f"The header section is larger than {MAX_SIZE} bytes")
    fields: list[Field] = []
    position = 0
    while position < len(section):
        match = FIELD.match(section, position)
        if match is None:
            raise BadHeaders(f"Header field {len(fields) + 1} is malformed (RFC 5322, section 2.2)")
        fields.append(Field(match[1].lower(), match[0]))
        position = match.end()
        if len(fields) > MAX_FIELDS:
            raise BadHeaders(f"More than {MAX_FIELDS} header fields")
    return Headers(fields)


def split(data: bytes) -> tuple[bytes, int]:
    """Return the header section of a message, and where its body begins.

    The first lines of a mailbox file, `From shop@shop.example Thu Nov 26 …` with or without `>`,
    are no part of it: cron scripts, formail and git send them, and every mail host drops them.
    """
    if data.startswith(b"\r\n"):
        return b"", 2
    end = data.find(b"\r\n\r\n")
    section, start = (data, len(data)) if end < 0 else (data[: end + 2], end + 4)
    if section.startswith((b"From ", b">From ")):
        section = MAILBOX_LINES.sub(b"", section)
    return section, start
