"""What the doctor finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it is, and what to do about it where it is not good."""

    name: str
    level: Level
    text: str
    advice: str = ""
    figures: dict[str, Any] = field(default_factory=dict)  # of what is counted, for programs


def good(name: str, text: str) -> Finding:
    return Finding(name, Level.GOOD, text)
