"""The ways in which an address is written, and how they are found without its neighbours:
`ana@x.test` is not part of `hana@x.test`.
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote

import idna

from domains.foundation.text.addresses import parse_path

_BASE64 = re.compile(rb"(?:^[A-Za-z0-9+/=]{4,76}\r?$\n?)+", re.MULTILINE)
_WORD = re.compile(rb"=\?[^?\s]+\?[bB]\?([A-Za-z0-9+/=]+)\?=")


@dataclass(frozen=True)
class Spellings:
    """All spellings of one address; `key` is the canonical one."""

    key: str
    all: tuple[str, ...]

    @property
    def likes(self) -> list[str]:
        """Patterns for ILIKE, which are quick and find too much."""
        return ["%" + re.sub(r"([%_\\])", r"\\\1", each) + "%" for each in self.all]

    @property
    def pattern(self) -> str:
        """A pattern of PostgreSQL's; in JSON a letter may stand before it that belongs to an
        escape.
        """
        either = "|".join(re.sub(r"([^\w])", r"\\\1", each) for each in self.all)
        before = r"(?:(?<![[:alnum:]._%+-])|(?<=\\[nrtbf]))"
        return rf"{before}(?:{either})(?![[:alnum:]-]|\.[[:alnum:]])"

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        either = "|".join(map(re.escape, self.all))
        return re.compile(rf"(?<![\w.%+-])(?:{either})(?![\w-]|\.\w)", re.IGNORECASE)

    @cached_property
    def in_files(self) -> re.Pattern[bytes]:
        """A pattern for lines of logs and JSON, in which what is not ASCII may be escaped."""
        written = {*self.all, *(json.dumps(each)[1:-1] for each in self.all)}
        either = b"|".join(re.escape(each.encode()) for each in sorted(written))
        before = rb"(?:(?<![\w.%+\x80-\xff-])|(?<=\\[nrtbf]))"
        return re.compile(rb"%s(?:%s)(?![\w-]|\.\w)" % (before, either), re.IGNORECASE)

    def stand_in(self, data: bytes) -> bool:
        """Return whether a mail mentions the address, as it stands or in what it encodes."""
        return any(self._pattern.search(_text(each)) for each in _readings(data))


def spellings_of(address: str) -> Spellings:
    """Return how the address may be written anywhere; raises `BadAddress` for what is none."""
    key = parse_path(address.strip().strip("<>"), smtputf8=True).key
    local, _, domain = key.rpartition("@")
    given, _, _ = address.strip().strip("<>").rpartition("@")
    plain = {f"{each}@{name}" for each in (local, given) for name in {domain, _unicode(domain)}}
    others = {
        spelled
        for each in plain
        for spelled in (
            quote(each, safe=""),
            "=".join(each.rsplit("@", 1)),  # within a return path
            re.sub(r"[+=]", lambda sign: f"+{ord(sign[0]):02X}", each),  # xtext (RFC 3461)
        )
    }
    return Spellings(key, tuple(sorted(plain | others)))


def _unicode(domain: str) -> str:
    try:
        return idna.decode(domain)
    except idna.IDNAError:
        return domain


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _readings(data: bytes) -> list[bytes]:
    """Return the bytes, the same without quoted-printable, and what stands there in base64."""
    found = [data, binascii.a2b_qp(data)]
    for block in [*_BASE64.findall(data), *_WORD.findall(data)]:
        try:
            found.append(b64decode(block))
        except binascii.Error:
            continue
    return found
