"""One file for each drain of this machine: its lock says that the drain lives, its marks which
deliveries may have been sent.

The kernel drops the lock (`flock`) when the process ends, however it ends, and not before: a
stopped process keeps it, and a process id that is used again means nothing. So who gets the lock
has the proof, and need not wait until the lease is over. A mark is 16 bytes in the page cache,
which outlives the process and not the machine; a file of an earlier start of the machine therefore
proves nothing.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from django.conf import settings

from domains.foundation.process.pulse import boot_id, machine_seconds

logger = logging.getLogger(__name__)

HEADER = 128  # bytes before the first mark
MARK = 16  # bytes
FORMAT = b"ekiden holder 2 "
OLD = 3600.0  # seconds
SAME_START = 2.0  # seconds by which two looks at the machine's start may differ
NO_DELIVERY = bytes(MARK)
NOWHERE = -1  # no place in a file: `pwrite` refuses it


@dataclass(frozen=True, slots=True)
class Dead:
    """A drain that is known to have ended.

    Its claims without a mark in `may_be_sent` were never offered to a receiver.
    """

    holder: UUID
    may_be_sent: list[UUID]


def folder() -> Path:
    return Path(settings.EKIDEN_DATA / "holders")


class HolderFile:
    """This drain's own file.

    Where it cannot be written the drain goes on without: its lease then has to run out, as on
    another machine.
    """

    def __init__(self, path: Path, holder: UUID, *, marks: int) -> None:
        """Open the holder's file with room for `marks` marks.

        `marks`: deliveries that may be under way at one time, from their MAIL until their outcome
        is committed.
        """
        self._path = path / str(holder)
        self._places: dict[UUID, int] = {}
        self._free = [HEADER + MARK * number for number in reversed(range(marks))]
        self._descriptor = -1
        try:
            path.mkdir(mode=0o700, exist_ok=True)
            sweep(path)
            self._open(HEADER + MARK * marks)
        except OSError as error:
            logger.warning(
                "%s cannot be written, so the lanes of a killed worker wait for the end of their "
                "lease: %s",
                self._path,
                error,
            )
            self._forget()

    def _open(self, size: int) -> None:
        new = self._path.with_suffix(".new")  # by its own name only when it is locked
        self._descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.posix_fallocate(self._descriptor, 0, size)  # no mark meets a full disk
        os.pwrite(self._descriptor, FORMAT + f"{_machine_started():.3f} {boot_id()}".encode(), 0)
        new.rename(self._path)

    @property
    def marked(self) -> list[UUID]:
        """What may have been sent, and whose outcome is not committed."""
        return list(self._places)

    def mark(self, delivery: UUID) -> None:
        """Mark a delivery before its transaction begins: from now on it may be sent."""
        if delivery in self._places:
            return
        self._places[delivery] = place = self._free.pop() if self._free else NOWHERE
        if self._descriptor >= 0:
            try:
                os.pwrite(self._descriptor, delivery.bytes, place)
            except OSError as error:
                logger.warning("%s takes no more marks: %s", self._path, error)
                self._forget()

    def unmark(self, deliveries: Iterable[UUID]) -> None:
        """Remove marks: the outcomes are committed, or nothing was sent after all."""
        for delivery in deliveries:
            place = self._places.pop(delivery, NOWHERE)
            if place == NOWHERE:
                continue
            self._free.append(place)
            if self._descriptor >= 0:
                with suppress(OSError):  # it only says "may"
                    os.pwrite(self._descriptor, NO_DELIVERY, place)

    def close(self, *, owes: bool = False) -> None:
        """Close the file at the end of this drain, and remove it.

        Where the drain `owes` what it could not give back, the file stays as after a kill, for who
        comes next.
        """
        if self._descriptor >= 0 and not owes:
            with suppress(OSError):
                self._path.unlink()
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _forget(self) -> None:
        """Leave no file that would be believed."""
        for path in (self._path, self._path.with_suffix(".new")):
            with suppress(OSError):
                path.unlink()
        if self._descriptor >= 0:
            with suppress(OSError):
                os.ftruncate(self._descriptor, 0)
        self.close(owes=True)


def sweep(path: Path) -> None:
    """Remove from a folder what processes left that were killed while they made a file, which
    takes no time.
    """
    for each in path.glob("*.new"):
        with suppress(OSError):
            if time.time() - each.stat().st_mtime > OLD:
                each.unlink()


def files(path: Path) -> list[Path]:
    """List the files of all drains of this machine, the living and the dead."""
    try:
        return sorted(each for each in path.iterdir() if not each.suffix)
    except OSError:
        return []


@contextmanager
def proof(path: Path) -> Iterator[Dead | None]:
    """Yield the drain whose file this is where it is proven dead, else None.

    While the block runs nobody else gets the same proof. The file is removed when the block ends
    without an error.
    """
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:  # removed meanwhile, or another account's
        yield None
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield None
            return
        yield _read(path, descriptor)
        with suppress(OSError):
            path.unlink()
    finally:
        os.close(descriptor)


def _read(path: Path, descriptor: int) -> Dead | None:
    data = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    head, marks = data[:HEADER].rstrip(b"\0"), data[HEADER:]
    try:
        holder = UUID(path.name)
    except ValueError:
        return None
    if not _is_of_this_start(*_started(head)):
        return None
    found = (marks[start : start + MARK] for start in range(0, len(marks), MARK))
    return Dead(
        holder, [UUID(bytes=mark) for mark in found if mark != NO_DELIVERY and len(mark) == MARK]
    )


def clock_was_set() -> float:
    """Return by how many seconds the machine's clock was set since the oldest file of this start of
    the machine was made.
    """
    for path in files(folder()):
        with suppress(OSError):
            with path.open("rb") as file:
                started, boot = _started(file.read(HEADER).rstrip(b"\0"))
            if boot and boot == boot_id():
                return _machine_started() - started
    return 0.0


def _started(head: bytes) -> tuple[float, str]:
    """Return what the head of a file says of the machine's start; nothing where it is none."""
    started, _, boot = head.removeprefix(FORMAT).decode("ascii", "replace").partition(" ")
    try:
        return (float(started), boot) if head.startswith(FORMAT) else (0.0, "")
    except ValueError:
        return 0.0, ""


def _is_of_this_start(started: float, boot: str) -> bool:
    if boot and boot_id():
        return boot == boot_id()
    return abs(started - _machine_started()) <= SAME_START


def _machine_started() -> float:
    """Return when the machine started, in seconds of the epoch; another value after each start and
    on each machine.

    It changes too where the clock was set meanwhile. Where the start has no name that can be read,
    nothing is proven, and the lease runs out.
    """
    return time.time() - machine_seconds()
