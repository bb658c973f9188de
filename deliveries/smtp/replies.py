"""What an SMTP server's bytes say: hostile input in, bounded and harmless replies out."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from domains.foundation.text import texts
from domains.foundation.text.charsets import guess

MAX_LINE = 4096  # octets kept of one line: eight times what RFC 5321 4.5.3.1.5 allows
MAX_REPLY = 65_536  # octets kept of one reply
MAX_LINES = 200  # lines kept of one reply
MAX_TEXT = 1000  # characters of text that leave this module
ENDLESS_LINE = 65_536  # a line still open after this many octets is not SMTP
# Nor is a reply: its lines are dropped, but reading them costs CPU all the same.
ENDLESS_REPLY = 16 * 1024 * 1024

# A 1yz, a 6yz and above, and anything but three digits is no SMTP reply (RFC 5321 4.2.1). The
# separator may be missing.
_LINE = re.compile(rb"([2-5][0-9]{2})(?![0-9])([ -]?)(.*)", re.DOTALL)
_ENHANCED = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:\s+|$)")


class ProtocolError(Exception):
    """What the peer sends is not SMTP; the text is fit for an attempt's record."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply, judged by its first digit only (RFC 5321 4.2.1).

    `text` is one line without the enhanced code; `lines` holds a positive reply's lines one by one,
    for EHLO. `local` marks a reply that no peer gave: we made it up to say what happened.
    """

    code: int
    enhanced: str | None
    text: str
    local: bool = False
    lines: tuple[str, ...] = field(default=(), compare=False, repr=False)

    @property
    def kind(self) -> int:
        return self.code // 100

    def __str__(self) -> str:
        return " ".join(part for part in (str(self.code), self.enhanced, self.text) if part)


def local_reply(code: int, enhanced: str, text: str) -> Reply:
    return Reply(code, enhanced, text, local=True)


class ReplyParser:
    """Takes bytes in pieces of any size; holds at most `MAX_REPLY` octets of them and one line's
    beginning.
    """

    __slots__ = ("_is_banner", "_kept", "_lines", "_open", "_open_seen", "_seen")

    def __init__(self) -> None:
        self._open = b""  # the line that has not ended yet
        self._open_seen = 0
        self._is_banner = True  # until the first reply, which is the greeting
        self._start()

    def _start(self) -> None:
        self._lines: list[bytes] = []
        self._kept = 0
        self._seen = 0

    @property
    def is_idle(self) -> bool:
        """True between replies: nothing is half read."""
        return not (self._open or self._seen)

    def feed(self, data: bytes) -> Iterator[Reply]:
        """Yield the replies that `data` completes, each before a later ProtocolError is raised."""
        *lines, rest = data.split(b"\n")
        for line in lines:
            reply = self._take(self._open + line[:MAX_LINE] if self._open else line)
            self._open, self._open_seen = b"", 0
            if reply is not None:
                yield reply
        self._hold(rest)

    def _hold(self, rest: bytes) -> None:
        self._open_seen += len(rest)
        if self._open_seen > ENDLESS_LINE:
            raise ProtocolError("the peer's reply has a line without end")
        self._open = (self._open + rest)[:MAX_LINE]

    def _take(self, line: bytes) -> Reply | None:
        match = _LINE.match(line[:MAX_LINE].rstrip(b"\r"))
        if match is None:
            # Inside a banner or before it: nothing is under way that it could be the answer to.
            if not self._is_banner or len(self._lines) >= MAX_LINES:
                raise ProtocolError("the peer's reply is not SMTP")
            self._keep(line, b"")
            return None
        code, separator, text = match.groups()
        self._keep(line, text)
        if separator == b"-":
            return None
        # Where the codes of the lines differ, the last one counts, as in other MTAs.
        reply = _understand(int(code), [_clean(kept) for kept in self._lines])
        self._start()
        self._is_banner = False
        return reply

    def _keep(self, line: bytes, text: bytes) -> None:
        self._seen += len(line) + 1
        if self._seen > ENDLESS_REPLY:
            raise ProtocolError("the peer's reply has no end")
        if len(self._lines) < MAX_LINES and self._kept + len(text) <= MAX_REPLY:
            self._lines.append(text)
            self._kept += len(text)


def _understand(code: int, lines: list[str]) -> Reply:
    enhanced = next((found for line in lines if (found := _enhanced(code, line))), None)
    text = (
        " ".join(filter(None, (_without(enhanced, line) for line in lines)))
        if enhanced
        else " ".join(lines)
    )
    return Reply(
        code,
        enhanced,
        text[:MAX_TEXT].strip(),
        lines=tuple(lines) if code // 100 == 2 and lines[1:] else (),
    )


def _enhanced(code: int, text: str) -> str | None:
    """Find the enhanced code that opens the text and whose class is the reply's first digit (RFC
    2034, section 4).
    """
    match = _ENHANCED.match(text)
    return match[1] if match and text[0] == str(code)[0] else None


def _without(enhanced: str | None, line: str) -> str:
    """Return the line without the code that RFC 2034 has at the start of each line."""
    match = _ENHANCED.match(line)
    return line[match.end() :] if match and match[1] == enhanced else line


def _clean(line: bytes) -> str:
    return texts.clean(_decode(line).replace("\t", " ").strip())


def _decode(line: bytes) -> str:
    if line.isascii() and b"\x1b$" not in line:
        return line.decode("ascii")
    codec = guess(line)
    return line.decode("latin-1" if codec == "cp1252" else codec, "replace")
