"""What a policy would have made of what was learned in the last 30 days."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby

from suppressions.models import Occurrence
from suppressions.policy import Rules, decide
from suppressions.recording import event_of

DAYS = timedelta(days=30)
LOOKED_BACK = timedelta(days=120)  # what counted at the beginning of those days
# So many answer within seconds; a project that learns more in a month sees the newest of them.
MOST = 100_000
EXAMPLES = 50

# When mail to these addresses arrived in that time, each address with its times in order.
Arrivals = Callable[[int, Collection[str]], dict[str, list[datetime]]]


@dataclass(slots=True)
class Result:
    """Addresses by class that each of the two policies would have suppressed; `examples` of what
    only the new one would.
    """

    looked_at: int = 0
    is_cut: bool = False
    in_force: Counter[str] = field(default_factory=Counter)
    tried: Counter[str] = field(default_factory=Counter)
    only_tried: list[tuple[str, str]] = field(default_factory=list)
    only_in_force: list[tuple[str, str]] = field(default_factory=list)

    @property
    def classes(self) -> list[tuple[str, int, int]]:
        names = sorted(set(self.in_force) | set(self.tried))
        return [(name, self.in_force[name], self.tried[name]) for name in names]


def run(
    project: int, tried: Rules, in_force: Rules, arrivals: Arrivals, *, now: datetime
) -> Result:
    """Compare both policies over the same occurrences, without regard to what is suppressed
    already.
    """
    result = Result()
    known = Occurrence.objects.filter(project=project, at__gt=now - LOOKED_BACK).order_by("-at")
    newest = list(known[: MOST + 1])
    result.looked_at, result.is_cut = min(len(newest), MOST), len(newest) > MOST
    by_address = sorted(newest[:MOST], key=lambda each: (each.address_key, each.at))
    for chunk in _chunks(
        {key: list(group) for key, group in groupby(by_address, lambda each: each.address_key)}
    ):
        delivered = arrivals(project, chunk.keys())
        for key, learned in chunk.items():
            _compare(result, key, learned, delivered.get(key, []), tried, in_force, now=now)
    return result


def _chunks(
    by_address: dict[str, list[Occurrence]], size: int = 1000
) -> Iterator[dict[str, list[Occurrence]]]:
    keys = list(by_address)
    for start in range(0, len(keys), size):
        yield {key: by_address[key] for key in keys[start : start + size]}


def _compare(
    result: Result,
    key: str,
    learned: list[Occurrence],
    delivered: list[datetime],
    tried: Rules,
    in_force: Rules,
    *,
    now: datetime,
) -> None:
    mine, theirs = (_class_of(learned, delivered, rules, now=now) for rules in (tried, in_force))
    if mine:
        result.tried[mine] += 1
    if theirs:
        result.in_force[theirs] += 1
    if mine and not theirs and len(result.only_tried) < EXAMPLES:
        result.only_tried.append((key, mine))
    if theirs and not mine and len(result.only_in_force) < EXAMPLES:
        result.only_in_force.append((key, theirs))


def _class_of(
    learned: list[Occurrence], delivered: list[datetime], rules: Rules, *, now: datetime
) -> str:
    """Return the class for which the address would have been suppressed first within the days, or
    "".
    """
    events = [event_of(occurrence) for occurrence in learned]
    for number, event in enumerate(events, 1):
        if event.at > now - DAYS:
            before = [at for at in delivered if at < event.at]
            verdict = decide(
                events[:number], rules, now=event.at, delivered_at=before[-1] if before else None
            )
            if verdict is not None:
                return str(verdict.decisive.class_)
    return ""
