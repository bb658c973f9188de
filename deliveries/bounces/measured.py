"""Puts what was measured on a corpus into a table for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from deliveries.bounces.corpus import Sample, load
from deliveries.bounces.measuring import FIGURES, Score, ablated, measure, total
from domains.foundation.command import CommandError


def lines(folders: Sequence[Path], *, part: str, show: int) -> Iterator[str]:
    """Yield the five figures of each system and of all, with all rules and with those that have
    not seen the system.

    Raises `CommandError` where a folder or a part cannot be read.
    """
    every = _load(folders)
    number, parts = _part(part)
    chosen = [sample for sample in every if sample.is_in(number, parts)]
    full, fresh = (
        measure(chosen),
        ablated(chosen, [sample for sample in every if not sample.is_in(number, parts)]),
    )
    yield f"{'system':18} {'files':>5}   {'all rules':38}   without what only this system says"
    yield f"{'':24}   {_heads()}   {_heads()}"
    for system in sorted(full, key=lambda name: (-_size(full[name]), name)):
        yield _row(system, full[system], fresh[system])
    yield _row("all", total(full), total(fresh))
    for title, scores in (("all rules", full), ("without", fresh)):
        yield from (f"{title}: {line}" for line in total(scores).wrong[:show])


def _load(folders: Sequence[Path]) -> list[Sample]:
    try:
        return [sample for folder in folders for sample in load(folder)]
    except OSError as error:
        raise CommandError(
            f"{error.filename} cannot be read: {error.strerror}. A corpus has expected.tsv and "
            "bounces/."
        ) from error
    except KeyError as error:
        raise CommandError(f"The table of expected results has no column {error}.") from error


def _part(text: str) -> tuple[int, int]:
    number, _, parts = text.partition("/")
    if number.isdigit() and parts.isdigit() and 1 <= int(number) <= int(parts):
        return int(number), int(parts)
    raise CommandError(f"--part {text}: give the number of a part and of all, such as 1/2.")


def _heads() -> str:
    return " ".join(
        f"{name.replace('hard ', '').replace('recogn', 'recog')[:7]:>7}" for name in FIGURES
    )


def _row(name: str, full: Score, fresh: Score) -> str:
    return f"{name:18} {_size(full):5}   {_figures(full)}   {_figures(fresh)}"


def _figures(score: Score) -> str:
    return " ".join(
        f"{figure:7.3f}" if figure is not None else "      –" for figure in score.figures
    )


def _size(score: Score) -> int:
    return score.counts["files"] + score.counts["people"]
