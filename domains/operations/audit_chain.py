"""Prove that the audit log is what was written: its entries are chained by digests.

Each second the new entries get a seal. `contents` of a seal is the SHA-256 of its entries, one
line of JSON for each (`line`); `digest` is the SHA-256 of the digest before it, its own number, its
time and `contents`, one to a line (`digest_of`). Who changes an entry has to make all later seals
anew: then the last digest is another one than what the log of the service, a printed page or an
auditor's file holds (`event=audit-sealed`).
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from domains.foundation import sql
from domains.foundation.upkeep.retention import days_before
from domains.models import AuditEntry, AuditSeal, UnsealedEntry

logger = logging.getLogger(__name__)

MOST = 1000  # entries under one seal
BEGINNING = 64 * "0"  # stands before the first seal
ERASE = "erase"  # the action of the entry that vouches for what an erasure changed
FIELDS = (
    "id", "at", "actor", "client_address", "action", "object_type", "object_id", "object_name",
    "reason", "details",
)  # fmt: skip

TAKE = """
DELETE FROM domains_unsealedentry WHERE entry_id IN (
    SELECT entry_id FROM domains_unsealedentry ORDER BY entry_id LIMIT %s)
RETURNING entry_id
"""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A seal as it was written, and what its entries are now: lines by id."""

    number: int
    sealed_at: str
    entry_ids: tuple[int, ...]
    contents: str
    digest: str
    lines: dict[int, str]


@dataclass(frozen=True, slots=True)
class ChainProof:
    """What looking at the whole chain has found; `fault` is the first, for people, or empty."""

    seals: int
    entries: int
    expired: int  # entries that retention has removed
    erased: int  # seals with entries in which a person was made unknown, vouched for later
    last: str  # NUMBER:DIGEST, to be kept elsewhere
    fault: str = ""


class BadChain(Exception):
    """The file holds no exported audit log; the text says where."""


def seal() -> int:
    """Seal what was written since, and return how many entries that were.

    An entry whose transaction ends later than those of larger ids comes under a later seal.
    """
    total = 0
    while UnsealedEntry.objects.exists():  # nearly always there is none, and nothing is locked
        total += _seal_some()
    return total


def _seal_some() -> int:
    with transaction.atomic():
        # One at a time; readers go on.
        sql.run("LOCK TABLE domains_auditseal IN EXCLUSIVE MODE")
        ids = sorted(sql.column(TAKE, [MOST]))
        if not ids:
            return 0
        before = AuditSeal.objects.order_by("-number").first()
        lines = [line(entry) for entry in AuditEntry.objects.filter(pk__in=ids).order_by("id")]
        made = AuditSeal(
            number=before.number + 1 if before else 1,
            sealed_at=timezone.now(),
            entry_ids=ids,
            contents=contents_of(lines),
        )
        made.digest = digest_of(
            before.digest if before else BEGINNING,
            made.number,
            spelled(made.sealed_at),
            made.contents,
        )
        made.save(force_insert=True)
        transaction.on_commit(
            lambda: logger.info(
                "event=audit-sealed number=%d entries=%d digest=%s",
                made.number,
                len(ids),
                made.digest,
            )
        )
        return len(ids)


# --- what is hashed -------------------------------------------------------------------------------
def line(entry: AuditEntry) -> str:
    """Return the entry as one line of JSON: keys sorted, times in UTC.

    The project is not in it: it says who may read the entry, and goes with the project.
    """
    values = {name: getattr(entry, name) for name in FIELDS} | {"at": spelled(entry.at)}
    return json.dumps(values, sort_keys=True, separators=(",", ":"))


def spelled(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def contents_of(lines: Iterable[str]) -> str:
    return hashlib.sha256("".join(f"{each}\n" for each in lines).encode()).hexdigest()


def digest_of(before: str, number: int, sealed_at: str, contents: str) -> str:
    text = f"{before}\n{number}\n{sealed_at}\n{contents}\n"
    return hashlib.sha256(text.encode()).hexdigest()


# --- the proof ------------------------------------------------------------------------------------
def verify(
    chain: Iterable[Sealed], *, anchor: str = "", before: datetime | None = None
) -> ChainProof:
    """Look at each seal in turn, up to the first that does not fit.

    `anchor` is a NUMBER:DIGEST of an earlier proof. Entries of seals older than `before` may have
    been removed by retention.
    """
    wanted, _, known = anchor.partition(":")
    seals = entries = expired = 0
    erasures = Erasures()
    digest = BEGINNING
    oldest = spelled(before) if before else ""
    for each in chain:
        fault = _fault(each, erasures, number=seals + 1, digest=digest, oldest=oldest)
        if not fault and wanted == str(each.number) and known != each.digest:
            fault = (
                f"Seal {each.number} has another digest than the one given: it, or what is before"
                " it, was made anew."
            )
        if fault:
            return ChainProof(seals, entries, expired, 0, f"{seals}:{digest}", fault)
        erasures.hear(each.lines.values())
        seals, digest = seals + 1, each.digest
        entries += len(each.lines)
        expired += len(each.entry_ids) - len(each.lines)
    if (bad := erasures.unvouched()) is not None:
        fault = f"Seal {bad.number} covers other entries than those of ids {_range(bad)}: "
        fault += "one differs."
        return ChainProof(bad.number - 1, entries, expired, 0, "", fault)
    fault = (
        f"The chain ends at seal {seals}; seal {wanted} is missing, and all that came after it."
        if wanted and int(wanted) > seals
        else ""
    )
    return ChainProof(seals, entries, expired, len(erasures.seen), f"{seals}:{digest}", fault)


@dataclass(slots=True)
class Erasures:
    """Seals whose entries differ from what was sealed: an entry about an erasure, under a later
    seal, has to name their digest as it is now.
    """

    seen: list[tuple[Sealed, str]] = field(default_factory=list)
    vouched: set[tuple[str, str]] = field(default_factory=set)

    def hear(self, lines: Iterable[str]) -> None:
        for text in lines:
            if f'"action":"{ERASE}"' in text:
                self.vouched |= set(json.loads(text)["details"].get("seals", {}).items())

    def unvouched(self) -> Sealed | None:
        return next(
            (each for each, now in self.seen if (str(each.number), now) not in self.vouched), None
        )


def _fault(each: Sealed, erasures: Erasures, *, number: int, digest: str, oldest: str) -> str:
    if each.number != number:
        return f"Seal {number} is missing; seal {each.number} follows seal {number - 1}."
    if each.digest != digest_of(digest, each.number, each.sealed_at, each.contents):
        return f"Seal {number} does not follow from seal {number - 1}: one of them was changed."
    if gone := set(each.entry_ids) - each.lines.keys():
        missing = f"Entry {min(gone)}, which seal {number} covers, is missing."
        return "" if each.sealed_at < oldest else missing
    contents = contents_of(each.lines[id_] for id_ in each.entry_ids)
    if contents != each.contents:
        erasures.seen.append((each, contents))
    return ""


def _range(each: Sealed) -> str:
    first, last = each.entry_ids[0], each.entry_ids[-1]
    return str(first) if first == last else f"{first} to {last}"


def kept_since() -> datetime | None:
    """Return the time before which retention may have removed entries; None where it never does."""
    days = settings.EKIDEN_AUDIT_DAYS
    return days_before(timezone.now(), days) if days else None


# --- where the chain is read from -----------------------------------------------------------------
def of_database() -> Iterator[Sealed]:
    for row in AuditSeal.objects.order_by("number").iterator(chunk_size=500):
        found = AuditEntry.objects.filter(pk__in=row.entry_ids)
        yield Sealed(
            row.number,
            spelled(row.sealed_at),
            tuple(row.entry_ids),
            row.contents,
            row.digest,
            {entry.pk: line(entry) for entry in found},
        )


def exported(chain: Iterable[Sealed]) -> Iterator[str]:
    """Return the lines of a file that holds it all: a seal, then its entries."""
    for each in chain:
        head: dict[str, Any] = {
            "seal": each.number,
            "sealed_at": each.sealed_at,
            "entry_ids": each.entry_ids,
            "contents": each.contents,
            "digest": each.digest,
        }
        yield json.dumps(head, separators=(",", ":"))
        yield from (each.lines[id_] for id_ in each.entry_ids if id_ in each.lines)


def of_file(lines: Iterable[str]) -> Iterator[Sealed]:
    """Read what `exported` has written; raises `BadChain`."""
    waiting: Sealed | None = None
    for number, text in enumerate(lines, 1):
        text = text.rstrip("\n")
        try:
            read = json.loads(text)
            if "seal" in read:
                if waiting:
                    yield waiting
                waiting = Sealed(
                    int(read["seal"]),
                    str(read["sealed_at"]),
                    tuple(map(int, read["entry_ids"])),
                    str(read["contents"]),
                    str(read["digest"]),
                    {},
                )
            elif waiting is None:
                raise BadChain(f"Line {number} is an entry before any seal.")
            else:
                waiting.lines[int(read["id"])] = text
        except (ValueError, KeyError, TypeError) as error:
            raise BadChain(f"Line {number} is neither a seal nor an entry: {error}") from error
    if waiting:
        yield waiting
