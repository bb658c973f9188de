"""One idea of a line end and of a control character, for all text that strangers write.

A control character is what a reader does not see and a machine obeys:

- C0, DEL and C1 (Unicode's category Cc: NUL, VT, FF, ESC, NEL, CSI and the rest), TAB and line ends among them;
- the line and the paragraph separator, U+2028 and U+2029;
- the marks, embeddings, overrides and isolates that turn the direction of writing (UAX #9);
- lone surrogates, which no UTF-8 can hold;
- what Unicode calls default ignorable: soft hyphen, zero-width space, word joiner, byte order mark, tags, Hangul fillers.
  With them two texts look the same and are not. Exceptions are those that words are written with: the two joiners (Persian,
  Indic scripts, emoji), the variation selectors (emoji, Japanese names) and the grapheme joiner;
- the interlinear annotations, U+FFF9 to U+FFFB, whose text readers hide.

A line ends in CRLF, LF or CR. `str.splitlines` knows eight more ends, so it finds lines that nobody wrote: use `lines`.
Text becomes harmless by escapes that can be seen, never by removal: removal joins what stood apart.
"""

from __future__ import annotations

import re
from functools import lru_cache

REPLACEMENT = "\ufffd"

# A class of a regular expression, to be put between brackets.
CONTROLS = (
    "\x00-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
)
_CONTROL = re.compile(f"[{CONTROLS}]")
_CONTROL_BUT_LAYOUT = re.compile(f"(?![\t\n])[{CONTROLS}]")
_LINE_END = re.compile("\r\n|\n|\r")
_NOT_STORABLE = re.compile("[\x00\ud800-\udfff]")

# A field's value that needs no quotes: neither a blank nor what would begin, end or escape a quoted one.
_BARE = re.compile(rf'[^\s"\\{CONTROLS}]+')
_PLAIN = re.compile(r"[A-Za-z0-9<>@.:+/_-]+")  # the same of nearly all values, and faster
_NEEDS_ESCAPE = re.compile(rf'["\\{CONTROLS}]')
# What a search for `event=delivered` would take for a field of ours.
_LIKE_A_FIELD = re.compile(r"(?<![^\s<(\[{,;:'])([A-Za-z_][A-Za-z0-9_.-]*)=")


def is_control(char: str) -> bool:
    """Say whether this one character is a control character."""
    return _CONTROL.match(char) is not None


def has_control(text: str) -> bool:
    return not text.isprintable() if text.isascii() else _CONTROL.search(text) is not None


def lines(text: str) -> list[str]:
    """Split the text at its line ends; one at the end of the text begins no line."""
    found = _LINE_END.split(text)
    return found if found[-1] else found[:-1]


def clean(text: str) -> str:
    """Return the text for people and logs, on one line: each control character is an escape that can be seen."""
    return _CONTROL.sub(_escaped, text) if has_control(text) else text


def clean_lines(text: str) -> str:
    """Return the text for people as `clean` does, but leave its lines (each ends in LF then) and its tabs."""
    return _CONTROL_BUT_LAYOUT.sub(_escaped, _LINE_END.sub("\n", text))


def one_line(text: str, most: int) -> str:
    """Return at most so many characters of it for people, each run of white space as one blank."""
    return clean(" ".join(text[: most * 4].split()))[:most]


def storable(text: str) -> str:
    """Return the text as PostgreSQL takes it: U+FFFD stands for NUL and for lone surrogates."""
    return _NOT_STORABLE.sub(REPLACEMENT, text)


def quoted(text: str) -> str:
    """Return the text as the value of one field of a log line; nothing in it can begin a field or a line.

    A text without blanks, quotes and control characters stays as it is; any other becomes a JSON string. Within it, a word
    that looks like the beginning of a field has its `=` escaped.
    """
    if _PLAIN.fullmatch(text):
        return text
    has_mark = "=" in text
    if _BARE.fullmatch(text) and not (has_mark and _LIKE_A_FIELD.search(text)):
        return text
    if '"' in text or "\\" in text or has_control(text):
        text = _NEEDS_ESCAPE.sub(_escaped, text)
    return f'"{_LIKE_A_FIELD.sub(_not_a_field, text) if has_mark else text}"'


def _not_a_field(match: re.Match[str]) -> str:
    return rf"{match[1]}\u003d"


def _escaped(match: re.Match[str]) -> str:
    return _escape(match[0])


@lru_cache(maxsize=256)
def _escape(char: str) -> str:
    """Return the escape that JSON has for it."""
    if short := _SHORT.get(char):
        return short
    code = ord(char)
    if code > 0xFFFF:
        high, low = divmod(code - 0x10000, 0x400)
        return rf"\u{0xD800 + high:04x}\u{0xDC00 + low:04x}"
    return rf"\u{code:04x}"


_SHORT = {'"': r"\"", "\\": r"\\", "\n": r"\n", "\r": r"\r", "\t": r"\t"}
