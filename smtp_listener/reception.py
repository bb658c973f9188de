"""How the bytes after DATA or BDAT become a message: the end mark, the dots, and what is refused (RFC 5321, section 4.1.1.4)."""

from __future__ import annotations

import re
from collections.abc import Callable

END = b"\r\n.\r\n"
MAX_LINE = 65_536  # RFC 5321 lets a server stop at 1,000; longer ones come from real apps, and most hosts take them
_BARE = re.compile(rb"\r\n|\r|\n")


class Reception:
    """Takes the content in pieces; only CRLF.CRLF ends it, and a bare CR or LF never means anything.

    Two servers that disagree about where a message ends are what SMTP smuggling needs (CVE-2023-51764, CVE-2024-27305).
    `trouble` is one of "", "bare", "nul", "line"; content with trouble is read to its end and thrown away.
    """

    __slots__ = ("_held", "_is_at_line_start", "_is_repairing", "_max_size", "_store", "size", "trouble")

    def __init__(self, store: Callable[[bytes], None], *, max_size: int, is_repairing: bool) -> None:
        self._store = store
        self._max_size = max_size
        self._is_repairing = is_repairing
        self._is_at_line_start = True
        self._held = b""
        self.size = 0
        self.trouble = ""

    @property
    def is_too_large(self) -> bool:
        return self.size > self._max_size

    def lines(self, buffer: bytearray, searched: int) -> tuple[int, bool]:
        """Take from the buffer what is complete; its first `searched` bytes are known to hold no end.

        Returns how many bytes it now holds that need not be searched again, and whether the end has come.
        """
        if self._is_at_line_start and buffer.startswith(b".\r\n"):
            del buffer[:3]
            return 0, True
        end = buffer.find(END, max(searched - len(END) + 1, 0))
        if end >= 0:
            self._take_lines(bytes(buffer[: end + 2]))
            del buffer[: end + len(END)]
            return 0, True
        if len(buffer) > MAX_LINE:
            return self._take_part(buffer), False
        return len(buffer), False

    def _take_part(self, buffer: bytearray) -> int:
        """All whole lines, so that what is left begins at a line's start again."""
        cut = buffer.rfind(b"\r\n", 0, -4) + 2
        if cut < 2:
            self.trouble = self.trouble or "line"
            # Keep what could be the beginning of the end mark; what it begins with is the middle of a line.
            self._is_at_line_start = False
            self.size += len(buffer) - 4
            del buffer[:-4]
            return 0
        self._take_lines(bytes(buffer[:cut]))
        self._is_at_line_start = True
        del buffer[:cut]
        return 0

    def _take_lines(self, data: bytes) -> None:
        """Whole lines, each with its first dot removed where it begins with one."""
        if data.startswith(b".") or b"\r\n." in data:
            data = (b"\r\n" + data).replace(b"\r\n.", b"\r\n")[2:]
        self.take(data)

    def take_chunk(self, data: bytes) -> None:
        """A piece of a BDAT chunk; a CRLF may stand across two of them."""
        data = self._held + data
        self._held = b"\r" if data.endswith(b"\r") else b""
        self.take(data[: len(data) - len(self._held)])

    def end_chunks(self, *, ends_in_line: bool) -> None:
        """After the last chunk: BDAT may leave the last line open (RFC 3030), a stored message ends in CRLF."""
        if self._held:
            self.take(self._held)
        elif not ends_in_line:
            self.take(b"\r\n")

    def take(self, data: bytes) -> None:
        """Content as it is meant."""
        self.size += len(data)
        ends = data.count(b"\r\n")
        if data.count(b"\n") != ends or data.count(b"\r") != ends:
            data = self._repair(data)
        if b"\0" in data:
            self.trouble = self.trouble or "nul"
        if len(data) > MAX_LINE and max(map(len, data.split(b"\r\n"))) > MAX_LINE:
            self.trouble = self.trouble or "line"
        if not self.trouble and not self.is_too_large:
            self._store(data)

    def _repair(self, data: bytes) -> bytes:
        if not self._is_repairing:
            self.trouble = self.trouble or "bare"
            return data
        return _BARE.sub(b"\r\n", data)
