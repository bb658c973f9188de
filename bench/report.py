"""The figures of one run, computed from the notes of generator and sink, and how they are shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.notes import Arrivals, Submissions

SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Figures:
    """Latencies in milliseconds as (p50, p95, p99); CPU in milliseconds for each message; memory in MiB."""

    messages: int
    refused: int
    lost: int
    duplicates: int
    unsigned: int
    seconds: float
    rate: float
    accept: tuple[float, float, float]
    arrival: tuple[float, float, float]
    cpu: dict[str, float]
    cpu_total: float
    memory: dict[str, float]
    bench_cpu: dict[str, float]
    accepted_each_second: list[int]
    arrived_each_second: list[int]


def figures(
    sent: Submissions, came: Arrivals, *, recorded: int, cpu: dict[str, float], memory: dict[str, float], bench_cpu: dict[str, float]
) -> Figures:
    """`recorded` is when the last delivery was on record, in ns; `cpu` and `bench_cpu` are seconds by kind of process."""
    begun, accepted = min(sent.sent.values()), sent.accepted
    firsts = {number: min(times) for number, times in came.arrivals.items()}
    each = 1000 / max(len(accepted), 1)
    return Figures(
        messages=len(accepted),
        refused=len(sent.refusals),
        lost=len(accepted.keys() - firsts.keys()),
        duplicates=sum(len(times) - 1 for times in came.arrivals.values()),
        unsigned=came.facts["unsigned"],
        seconds=(recorded - begun) / SECOND,
        rate=len(accepted) / ((recorded - begun) / SECOND),
        accept=percentiles([at - sent.sent[number] for number, at in accepted.items()]),
        arrival=percentiles([at - sent.sent[number] for number, at in firsts.items() if number in sent.sent]),
        cpu={kind: seconds * each for kind, seconds in cpu.items()},
        cpu_total=sum(cpu.values()) * each,
        memory=memory,
        bench_cpu={kind: seconds * each for kind, seconds in bench_cpu.items()},
        accepted_each_second=each_second(accepted.values(), begun),
        arrived_each_second=each_second(firsts.values(), begun),
    )


def percentiles(nanoseconds: Sequence[int]) -> tuple[float, float, float]:
    ordered = sorted(nanoseconds)
    if not ordered:
        return (0.0, 0.0, 0.0)
    p50, p95, p99 = (ordered[min(int(len(ordered) * share), len(ordered) - 1)] / 1e6 for share in (0.50, 0.95, 0.99))
    return (p50, p95, p99)


def each_second(times: object, begun: int) -> list[int]:
    """How many of the times fall into each second since `begun`."""
    counts: dict[int, int] = {}
    for at in times:  # type: ignore[attr-defined]  # the values of a dictionary
        counts[(at - begun) // SECOND] = counts.get((at - begun) // SECOND, 0) + 1
    return [counts.get(second, 0) for second in range(max(counts, default=-1) + 1)]


def lines(found: Figures) -> Iterator[str]:
    wrong = {"refused": found.refused, "lost": found.lost, "duplicates": found.duplicates, "unsigned": found.unsigned}
    yield f"messages      {found.messages:>10,}    " + ", ".join(f"{name} {amount}" for name, amount in wrong.items())
    hourly = f"{found.rate * 3600 / 1e6:.2f} million an hour"
    yield f"rate          {found.rate:>10,.0f} /s, {hourly}, from the first submission to the last recorded delivery"
    yield "250 after     " + _spread(found.accept)
    yield "arrival after " + _spread(found.arrival)
    yield f"CPU           {found.cpu_total:>10.2f} ms for each message: " + _kinds(found.cpu, ".2f")
    yield f"memory        {sum(found.memory.values()):>10,.0f} MiB: " + _kinds(found.memory, ",.0f")
    yield "beside it     " + _kinds(found.bench_cpu, ".2f") + " ms of CPU for each message"


def _spread(values: tuple[float, float, float]) -> str:
    return f"{values[0]:>10.1f} ms (p50), {values[1]:.1f} (p95), {values[2]:.1f} (p99)"


def _kinds(values: dict[str, float], form: str) -> str:
    return ", ".join(f"{kind} {value:{form}}" for kind, value in sorted(values.items(), key=lambda item: -item[1]))
