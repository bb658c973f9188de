"""Outcomes that a worker had to leave behind, as files in the data folder: written at its end
while PostgreSQL was away, read by the next.

A file is whole or not there (written aside, synced, renamed), private, and one JSON object:
`format`, `saved_at` and `outcomes`, each the fields of a `deliveries.queue.ledger.LedgerEntry`.
What cannot be read gets the suffix `.broken` and stays for people; its deliveries are then in
doubt.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings

from deliveries.models.states import DeliveryState
from deliveries.queue.drain_files import sweep
from deliveries.queue.ledger_entries import LedgerEntry

logger = logging.getLogger(__name__)

FORMAT = 1
LARGEST = 67_108_864  # bytes that are read
SUFFIX, BROKEN = ".json", ".broken"


class Busy(Exception):
    """Another drain is reading the file."""


def folder() -> Path:
    return Path(settings.EKIDEN_DATA / "outcomes")


def save(path: Path, entries: Sequence[LedgerEntry]) -> Path:
    """Write the entries into a new file of this folder, on disk when it returns. Raises
    `OSError`.
    """
    path.mkdir(mode=0o700, exist_ok=True)
    sweep(path)
    target = path / f"{uuid4()}{SUFFIX}"
    new = target.with_suffix(".new")
    whole = {
        "format": FORMAT,
        "saved_at": datetime.now(UTC),
        "outcomes": [asdict(entry) for entry in entries],
    }
    try:
        with os.fdopen(
            os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as file:
            json.dump(whole, file, default=str)
            file.flush()
            os.fsync(file.fileno())
        new.rename(target)
    except OSError:
        with suppress(OSError):
            new.unlink()
        raise
    _sync(path)
    return target


def files(path: Path) -> tuple[list[Path], list[Path]]:
    """List the files that wait for a worker, and those that could not be read."""
    try:
        found = sorted(path.iterdir())
    except OSError:
        return [], []
    return [each for each in found if each.suffix == SUFFIX], [
        each for each in found if each.suffix == BROKEN
    ]


@contextmanager
def taken(path: Path) -> Iterator[list[LedgerEntry]]:
    """Yield what the file holds; it is removed when the block ends without an error.

    A broken one is put aside and holds nothing.

    Raise `Busy`, also for one that somebody else has removed meanwhile.
    """
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError as error:
        raise Busy from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            entries = _read(descriptor)
        except BlockingIOError as error:
            raise Busy from error
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            logger.error(
                "%s cannot be read and is put aside; its deliveries count as in doubt: %s",
                path,
                error,
            )
            path.rename(path.with_suffix(BROKEN))
            entries = []
        yield entries
        with suppress(FileNotFoundError):
            path.unlink()
        _sync(path.parent)
    finally:
        os.close(descriptor)


def _read(descriptor: int) -> list[LedgerEntry]:
    """Read the outcomes; raise `ValueError`, `TypeError` or `KeyError` for what is no such file."""
    whole = json.loads(os.pread(descriptor, LARGEST, 0))
    if whole["format"] != FORMAT:
        raise ValueError(f"format {whole['format']!r} is not known to this version")
    return [_entry(given) for given in whole["outcomes"]]


def _entry(given: dict[str, Any]) -> LedgerEntry:
    known = given | {
        "id": UUID(given["id"]),
        "message_id": UUID(given["message_id"]),
        "state": DeliveryState(given["state"]),
        "at": datetime.fromisoformat(given["at"]),
    }
    entry = LedgerEntry(**known)
    for each in fields(LedgerEntry):
        value = getattr(entry, each.name)
        if not isinstance(value, _TYPES[str(each.type)]):
            raise TypeError(f"{each.name} is no {each.type}")
    return entry


_TYPES: dict[str, tuple[type, ...]] = {
    "UUID": (UUID,),
    "str": (str,),
    "int": (int,),
    "bool": (bool,),
    "float": (float, int),
    "DeliveryState": (DeliveryState,),
    "datetime": (datetime,),
    "float | None": (float, int, type(None)),
    "int | None": (int, type(None)),
}


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
