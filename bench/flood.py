"""Urgent mail beside a flood: what it feels, how much of the flood has arrived when its last is
accepted, what the service did.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import redis

from bench.notes import Arrivals, Submissions
from bench.report import SECOND, percentiles
from deliveries.capacity import inflow

URGENT_RATE, URGENT_SESSIONS = 10.0, 4
ALONE, FLOOD_SECONDS = 6.0, 40.0
LOOK_EVERY = 0.5  # seconds


@dataclass(frozen=True, slots=True)
class Flood:
    """Latencies in milliseconds as (p50, p95, p99), from the last byte sent to `250`, and to the
    arrival at the sink.

    `arrived_share` is the part of the flood that had arrived when its last was accepted. `states`
    says in how many of the looks, one each half second, the in-flow control was in which state;
    `seconds_behind` is the most that delivery was behind.
    """

    urgent_messages: int
    urgent_lost: int
    alone_accept: tuple[float, float, float]
    alone_arrival: tuple[float, float, float]
    urgent_accept: tuple[float, float, float]
    urgent_arrival: tuple[float, float, float]
    bulk_messages: int
    bulk_lost: int
    bulk_refused: int
    bulk_rate: float
    bulk_arrival: tuple[float, float, float]
    arrived_share: float
    duplicates: int
    states: dict[str, int]
    seconds_behind: float


@dataclass(slots=True)
class States:
    """What the looks at the in-flow control saw."""

    seen: Counter[str]
    most_behind: float = 0.0


@contextmanager
def watching(url: str) -> Iterator[States]:
    """Look at the state of the in-flow control meanwhile."""
    states, stop = States(Counter()), threading.Event()

    def look() -> None:
        with redis.Redis.from_url(url, socket_timeout=2) as valkey:
            while not stop.wait(LOOK_EVERY):
                found = inflow.find(valkey)
                states.seen[found.state] += 1
                states.most_behind = max(states.most_behind, found.seconds_behind)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield states
    finally:
        stop.set()
        thread.join(5)


def flood_of(urgent: Submissions, bulk: Submissions, came: Arrivals, states: States) -> Flood:
    """Return the figures.

    What was sent while the bulk's generator logged in counts to neither part.
    """
    firsts = {number: min(times) for number, times in came.arrivals.items()}
    begun, ended = min(bulk.sent.values()), max(bulk.accepted.values())
    alone = {number for number, at in urgent.sent.items() if at < bulk.opened}
    beside = {number for number, at in urgent.sent.items() if begun <= at <= ended}
    arrived = sum(firsts.get(number, ended) < ended for number in bulk.accepted)
    return Flood(
        urgent_messages=len(beside),
        urgent_lost=len(urgent.accepted.keys() - firsts.keys()),
        alone_accept=_after(urgent.accepted, urgent, alone),
        alone_arrival=_after(firsts, urgent, alone),
        urgent_accept=_after(urgent.accepted, urgent, beside),
        urgent_arrival=_after(firsts, urgent, beside),
        bulk_messages=len(bulk.accepted),
        bulk_lost=len(bulk.accepted.keys() - firsts.keys()),
        bulk_refused=len(bulk.refusals),
        bulk_rate=len(bulk.accepted) / ((ended - begun) / SECOND),
        bulk_arrival=_after(firsts, bulk, bulk.accepted.keys()),
        arrived_share=arrived / len(bulk.accepted),
        duplicates=sum(len(times) - 1 for times in came.arrivals.values()),
        states=dict(states.seen),
        seconds_behind=states.most_behind,
    )


def _after(
    times: dict[int, int], sent: Submissions, numbers: Iterable[int]
) -> tuple[float, float, float]:
    return percentiles([times[number] - sent.sent[number] for number in numbers if number in times])


def lines(found: Flood) -> Iterator[str]:
    """Write the figures for people."""
    yield "                    p50 / p95 / p99 ms"
    yield (
        "urgent alone        arrival "
        + _spread(found.alone_arrival)
        + ", 250 "
        + _spread(found.alone_accept)
    )
    yield (
        "urgent in the flood arrival "
        + _spread(found.urgent_arrival)
        + ", 250 "
        + _spread(found.urgent_accept)
    )
    yield (
        f"flood               {found.bulk_messages:,} accepted, {found.bulk_rate:,.0f} /s, arrival "
        f"{_spread(found.bulk_arrival)}; refused {found.bulk_refused}"
    )
    yield (
        f"in sight            {found.arrived_share:.0%} of it had arrived when its last was "
        "accepted"
    )
    yield (
        f"wrong               lost {found.urgent_lost + found.bulk_lost}, duplicates "
        f"{found.duplicates}"
    )
    looks = ", ".join(f"{name} {amount}" for name, amount in sorted(found.states.items()))
    yield (
        f"in-flow control     {looks} (looks), delivery at most {found.seconds_behind:.1f} s behind"
    )


def _spread(values: tuple[float, float, float]) -> str:
    return " / ".join(f"{value:,.0f}" for value in values)
