"""Take a file in: looked at first, then at once or as a job that another worker can go on with."""

from __future__ import annotations

import io
import json
import logging
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import IO, Any

from django.db import connection, transaction
from django.utils import timezone

from domains.foundation.text import texts
from domains.foundation.upkeep.job_leases import Lease, LeaseLost, left
from domains.models import ItemKind, Project
from domains.operations.isolation import begin_again, guarded, is_outage, may_begin, progressed
from suppressions.exchange.reading import BadLine, File, ListedAddress
from suppressions.exchange.staging import STAGE, ImportProgress, batches, refuse, take_entries
from suppressions.models import Import, ImportState, Suppression

logger = logging.getLogger(__name__)

FAULT = "A fault of the service"
PREVIEWED = 10_000
EXAMPLES = 20
LARGEST = 268_435_456  # bytes of a file


Say = Callable[["ImportProgress"], object]
Renew = Callable[[], object]


@dataclass(slots=True)
class ImportPreview:
    """Of the first lines: the format, some entries as they would be taken, and how many are
    what.
    """

    format: str
    progress: ImportProgress
    examples: list[ListedAddress]
    is_whole: bool
    domains: list[str] = field(default_factory=list)  # `@domain`: everybody there


def preview(opened: IO[bytes], *, project: int | None, now: datetime) -> ImportPreview:
    """Look at a file without changing anything. Raises `ValueError` for what is no list of
    addresses.
    """
    progress, entries = ImportProgress(), []
    with File(opened, now=now) as file:
        found = file.entries()
        for each in found:
            progress.lines += 1
            if isinstance(each, BadLine):
                refuse(progress, each)
            else:
                entries.append(each)
            if progress.lines >= PREVIEWED:
                break
        is_whole = next(found, None) is None
    keys = {each.key for each in entries}
    known = Suppression.objects.filter(
        address_key__in=keys, project=project, sender_domain=""
    ).count()
    progress.added, progress.updated = len(keys) - known, known
    return ImportPreview(
        file.format.name,
        progress,
        entries[:EXAMPLES],
        is_whole,
        sorted(key for key in keys if key.startswith("@")),
    )


def take(
    opened: IO[bytes],
    *,
    project: int | None,
    by: str,
    now: datetime,
    say: Say = lambda progress: None,
    before: ImportProgress | None = None,
    renew: Renew = lambda: None,
) -> ImportProgress:
    """Take the whole file in; `say` hears of each batch in its transaction.

    Raises `ValueError` as `preview`; a second time the same is harmless. `before` is how far
    another came with the same file, whose lines are skipped; `renew` is called with each batch of
    these, and as the transaction of one that is taken begins.
    """
    with File(opened, now=now) as file:
        progress = before or ImportProgress()
        return _take(file, progress, project=project, by=by, say=say, renew=renew)


def _take(
    file: File, progress: ImportProgress, *, project: int | None, by: str, say: Say, renew: Renew
) -> ImportProgress:
    progress.format = file.format.name
    evidence = json.dumps({"kind": "import", "format": file.format.name})
    with connection.cursor() as cursor:
        cursor.execute(STAGE)
        cursor.execute("TRUNCATE staged")
        found = file.entries()
        for _ in batches(islice(found, progress.lines)):
            renew()
        for batch in batches(found):
            entries = [each for each in batch if isinstance(each, ListedAddress)]
            with transaction.atomic():
                renew()
                for each in batch:
                    if isinstance(each, BadLine):
                        refuse(progress, each)
                take_entries(
                    entries, progress, {"project": project, "evidence": evidence, "by": by}
                )
                progress.lines += len(batch)
                say(progress)
    return progress


# --- as a job ---
def keep(row: Import, opened: IO[bytes]) -> None:
    """Keep the file with the row, since the worker may be another machine.

    Raise `ValueError` for one that is too large.
    """
    packer, size, packed = zlib.compressobj(1), 0, []
    while piece := opened.read(1_048_576):
        size += len(piece)
        if size > LARGEST:
            raise ValueError(f"The file is larger than {LARGEST // 1_048_576} MiB; split it")
        packed.append(packer.compress(piece))
    row.data = b"".join([*packed, packer.flush()])


def opened(row: Import) -> IO[bytes]:
    return io.BytesIO(zlib.decompress(bytes(row.data)))


def run(import_id: int) -> None:
    """Take in a file that was asked for, or go on with one whose worker has died; where another is
    at it, nothing.
    """
    lease = Lease.take(
        Import.objects.filter(pk=import_id, state__in=(ImportState.WAITING, ImportState.RUNNING))
    )
    if lease is None:
        return
    row = Import.objects.get(pk=import_id)
    if not row.data:
        _end(
            row,
            ImportState.FAILED,
            "The command that read this file ended before it was through; give it again.",
        )
        return
    if lease.follows_a_death and begin_again(ItemKind.IMPORT, import_id):
        _end(
            row, ImportState.FAILED, "The worker ended at this place again and again; see the log."
        )
        return
    Import.objects.filter(pk=import_id).update(state=ImportState.RUNNING)
    # A wrong file is in the row.
    with guarded(ItemKind.IMPORT, import_id, most=1), suppress(ValueError, LeaseLost):
        take_for(row, opened(row), lease=lease)


def carry_on() -> None:
    """Go on with what no job works on: its call was lost, or its worker died."""
    for import_id in left(Import.objects.filter(state=ImportState.RUNNING)):
        if may_begin(ItemKind.IMPORT, import_id):
            run(import_id)


def begin(*, name: str, project: Project | None, by: str) -> tuple[Import, Lease]:
    """Make a row for a file that this process reads itself."""
    row = Import.objects.create(
        name=name, project=project, state=ImportState.RUNNING, created_by=by
    )
    lease = Lease.take(Import.objects.filter(pk=row.pk))
    assert lease is not None, "nobody else knows of it"
    return row, lease


def take_for(
    row: Import, file: IO[bytes], *, lease: Lease, say: Say = lambda progress: None
) -> ImportProgress:
    """Run `take` and note in the row how far it is. Raises `ValueError` as `take` does, and
    `LeaseLost`.

    In an outage the row stays as it is, and a later job goes on with it.
    """

    def note(progress: ImportProgress) -> None:
        lease.renew()
        _note(row, progress)
        if lease.follows_a_death:
            progressed(ItemKind.IMPORT, row.pk)
        say(progress)

    try:
        done = take(
            file,
            project=row.project_id,
            by=row.created_by,
            now=timezone.now(),
            say=note,
            before=_progress(row),
            renew=lease.renew,
        )
        with transaction.atomic():
            lease.renew()
            _note(row, done)
            _end(row, ImportState.DONE)
    except LeaseLost:
        logger.warning("import=%d another goes on with it", row.pk)
        raise
    except ValueError as error:
        _end(row, ImportState.FAILED, str(error))
        raise
    except Exception as error:
        if not is_outage(error):
            _stop(row, error)
        raise
    return done


def _end(row: Import, state: str, why: str = "") -> None:
    row.state, row.ended_at, row.data, row.leased_until = state, timezone.now(), b"", None
    if why:
        row.errors = [_error(BadLine(0, "", why))]
    row.save(update_fields=["state", "errors", "ended_at", "data", "leased_until"])


def _stop(row: Import, error: Exception) -> None:
    """Note a fault of ours; the file stays, so that a person can let the import go on behind the
    last batch.
    """
    # What was not committed has not been.
    row.refresh_from_db(fields=["lines", "added", "updated", "refused", "errors", "data"])
    said = texts.one_line(str(error), 200) or "no reason was given"
    row.state, row.ended_at, row.leased_until = ImportState.FAILED, timezone.now(), None
    row.errors = [*row.errors, _error(BadLine(0, "", f"{FAULT} after {row.lines:,} lines: {said}"))]
    row.save(update_fields=["state", "errors", "ended_at", "leased_until"])


def resume(row: Import) -> bool:
    """Let a file that waits, or one at which we failed, be taken in; false where it is neither."""
    wanted = Import.objects.filter(pk=row.pk).exclude(data=b"")
    wanted = wanted.filter(state__in=(ImportState.WAITING, ImportState.FAILED))
    return bool(wanted.update(state=ImportState.RUNNING, ended_at=None, leased_until=None))


def _progress(row: Import) -> ImportProgress:
    errors = [BadLine(each["line"], each["text"], each["why"]) for each in row.errors]
    return ImportProgress(row.lines, row.added, row.updated, row.refused, row.format, errors)


def _note(row: Import, progress: ImportProgress) -> None:
    row.format = progress.format
    row.lines, row.added, row.updated, row.refused = (
        progress.lines,
        progress.added,
        progress.updated,
        progress.refused,
    )
    row.errors = [_error(bad) for bad in progress.errors]
    row.save(update_fields=["format", "lines", "added", "updated", "refused", "errors"])


def _error(bad: BadLine) -> dict[str, Any]:
    return {"line": bad.line, "text": bad.text, "why": bad.why}
