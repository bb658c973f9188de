"""Measures how well a corpus is understood, and how well it would be by rules that have never seen
the system that wrote a report.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache

from deliveries.bounces.corpus import Sample
from deliveries.bounces.parsed_report import Report, ReportKind
from deliveries.bounces.parser import read
from deliveries.classification.classifier import LOOSE, TELLING, speaking
from deliveries.classification.rules import BounceRule, RuleTable, alternatives
from deliveries.smtp.outcomes import Stage

LARGEST = 67_108_864  # octets of a file
FIGURES = ("recognised", "class", "hard precision", "hard recall", "recipients")
_KINDS = {
    "complaint": ReportKind.COMPLAINT,
    "auto_reply": ReportKind.AUTO_REPLY,
    "delivered": ReportKind.DELIVERED,
}
_ALONE = {kind: name for name, kind in _KINDS.items()}

Phrase = tuple[str, int]  # a rule's name, and the number of one alternative of its pattern
Heard = Mapping[Phrase, frozenset[str]]


@dataclass(slots=True)
class Score:
    """Counts of right answers and of all; `figures` are their quotients, None where nothing was
    asked.
    """

    counts: Counter[str]
    wrong: list[str]

    @classmethod
    def empty(cls) -> Score:
        return cls(Counter(), [])

    @property
    def figures(self) -> tuple[float | None, ...]:
        n = self.counts
        pairs = (
            ("kind", "files"),
            ("class", "rows"),
            ("hard_right", "hard_said"),
            ("hard_right", "hard_wanted"),
            ("people_right", "people"),
        )
        return tuple(n[right] / n[all_] if n[all_] else None for right, all_ in pairs)

    def add(self, sample: Sample, report: Report) -> None:
        if sample.addresses is not None:
            self._add_people(sample, report, sample.addresses)
        else:
            self._add_rows(sample, report)

    def merge(self, other: Score) -> None:
        self.counts.update(other.counts)
        self.wrong += other.wrong

    def _add_people(self, sample: Sample, report: Report, wanted: frozenset[str]) -> None:
        # Who answers by a program has failed nowhere.
        fates = () if report.kind is ReportKind.AUTO_REPLY else report.fates
        found = {fate.recipient.lower() for fate in fates if fate.recipient}
        self.counts["people"] += 1
        self.counts["people_right"] += found == wanted
        if found != wanted:
            self.wrong.append(
                f"{sample.path.name}: wanted {' '.join(sorted(wanted)) or '-'}, got "
                f"{' '.join(sorted(found)) or '-'}"
            )

    def _add_rows(self, sample: Sample, report: Report) -> None:
        """Count as the corpus' own score.py does: classes in any order, hardness in the order of
        the rows.
        """
        n, kind = self.counts, _KINDS.get(sample.rows[0].class_, ReportKind.BOUNCE)
        n["files"] += 1
        n["kind"] += report.kind == kind or (
            kind is ReportKind.BOUNCE and report.kind is ReportKind.DELAY
        )
        classes = Counter(str(fate.classified.class_) for fate in report.fates)
        if report.kind in _ALONE and not report.fates:
            classes[_ALONE[report.kind]] = len(sample.rows)
        hards = [fate.classified.is_hard for fate in report.fates]
        for number, row in enumerate(sample.rows):
            is_right = classes[row.class_] > 0
            classes[row.class_] -= is_right
            is_hard = number < len(hards) and hards[number]
            n["rows"] += 1
            n["class"] += is_right
            n["hard_wanted"] += row.is_hard
            n["hard_said"] += is_hard
            n["hard_right"] += row.is_hard and is_hard
            if not is_right or is_hard != row.is_hard:
                self.wrong.append(
                    f"{sample.path.name}: wanted {_said(row.class_, row.is_hard)}, got "
                    f"{_fates(report)}"
                )


def _said(class_: str, is_hard: bool) -> str:
    return f"{class_}{' (hard)' if is_hard else ''}"


def _fates(report: Report) -> str:
    said = [
        f"{_said(fate.classified.class_, fate.classified.is_hard)} by {fate.classified.rule}"
        for fate in report.fates[:4]
    ]
    return f"{report.kind}: {', '.join(said) or 'nobody'}"


def measure(samples: Iterable[Sample]) -> dict[str, Score]:
    """Return the score of each system with all rules."""
    return _by_system(samples, lambda system, data: read(data))


def ablated(samples: Iterable[Sample], learned: Iterable[Sample] = ()) -> dict[str, Score]:
    """Return each system's score by rules without what was heard in its reports alone, or names it.

    A phrase is an alternative of a rule's pattern. It is off for a system where no report of
    another system (of `samples` and `learned`) holds it: whether it would have been thought of
    without that system nobody can say.
    """
    samples = list(samples)
    heard = listen([*samples, *learned])

    @cache
    def tables(system: str) -> tuple[RuleTable, RuleTable]:
        return RuleTable(list(_without(TELLING, system, heard))), RuleTable(
            list(_without(LOOSE, system, heard))
        )

    def read_without(system: str, data: bytes) -> Report:
        with speaking(*tables(system)):
            return read(data)

    return _by_system(samples, read_without)


def total(scores: Mapping[str, Score]) -> Score:
    found = Score.empty()
    for name in sorted(scores):
        found.merge(scores[name])
    return found


def listen(samples: Iterable[Sample]) -> Heard:
    """Return the systems in whose reports each phrase was found when it was asked for."""
    heard: dict[Phrase, set[str]] = defaultdict(set)
    now = [""]

    def note(rule: BounceRule, text: str) -> None:
        for number, branch in enumerate(_branches(rule)):
            if branch.search(text):
                heard[rule.name, number].add(now[0])

    with speaking(_Listening(TELLING, note), _Listening(LOOSE, note)):
        for sample in samples:
            now[0] = sample.system
            read(data_of(sample))
    return {phrase: frozenset(systems) for phrase, systems in heard.items()}


def data_of(sample: Sample) -> bytes:
    with sample.path.open("rb") as file:
        return file.read(LARGEST)


class _Listening(RuleTable):
    """A table that says which rule spoke, and about what."""

    def __init__(
        self, rules: Iterable[BounceRule], note: Callable[[BounceRule, str], None]
    ) -> None:
        super().__init__(tuple(rules))
        self._note = note

    def find(
        self, text: str, *, provider: str = "", stage: Stage | None = None, code: int = 0
    ) -> BounceRule | None:
        found = super().find(text, provider=provider, stage=stage, code=code)
        if found is not None:
            self._note(found, text)
        return found


@cache
def _branches(rule: BounceRule) -> tuple[re.Pattern[str], ...]:
    return tuple(map(re.compile, alternatives(rule.pattern)))


def _without(rules: Iterable[BounceRule], system: str, heard: Heard) -> Iterator[BounceRule]:
    for rule in rules:
        if f"/{system}-" in rule.name or system in rule.seen:
            continue
        kept = [
            branch.pattern
            for number, branch in enumerate(_branches(rule))
            if heard.get((rule.name, number)) != frozenset({system})
        ]
        if kept:
            yield (
                replace(rule, pattern="|".join(kept)) if len(kept) < len(_branches(rule)) else rule
            )


def _by_system(
    samples: Iterable[Sample], reader: Callable[[str, bytes], Report]
) -> dict[str, Score]:
    scores: dict[str, Score] = defaultdict(Score.empty)
    for sample in samples:
        scores[sample.system].add(sample, reader(sample.system, data_of(sample)))
    return dict(scores)
