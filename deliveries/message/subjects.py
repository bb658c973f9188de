"""The subject of a message as people read it, from the bytes of its field (RFC 2047)."""

from __future__ import annotations

import base64
import binascii
import quopri
import re
from itertools import groupby

from domains.foundation.text.texts import clean, storable

LONGEST = 255  # characters that are kept; RFC 5322 asks for lines, not for a length
READ_MOST = 4096  # octets of the field that are looked at
_WORD = re.compile(rb"=\?([!->@-~]{1,40})\?([bBqQ])\?([^?]{0,1000})\?=")
_GAP = re.compile(rb"(\?=)[ \t]+(?==\?)")  # blanks between two encoded words are none (6.2)


def subject_of(value: bytes) -> str:
    """Return the unfolded value of a Subject field as text of at most 255 characters.

    What cannot be decoded stays as it is written; it never raises.
    """
    value = value[:READ_MOST]
    if b"=?" not in value:
        return _shown(value.decode("utf-8", "replace"))
    pieces: list[tuple[str, bytes]] = []
    end = 0
    joined = _GAP.sub(rb"\1", value)
    for found in _WORD.finditer(joined):
        if found.start() > end:
            pieces.append(("utf-8", joined[end : found.start()]))
        pieces.append((found[1].decode("ascii").partition("*")[0].lower(), _octets(found)))
        end = found.end()
    pieces.append(("utf-8", joined[end:]))
    # Some senders cut a character between two words: what has one charset is read as one.
    texts = (
        _text(b"".join(octets for _, octets in group), charset)
        for charset, group in groupby(pieces, key=lambda piece: piece[0])
    )
    return _shown("".join(texts))


def _octets(word: re.Match[bytes]) -> bytes:
    if word[2] in b"qQ":
        return quopri.decodestring(word[3], header=True)
    try:
        return base64.b64decode(word[3] + b"=" * (-len(word[3]) % 4))
    except binascii.Error:
        return word[0]


def _text(octets: bytes, charset: str) -> str:
    try:
        return octets.decode(charset, "replace")
    except (LookupError, ValueError):  # no text encoding of that name; a codec's own complaint
        return octets.decode("utf-8", "replace")


def _shown(text: str) -> str:
    return storable(clean(text)).strip()[:LONGEST]
