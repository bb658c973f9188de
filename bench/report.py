"""The figures of one run, computed from the notes of generator and sink, and how they are shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.notes import Arrivals, Submissions

SECOND = 1_000_000_000
STRETCH = 10  # seconds


@dataclass(frozen=True, slots=True)
class PeerResult:
    """Another relay under the same load, between the same generator and sink.

    CPU in milliseconds for each message.
    """

    name: str
    messages: int
    lost: int
    unsigned: int
    rate: float
    cpu: dict[str, float]
    cpu_total: float


@dataclass(frozen=True, slots=True)
class BenchFigures:
    """Latencies in milliseconds as (p50, p95, p99); CPU in milliseconds for each message; memory
    in MiB.

    `drained` is the rate after a burst, `empty` the same load before the database was filled,
    `first` the milliseconds of a first message after idleness, `largest` the most memory that one
    process of a kind has had. `memory_each_minute` is what each kind holds of its own, without what
    it shares or maps.
    """

    messages: int
    refused: int
    lost: int
    duplicates: int
    unsigned: int
    seconds: float
    rate: float
    accept_rate: float
    drained: float
    accept: tuple[float, float, float]
    arrival: tuple[float, float, float]
    cpu: dict[str, float]
    cpu_total: float
    memory: dict[str, float]
    largest: dict[str, float]
    bench_cpu: dict[str, float]
    accepted_each_second: list[int]
    arrived_each_second: list[int]
    memory_each_minute: list[dict[str, float]]
    empty: BenchFigures | None = None
    first: float = 0.0
    peer: PeerResult | None = None


def figures(
    sent: Submissions,
    came: Arrivals,
    *,
    recorded: int,
    released: int,
    cpu: dict[str, float],
    memory: dict[str, float],
    largest: dict[str, float],
    memory_each_minute: list[dict[str, float]],
    bench_cpu: dict[str, float],
) -> BenchFigures:
    """Return the figures of a run.

    `recorded` is when the last delivery was on record, in ns, and `released` when a burst's
    delivery began, 0 without one; `cpu` and `bench_cpu` are seconds by kind of process.
    """
    begun, accepted = min(sent.sent.values()), sent.accepted
    # What waited before the run carries no number.
    numbered = {number: times for number, times in came.arrivals.items() if number >= 0}
    firsts = {number: min(times) for number, times in numbered.items()}
    each = 1000 / max(len(accepted), 1)
    return BenchFigures(
        messages=len(accepted),
        refused=len(sent.refusals),
        lost=len(accepted.keys() - firsts.keys()),
        duplicates=sum(len(times) - 1 for times in numbered.values()),
        unsigned=came.facts["unsigned"],
        seconds=(recorded - begun) / SECOND,
        rate=len(accepted) / ((recorded - begun) / SECOND),
        accept_rate=len(accepted) / max((max(accepted.values()) - begun) / SECOND, 1e-9),
        drained=len(accepted) / ((recorded - released) / SECOND) if released else 0.0,
        accept=percentiles([at - sent.sent[number] for number, at in accepted.items()]),
        arrival=percentiles(
            [at - sent.sent[number] for number, at in firsts.items() if number in sent.sent]
        ),
        cpu={kind: seconds * each for kind, seconds in cpu.items()},
        cpu_total=sum(cpu.values()) * each,
        memory=memory,
        largest=largest,
        bench_cpu={kind: seconds * each for kind, seconds in bench_cpu.items()},
        accepted_each_second=each_second(accepted.values(), begun),
        arrived_each_second=each_second(firsts.values(), begun),
        memory_each_minute=memory_each_minute,
    )


def percentiles(nanoseconds: Sequence[int]) -> tuple[float, float, float]:
    ordered = sorted(nanoseconds)
    if not ordered:
        return (0.0, 0.0, 0.0)
    p50, p95, p99 = (
        ordered[min(int(len(ordered) * share), len(ordered) - 1)] / 1e6
        for share in (0.50, 0.95, 0.99)
    )
    return (p50, p95, p99)


def each_second(times: object, begun: int) -> list[int]:
    """Count how many of the times fall into each second since `begun`."""
    counts: dict[int, int] = {}
    for at in times:  # type: ignore[attr-defined]  # the values of a dictionary
        counts[(at - begun) // SECOND] = counts.get((at - begun) // SECOND, 0) + 1
    return [counts.get(second, 0) for second in range(max(counts, default=-1) + 1)]


def lines(found: BenchFigures) -> Iterator[str]:
    wrong = {
        "refused": found.refused,
        "lost": found.lost,
        "duplicates": found.duplicates,
        "unsigned": found.unsigned,
    }
    yield f"messages      {found.messages:>10,}    " + ", ".join(
        f"{name} {amount}" for name, amount in wrong.items()
    )
    yield from _rate_lines(found)
    yield "250 after     " + _spread(found.accept)
    yield "arrival after " + _spread(found.arrival)
    yield f"CPU           {found.cpu_total:>10.2f} ms for each message: " + _kinds(found.cpu, ".2f")
    yield f"memory        {sum(found.memory.values()):>10,.0f} MiB: " + _kinds(found.memory, ",.0f")
    yield (
        "at most       "
        + f"{max(found.largest.values(), default=0):>10,.0f} MiB in one process: "
        + _kinds(found.largest, ",.0f")
    )
    yield from _memory_lines(found.memory_each_minute)
    yield "beside it     " + _kinds(found.bench_cpu, ".2f") + " ms of CPU for each message"
    if (empty := found.empty) is not None:
        yield (
            f"empty before  {empty.cpu_total:>10.2f} ms of CPU for each message, "
            f"{empty.rate:,.0f} /s: {_change(empty, found)}"
        )
    if found.first:
        yield f"first         {found.first:>10,.0f} ms from connecting to arrival, after idleness"
    yield from _peer_lines(found)


def _rate_lines(found: BenchFigures) -> Iterator[str]:
    hourly = f"{found.rate * 3600 / 1e6:.2f} million an hour"
    yield (
        f"rate          {found.rate:>10,.0f} /s, {hourly}, from the first submission to the last "
        "recorded delivery"
    )
    if not found.drained and len(found.arrived_each_second) >= 2 * STRETCH:
        yield "sustained     " + _sustained(found.arrived_each_second)
    yield (
        f"accepting     {found.accept_rate:>10,.0f} /s, "
        f"{_best(found.accepted_each_second):,.0f} in its best {STRETCH} seconds"
    )
    if found.drained:
        yield f"draining      {found.drained:>10,.0f} /s, from the end of the burst"


def _memory_lines(each_minute: Sequence[dict[str, float]]) -> Iterator[str]:
    """Say for each kind how much of its own it held in the middle of the first and of the second
    half: what grows for ever has grown between the two.
    """
    if len(each_minute) < 4:
        return
    early, late = each_minute[len(each_minute) // 4], each_minute[-len(each_minute) // 4]
    grown = {kind: late[kind] - early[kind] for kind in late}
    yield f"its own       {sum(late.values()):>10,.0f} MiB: " + _kinds(late, ",.0f")
    yield (
        f"grown         {sum(grown.values()):>+10,.0f} MiB from a quarter to three quarters of "
        f"{len(each_minute)} minutes: " + _kinds(grown, "+,.1f")
    )


def _peer_lines(found: BenchFigures) -> Iterator[str]:
    if (peer := found.peer) is None:
        return
    yield ""
    yield f"{peer.name}: {peer.messages:,} messages, lost {peer.lost}, unsigned {peer.unsigned}"
    yield (
        f"rate          {peer.rate:>10,.0f} /s; Ekiden {found.rate / peer.rate:.1f} times as many"
    )
    times = peer.cpu_total / found.cpu_total
    yield (
        f"CPU           {peer.cpu_total:>10.2f} ms for each message: "
        f"{_kinds(peer.cpu, '.2f')}; {times:.1f} times Ekiden's"
    )


def _change(empty: BenchFigures, full: BenchFigures) -> str:
    kinds = {
        kind: full.cpu[kind] - empty.cpu[kind]
        for kind in full.cpu
        if abs(full.cpu[kind] - empty.cpu[kind]) >= 0.005
    }
    return f"{(full.cpu_total / empty.cpu_total - 1) * 100:+.0f} % since ({_kinds(kinds, '+.2f')})"


def _stretches(each_second: Sequence[int]) -> list[float]:
    """Return the rate in each whole stretch."""
    whole = len(each_second) // STRETCH
    return [
        sum(each_second[number * STRETCH : (number + 1) * STRETCH]) / STRETCH
        for number in range(whole)
    ]


def _sustained(each_second: Sequence[int]) -> str:
    rates = sorted(_stretches(each_second))
    spread = (
        f"{rates[len(rates) // 2]:>10,.0f} /s (median), {rates[0]:,.0f} (worst), "
        f"{rates[-1]:,.0f} (best)"
    )
    return f"{spread} of {len(rates)} times {STRETCH} seconds"


def _best(each_second: Sequence[int]) -> float:
    """Return the best mean of all stretches; the mean of the run where it is shorter than one."""
    ends = range(STRETCH, len(each_second) + 1)
    return max(
        (sum(each_second[end - STRETCH : end]) / STRETCH for end in ends),
        default=sum(each_second) / max(len(each_second), 1),
    )


def _spread(values: tuple[float, float, float]) -> str:
    return f"{values[0]:>10.1f} ms (p50), {values[1]:.1f} (p95), {values[2]:.1f} (p99)"


def _kinds(values: dict[str, float], form: str) -> str:
    return ", ".join(
        f"{kind} {value:{form}}"
        for kind, value in sorted(values.items(), key=lambda item: -item[1])
    )
