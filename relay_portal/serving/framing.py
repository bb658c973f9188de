"""Where the body of a request ends (RFC 9112, sections 6 and 7), found while its bytes arrive."""

from __future__ import annotations

import re

END_OF_HEAD = b"\r\n\r\n"
LONGEST_LINE = 1024  # of a chunk's size with its extensions, or of a trailer

_SIZE = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(;.*)?", re.DOTALL)


class BadFraming(ValueError):
    """The end of the body cannot be known."""


class SizedBody:
    """A body whose size the head tells."""

    def __init__(self, size: int) -> None:
        self.left = size

    @property
    def is_whole(self) -> bool:
        return self.left == 0

    def feed(self, data: bytes) -> int:
        """Return how many of these bytes belong to the body."""
        taken = min(self.left, len(data))
        self.left -= taken
        return taken


class ChunkedBody:
    """A body in chunks. What they hold is read by gunicorn; only the end is looked for here."""

    def __init__(self) -> None:
        self.is_whole = False
        self._left = 0  # of the chunk, with the line end after it
        self._line = b""
        self._in_trailers = False

    def feed(self, data: bytes) -> int:
        """Return how many of these bytes belong to the body, or raise BadFraming."""
        taken = 0
        while taken < len(data) and not self.is_whole:
            if self._left:
                step = min(self._left, len(data) - taken)
                self._left -= step
                taken += step
            else:
                taken = self._read_line(data, taken)
        return taken

    def _read_line(self, data: bytes, start: int) -> int:
        end = data.find(b"\n", start) + 1 or len(data)
        self._line += data[start:end]
        if len(self._line) > LONGEST_LINE:
            raise BadFraming("a line is too long")
        if self._line.endswith(b"\n"):
            line, self._line = self._line.removesuffix(b"\n").removesuffix(b"\r"), b""
            self._end_line(line)
        return end

    def _end_line(self, line: bytes) -> None:
        if self._in_trailers:
            self.is_whole = not line
            return
        size = _SIZE.fullmatch(line)
        if size is None:
            raise BadFraming("the size of a chunk is no number")
        self._left = int(size[1], 16)
        if self._left:
            self._left += 2
        else:
            self._in_trailers = True
