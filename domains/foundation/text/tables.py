"""Tables and lines as wide as a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

GAP = "  "
LEAST = 20  # characters that a last column must have to be read as a column


def table(rows: Sequence[tuple[str, ...]], width: int | None = None) -> list[str]:
    """Return lines of columns as wide as their widest cell; the first row is the header.

    Where these are wider than `width`, the last column is folded in its place; where it has no room
    for that, each row is a block of `HEADER  cell` lines.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    before = sum(widths[:-1]) + len(GAP) * (len(widths) - 1)
    if width is None or before + widths[-1] <= width:
        return [_line(row, widths) for row in rows]
    if before + LEAST <= width:
        begun = [_line((*row[:-1], ""), widths).ljust(before) for row in rows]
        pairs = zip(begun, rows, strict=True)
        return [line for left, row in pairs for line in hanging(left, row[-1], width)]
    return _blocks(rows, width)


def hanging(before: str, text: str, width: int | None) -> list[str]:
    """Return the text behind what stands before it, its further lines below its first."""
    if width is None or len(before) + len(text) <= width:
        return [f"{before}{text}".rstrip()]
    room = max(LEAST, width - len(before))
    folded = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
    margin = " " * len(before)
    return [f"{margin if at else before}{line}" for at, line in enumerate(folded)]


def _blocks(rows: Sequence[tuple[str, ...]], width: int) -> list[str]:
    header, *others = rows
    margin = max(map(len, header)) + len(GAP)
    lines: list[str] = []
    for row in others:
        lines += [""] if lines else []
        for name, cell in zip(header, row, strict=True):
            lines += hanging(name.ljust(margin), cell, width)
    return lines


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    return GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
