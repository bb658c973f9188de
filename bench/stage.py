"""What every relay that is measured stands between: a load generator before it, a sink behind it,
on ports and cores of this machine.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import notes
from bench.load import Plan
from relay_portal.setup.environment import listeners_by_cores, workers_by_cores

ROOT = Path(__file__).resolve().parent.parent
SENDER = "sender.test"
ENDLESS = 1_000_000_000


class BenchError(Exception):
    """The run cannot be made or finished; the text says why."""


@dataclass(frozen=True, slots=True)
class Options:
    messages: int = 20_000
    size: int = 10_240
    sessions: int = 40
    domains: int = 20
    rate: float = 0.0
    seconds: float = 0.0
    backlog: int = 0
    waiting: int = 0
    sources: int = 0
    listeners: int = listeners_by_cores()
    workers: int = workers_by_cores()
    cores: int = 0
    is_signed: bool = True
    is_burst: bool = False
    is_idle: bool = False
    is_by_mx: bool = False
    peer: str = ""
    patience: float = 600.0


@contextmanager
def on_cores(options: Options, *, of_relay: bool) -> Iterator[None]:
    """Keep what is started while the block runs to the relay's cores, or to those that are left.

    Where none are left, or none were named, all of it runs on all.
    """
    known = sorted(os.sched_getaffinity(0))
    relays, others = known[: options.cores] or known, known[options.cores :] or known
    os.sched_setaffinity(0, relays if of_relay else others)
    try:
        yield
    finally:
        os.sched_setaffinity(0, known)


@contextmanager
def running_sink(
    port: int, hosts: list[str], file: Path, folder: Path
) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "bench.sink", str(port), ",".join(hosts), str(file)]
    with open(folder / "sink.log", "wb") as errors:
        # S603 : our own program
        sink = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True)  # noqa: S603
    assert sink.stdout is not None
    try:
        if sink.stdout.readline() != "ready\n":
            raise BenchError(
                "The sink did not start: "
                f"{(folder / 'sink.log').read_text(errors='replace')[-500:]}"
            )
        yield sink
    finally:
        sink.terminate()
        sink.wait(60)
        sink.stdout.close()


def submit(plan: Plan, file: Path) -> notes.Submissions:
    """Let the generator carry the plan out."""
    return result_of(submitting(plan, file), file)


def submitting(plan: Plan, file: Path) -> subprocess.Popen[str]:
    """Start a generator that carries the plan out meanwhile."""
    command = [sys.executable, "-m", "bench.load", json.dumps(asdict(plan)), str(file)]
    return subprocess.Popen(  # noqa: S603
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def result_of(generator: subprocess.Popen[str], file: Path) -> notes.Submissions:
    """Return what it noted, when it has ended.

    Raise `BenchError` where it failed, or nothing was accepted.
    """
    _, errors = generator.communicate()
    if generator.returncode:
        raise BenchError(f"The generator failed: {errors.strip()[-500:]}")
    noted = notes.read_submissions(file)
    if not noted.accepted:
        raise BenchError(f"Nothing was accepted: {'; '.join(sorted(set(noted.refusals))[:3])}")
    return noted


def hosts_of(options: Options) -> list[str]:
    """Return the sink's addresses, one for each domain."""
    return [f"127.0.1.{number}" for number in range(1, options.domains + 1)]


def plan_of(
    options: Options, *, port: int, username: str = "", password: str = "", first: int = 0
) -> Plan:
    """Return what the generator shall do to the relay at this port."""
    domains = [f"d{number}.test" for number in range(1, options.domains + 1)]
    return Plan(
        port=port, username=username, password=password, sender=f"shop@{SENDER}", domains=domains,
        first=first,
        messages=ENDLESS if options.seconds else options.messages, sessions=options.sessions,
        size=options.size, rate=options.rate,
        seconds=options.seconds,
    )  # fmt: skip


def free_port(*hosts: str) -> int:
    """Free on all these addresses."""
    while True:
        with closing(socket.socket()) as first:
            first.bind((hosts[0], 0))
            port = int(first.getsockname()[1])
        with suppress(OSError):
            for host in hosts:
                with closing(socket.socket()) as probe:
                    probe.bind((host, port))
            return port
