"""How the bytes after DATA or BDAT become a message: the end mark, the dots, and what is refused
(RFC 5321, section 4.1.1.4).
"""

from __future__ import annotations

import re
from collections.abc import Callable

END = b"\r\n.\r\n"
TEXT_LINE = 998  # without its CRLF (RFC 5322, section 2.1.1): what is longer cannot leave as it is
# RFC 5321 lets a server stop at 1,000; longer ones come from real apps, and most hosts take them
MAX_LINE = 65_536
# Of several the first is told, so that it is the same however the bytes were split.
TROUBLES = ("disk", "line", "bare", "nul")
_BARE = re.compile(rb"\r\n|\r|\n")


def hopeless(max_size: int) -> int:
    """Return the size up to which we read on, to answer at the end and keep the session.

    The client of more is cut off.
    """
    return 2 * max_size + 1_048_576


class Reception:
    """Takes the content in pieces; only CRLF.CRLF ends it, and a bare CR or LF never means
    anything.

    Two servers that disagree about where a message ends are what SMTP smuggling needs
    (CVE-2023-51764, CVE-2024-27305). Content with trouble is read to its end and thrown away.
    """

    __slots__ = (
        "_held",
        "_is_at_line_start",
        "_is_repairing",
        "_max_line",
        "_open",
        "_store",
        "_troubles",
        "has_long_lines",
        "max_size",
        "size",
    )

    def __init__(
        self,
        store: Callable[[bytes], None],
        *,
        max_size: int,
        is_repairing: bool,
        max_line: int = MAX_LINE,
    ) -> None:
        self._store = store
        self.max_size = max_size
        self._max_line = max_line
        self._is_repairing = is_repairing
        self._is_at_line_start = True
        self._held = b""
        self._open = 0  # bytes of a line whose LF has not come
        self._troubles: set[str] = set()
        self.size = 0
        self.has_long_lines = False

    @property
    def is_too_large(self) -> bool:
        return self.size > self.max_size

    @property
    def trouble(self) -> str:
        """The one of `TROUBLES` that is told; empty for good content."""
        return next((trouble for trouble in TROUBLES if trouble in self._troubles), "")

    def lines(self, buffer: bytearray, searched: int) -> tuple[int, bool]:
        """Take from the buffer what is complete; its first `searched` bytes are known to hold no
        end.

        Returns how many bytes it now holds that need not be searched again, and whether the end has
        come.
        """
        if self._is_at_line_start and buffer.startswith(b".\r\n"):
            del buffer[:3]
            return 0, True
        end = buffer.find(END, max(searched - len(END) + 1, 0))
        if end >= 0:
            self._take_lines(bytes(buffer[: end + 2]))
            del buffer[: end + len(END)]
            return 0, True
        if len(buffer) > self._max_line + 8:
            self._take_part(buffer)
        return len(buffer), False

    def _take_part(self, buffer: bytearray) -> None:
        """Take what is here up to the last LF.

        At least four bytes stay, which could be the beginning of the end mark.
        """
        cut = buffer.rfind(b"\n", 0, -4) + 1
        if not cut:
            self._troubles.add("line")
            cut = len(buffer) - 4
            self.size += cut
            self._is_at_line_start = False
        else:
            self._take_lines(bytes(buffer[:cut]))
            self._is_at_line_start = buffer[:cut].endswith(b"\r\n")
        del buffer[:cut]

    def _take_lines(self, data: bytes) -> None:
        """Take lines, the first dot of each removed (RFC 5321, section 4.5.2)."""
        if self._is_at_line_start and data.startswith(b"."):
            data = data[1:]
        self.take(data.replace(b"\r\n.", b"\r\n"))

    def take_chunk(self, data: bytes) -> None:
        """Take a piece of a BDAT chunk; a CRLF may stand across two of them."""
        data = self._held + data
        self._held = b"\r" if data.endswith(b"\r") else b""
        self.take(data[: len(data) - len(self._held)])

    def end_chunks(self) -> None:
        """End the last line: BDAT may leave it open (RFC 3030), and a stored message ends in
        CRLF.
        """
        if self._held:
            self.take(self._held)
        elif self._open:
            self.take(b"\r\n")

    def take(self, data: bytes) -> None:
        """Take content without its dots: measure, repair and keep it."""
        self._measure_lines(data)
        ends = data.count(b"\r\n")
        if data.count(b"\n") != ends or data.count(b"\r") != ends:
            data = self._repair(data)
        if b"\0" in data:
            self._troubles.add("nul")
        self.size += len(data)
        if not self._troubles and not self.is_too_large:
            self._keep(data)

    def _measure_lines(self, data: bytes) -> None:
        """Measure the lines. One may come in pieces; its CR is not counted."""
        # The line that is open must have ended here; by leaps, so most lines are never looked at.
        limit = TEXT_LINE + 2 - self._open
        while limit <= len(data) and not self.has_long_lines:
            end = data.rfind(b"\n", max(limit - TEXT_LINE - 2, 0), max(limit, 0))
            self.has_long_lines = end < 0
            limit = end + 1 + TEXT_LINE + 2
        if self._open + len(data) > self._max_line:
            first, *others = data.split(b"\n")
            longest = max(self._open + len(first), *map(len, others), 0)
            if longest > self._max_line + 1:
                self._troubles.add("line")
        last = data.rfind(b"\n")
        self._open = len(data) - last - 1 if last >= 0 else self._open + len(data)

    def _repair(self, data: bytes) -> bytes:
        if not self._is_repairing:
            self._troubles.add("bare")
            return data
        return _BARE.sub(b"\r\n", data)

    def _keep(self, data: bytes) -> None:
        """Store a piece of content, or note that the disk is full.

        That is told at the end: bytes left unread would be taken for commands.
        """
        try:
            self._store(data)
        except OSError:
            self._troubles.add("disk")
