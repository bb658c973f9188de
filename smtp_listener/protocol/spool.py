"""Where a message waits while it comes in: in memory while it is small, then in a nameless file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

IN_MEMORY = 131_072
BLOCK = 65_536


class Spool:
    """Bytes appended once and read any number of times; `close` gives its disk space back."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._memory = bytearray()
        self._file: BinaryIO | None = None
        self.size = 0
        self.is_ascii = True

    def append(self, data: bytes) -> None:
        """Append to the content; raise `OSError` where the disk is full."""
        self.is_ascii = self.is_ascii and data.isascii()
        self.size += len(data)
        if self.size <= IN_MEMORY:
            self._memory += data
        else:
            self._spill(data)

    def _spill(self, data: bytes) -> None:
        if self._file is None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # SIM115 : lives as long as the spool
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115
            self._file.write(self._memory)
            self._memory.clear()
        self._file.write(data)

    def whole(self) -> bytes:
        """Return all of it, where it is in memory; else its beginning, long enough for any header
        section that we take.
        """
        if self._file is None:
            return bytes(self._memory)
        self._file.flush()
        return os.pread(self._file.fileno(), 4 * IN_MEMORY, 0)

    @property
    def is_in_memory(self) -> bool:
        return self._file is None

    def body(self, start: int) -> SpooledBody:
        assert self._file is not None, "a body in memory is cut from `whole`"
        self._file.flush()
        return SpooledBody(self._file, start, self.size - start)

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # what could not be written is not wanted any more
                self._file.close()


class SpooledBody:
    """The part of a spooled message from `start` on."""

    __slots__ = ("_file", "_start", "size")

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file = file
        self._start = start
        self.size = size

    def chunks(self) -> Iterator[bytes]:
        """Yield blocks, read by position, so that two readers do not disturb each other."""
        position, end = self._start, self._start + self.size
        while position < end:
            block = os.pread(self._file.fileno(), min(BLOCK, end - position), position)
            if not block:
                raise OSError("the spooled message was cut short")
            position += len(block)
            yield block
