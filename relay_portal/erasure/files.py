"""The files in the data folder that may name a person: outcomes that wait to be written down, and
the logs of the processes. Asterisks stand in the place of the address, as many as it had bytes, so
that who appends to a file, or reads it, goes on.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from deliveries.queue import unwritten_outcomes
from relay_portal.erasure.spellings import Spellings
from relay_portal.process.processes import log_folder

TABLE = "files"  # where the proof names tables
OUTCOMES, LOG = "outcomes", "log"
CHUNK = 16_777_216  # bytes of whole lines that are looked at together


def folders() -> dict[str, Path]:
    return {OUTCOMES: unwritten_outcomes.folder(), LOG: log_folder()}


def count(spellings: Spellings) -> dict[tuple[str, str], int]:
    """Return how often each folder's files name the address; those that do not are left out.

    Raise `OSError` for a file that this account may not read.
    """
    found = {
        (TABLE, name): sum(len(_places(path, spellings)) for path in _files(folder))
        for name, folder in folders().items()
    }
    return {where: amount for where, amount in found.items() if amount}


def mask(name: str, spellings: Spellings) -> None:
    """Overwrite the address in the files of one folder, each while nobody else takes it up."""
    for path in _files(folders()[name]):
        try:
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError:  # it has been written down, or rotated away
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            for start, end in _places(path, spellings):
                os.pwrite(descriptor, b"*" * (end - start), start)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from sorted(path for path in folder.iterdir() if path.is_file())


def _places(path: Path, spellings: Spellings) -> list[tuple[int, int]]:
    """Return where the file has the address: the first byte, and that after the last."""
    found, before = [], 0
    try:
        with path.open("rb") as file:
            while lines := file.readlines(CHUNK):
                text = b"".join(lines)
                found += [
                    (before + each.start(), before + each.end())
                    for each in spellings.in_files.finditer(text)
                ]
                before += len(text)
    except FileNotFoundError:
        return []
    return found
