"""Reads a corpus of real reports with their expected results, and says by which system each was
written.
"""

from __future__ import annotations

import csv
import re
import zlib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

# Families of files that one system, or one company's systems, wrote: they share their words.
SYSTEMS = {
    "gmail": "google", "googlegroups": "google", "googleworkspace": "google", "gsuite": "google",
    "office365": "microsoft",
    "outlook": "microsoft", "hotmail": "microsoft", "exchange2003": "microsoft",
    "exchange2007": "microsoft", "amazonses": "amazon",
    "receivingses": "amazon", "amazonworkmail": "amazon", "yahooinc": "yahoo", "aol": "yahoo",
    "v5sendmail": "sendmail",
    "ezweb": "kddi", "einsundeins": "gmx", "domino": "notes", "smtp32": "imailserver",
}  # fmt: skip
_FAMILY = re.compile(r"^(?:lhost-|rhost-)?(.+?)[-_]\d+\.\w+$")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One recipient's row of `expected.tsv`."""

    class_: str
    is_hard: bool


@dataclass(frozen=True, slots=True)
class Sample:
    """A report and what is expected of it: rows of `expected.tsv`, or the addresses that have
    failed (`recipients.tsv`).
    """

    path: Path
    rows: tuple[Wanted, ...] = ()
    addresses: frozenset[str] | None = None

    @property
    def system(self) -> str:
        """Who wrote it, as the file's name says: `lhost-exim-01.eml` is Exim's."""
        match = _FAMILY.match(self.path.name)
        name = match[1] if match else self.path.stem
        return SYSTEMS.get(name, name)

    def is_in(self, part: int, parts: int) -> bool:
        """Tell if it is in this part of the corpus (1 is the first), which depends on nothing but
        its name.
        """
        return zlib.crc32(self.path.name.encode()) % parts == part - 1


def load(folder: Path) -> list[Sample]:
    """Return the samples of a folder with `expected.tsv` (and `bounces/`) or `recipients.tsv` (and
    `recipients/`).

    Raises `OSError` where there is neither, `KeyError` where a column is missing.
    """
    rows: dict[str, list[Wanted]] = defaultdict(list)
    samples: list[Sample] = []
    for row in _table(folder / "expected.tsv"):
        rows[row["file"]].append(Wanted(row["class"], row["hard"] == "true"))
    samples += [Sample(folder / "bounces" / name, tuple(wanted)) for name, wanted in rows.items()]
    if (people := folder / "recipients.tsv").exists():
        samples += [
            Sample(folder / "recipients" / row["file"], (), _addresses(row["addresses"]))
            for row in _table(people)
        ]
    return samples


def _addresses(text: str) -> frozenset[str]:
    return frozenset(each.lower() for each in re.split(r"[;,\s]+", text) if each)


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
