"""One idea of a line end and of a control character, for all text that strangers write.

A control character is what a reader does not see and a machine obeys:

- C0, DEL and C1 (Unicode's category Cc: NUL, VT, FF, ESC, NEL, CSI and the rest), TAB and line ends
  among them;
- the line and the paragraph separator, U+2028 and U+2029;
- the marks, embeddings, overrides and isolates that turn the direction of writing (UAX #9);
- lone surrogates, which no UTF-8 can hold;
- what Unicode calls default ignorable: soft hyphen, zero-width space, word joiner, byte order mark,
  tags, Hangul fillers. With them two texts look the same and are not. Exceptions are those that
  words are written with: the two joiners (Persian, Indic scripts, emoji), the variation selectors
  (emoji, Japanese names) and the grapheme joiner;
- the interlinear annotations, U+FFF9 to U+FFFB, whose text readers hide.

A line ends in CRLF, LF or CR. `str.splitlines` knows eight more ends, so it finds lines that nobody
wrote: use `lines`. Text becomes harmless by escapes that can be seen, never by removal: removal
joins what stood apart.
"""

from __future__ import annotations

import re
import unicodedata
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

# What breaks a line or steers a reader in a header field. It holds no direction marks: Arabic and
# Hebrew subjects have some.
_FIELD_CONTROL = re.compile("(?!\t)[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# The same of a sender's name, which shall not turn the text around it either. LRM, RLM and ALM turn
# nothing but themselves.
_NAME_CONTROL = re.compile("(?!\t)[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
# In what is no UTF-8 as a whole, the line ends that a lenient reader would still find: one wrong
# byte must not hide them.
_LOW_CONTROL = re.compile(rb"(?!\t)[\x00-\x1f\x7f]|\xc2\x85|\xe2\x80[\xa8\xa9]")
# RFC 1468, 1554; JIS X 0213.
_JIS_ESCAPE = re.compile(rb"\x1b(?:\([BIJ]|\$[@AB]|\$\([CDOPQ]|&@(?=\x1b\$B))")
# All bytes but controls and those that begin a C1 control (C2) or a line separator (E2) in UTF-8.
_HARMLESS = bytes(set(range(256)) - set(range(32)) - {0x7F, 0xC2, 0xE2} | set(b"\t\r\n"))
_C0 = (
    "NUL SOH STX ETX EOT ENQ ACK BEL BS TAB LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB "
    "CAN EM SUB ESC FS GS RS US"
)
_NAMES = dict(enumerate(_C0.split(" "))) | {0x7F: "DEL", 0x85: "NEL", 0x9B: "CSI"}

# A field's value that needs no quotes: neither a blank nor what would begin, end or escape a quoted
# one.
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
    """Return the text for people and logs, on one line: each control character is an escape that
    can be seen.
    """
    return _CONTROL.sub(_escaped, text) if has_control(text) else text


def without_controls(text: str) -> str:
    """Return what a reader sees of the text: for comparisons only, since it joins what stood
    apart.
    """
    return _CONTROL.sub("", text)


def clean_lines(text: str) -> str:
    """Return the text for people as `clean` does, but leave its lines (each ends in LF then) and
    its tabs.
    """
    return _CONTROL_BUT_LAYOUT.sub(_escaped, _LINE_END.sub("\n", text))


def one_line(text: str, most: int) -> str:
    """Return at most so many characters of it for people, each run of white space as one blank."""
    return clean(" ".join(text[: most * 4].split()))[:most]


def storable(text: str) -> str:
    """Return the text as PostgreSQL takes it: U+FFFD stands for NUL and for lone surrogates."""
    return _NOT_STORABLE.sub(REPLACEMENT, text)


def may_hold_control(section: bytes) -> bool:
    """Say, at once, whether a look at each field of the header section is needed."""
    return bool(section.translate(None, _HARMLESS))


def field_control(value: bytes) -> str:
    """Return the name of the first control character in the unfolded value of a header field;
    empty where there is none.

    A value in UTF-8 is judged by its text. The second bytes of Shift_JIS and EUC-JP are no C1
    controls, so any other value is judged by its bytes below 128, and by the line ends of UTF-8 in
    it. ESC passes in the sequences of ISO-2022-JP, which has no byte above 127.
    """
    try:
        text = (_JIS_ESCAPE.sub(b"", value) if value.isascii() else value).decode("utf-8")
    except UnicodeDecodeError:
        found = _LOW_CONTROL.search(value)
        return shown(found[0].decode()) if found else ""
    return _first(_FIELD_CONTROL, text)


def first_control(text: str) -> str:
    """Return the name of the first control character; empty where there is none."""
    return _first(_CONTROL, text)


def name_control(text: str) -> str:
    """Return the name of the first character that a sender's name must not have once it is
    decoded; empty where there is none.
    """
    return _first(_NAME_CONTROL, text)


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return shown(found[0]) if found else ""


def shown(char: str) -> str:
    """Return the character's number, and its name where people have one for it."""
    code = f"U+{ord(char):04X}"
    name = _NAMES.get(ord(char)) or unicodedata.name(char, "").lower()
    return f"{name} ({code})" if name else code


def quoted(text: str) -> str:
    """Return the text as the value of one field of a log line; nothing in it can begin a field or
    a line.

    A text without blanks, quotes and control characters stays as it is; any other becomes a JSON
    string. Within it, a word that looks like the beginning of a field has its `=` escaped.
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
