"""What generator and sink write down, so that the two can be compared when both have ended.

Times are CLOCK_MONOTONIC, in ns.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

HEADER = b"X-Bench-Number: "


@dataclass(frozen=True, slots=True)
class Arrivals:
    """The sink's: when each number came, each time that it came."""

    arrivals: dict[int, list[int]]
    facts: dict[str, int]


@dataclass(slots=True)
class Submissions:
    """The generator's: when the last byte of each number was sent, when its 250 was read; and what
    was not 250.

    `opened` is when it began to connect.
    """

    sent: dict[int, int] = field(default_factory=dict)
    accepted: dict[int, int] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    opened: int = 0


def write(file: Path, noted: Arrivals | Submissions) -> None:
    file.write_text(json.dumps(asdict(noted)), encoding="utf-8")


def read_arrivals(file: Path) -> Arrivals:
    noted = json.loads(file.read_text(encoding="utf-8"))
    return Arrivals(_numbered(noted["arrivals"]), noted["facts"])


def read_submissions(file: Path) -> Submissions:
    noted = json.loads(file.read_text(encoding="utf-8"))
    return Submissions(
        _numbered(noted["sent"]), _numbered(noted["accepted"]), noted["refusals"], noted["opened"]
    )


def _numbered(values: dict[str, Any]) -> dict[int, Any]:
    return {int(number): value for number, value in values.items()}
