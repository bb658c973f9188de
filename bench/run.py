"""One run: the whole service as `ekiden up` brings it up, a generator before it and a sink behind it."""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psycopg

from bench import accounts, filling, notes, peer, report
from bench.load import Plan
from deliveries import codec
from relay_portal import embedded

ROOT = Path(__file__).resolve().parent.parent
SENDER = "sender.test"
DEEP_HOST = "127.0.2.1"  # of the lane in which mail waits
ENDLESS = 1_000_000_000
PORTS = ("SUBMISSION", "SUBMISSIONS", "MX", "PORTAL", "SANDBOX")
LIVE = "SELECT count(*) FROM deliveries_delivery WHERE ended_at IS NULL AND lane_id <> %s"


class BenchError(Exception):
    """The run cannot be made or finished; the text says why."""


@dataclass(frozen=True, slots=True)
class Options:
    messages: int = 20_000
    size: int = 10_240
    sessions: int = 40
    domains: int = 20
    rate: float = 0.0
    listeners: int = 2
    workers: int = 1
    seconds: float = 0.0
    backlog: int = 0
    waiting: int = 0
    is_signed: bool = True
    peer: str = ""
    patience: float = 600.0


def run(options: Options, say: Callable[[str], object]) -> report.Figures:
    """Raises `BenchError`."""
    # Not in /tmp, which is memory on some systems: a commit has to reach a disk.
    with _folder() as folder:
        say("Bringing the service up")
        with _service(folder, options) as service:
            found = service.measure(options, say)
        if not options.peer:
            return found
        say(f"The same with {peer.TITLE}")
        return replace(found, peer=peer.measure(folder, options, say))


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="ekiden-bench-", dir="/var/tmp"))
    folder.chmod(0o711)
    data = folder / "data"
    try:
        yield folder
    finally:
        for place in (embedded.state_folder(data), embedded.runtime_folder(data), folder):
            shutil.rmtree(place, ignore_errors=True)


class Service:
    """A running service, and the ways to look at it."""

    def __init__(self, folder: Path, env: dict[str, str], supervisor: int) -> None:
        self._folder = folder
        self._env = env
        self._supervisor = supervisor

    def ask(self, module: str, *words: str) -> str:
        done = subprocess.run(  # noqa: S603  (our own program)
            [sys.executable, *module.split(), *words], env=self._env, cwd=ROOT, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise BenchError(f"{module} {words[0]} failed: {done.stderr.strip()[-500:]}")
        return done.stdout

    def pids(self) -> dict[str, list[int]]:
        """The processes of each kind that Supervisor runs."""
        found: dict[str, list[int]] = {}
        for process in json.loads(self.ask("manage.py status", "--json"))["processes"]:
            found.setdefault(process["name"].partition("-")[0], []).append(process["pid"])
        return found

    def measure(self, options: Options, say: Callable[[str], object]) -> report.Figures:
        hosts = hosts_of(options)
        port, came, sent = free_port(*hosts, DEEP_HOST), self._folder / "arrivals.json", self._folder / "submissions.json"
        login = json.loads(self.ask("-m bench.prepare", SENDER, ",".join(hosts), str(port), *([] if options.is_signed else ["--unsigned"])))
        pids = self.pids()
        plan = plan_of(options, port=int(self._env["EKIDEN_SUBMISSION_PORT"]), **login)
        deep = self._fill(options, DEEP_HOST, port, say)
        amount = f"for {options.seconds:g} seconds" if options.seconds else f"{options.messages:,} messages"
        say(f"Submitting {amount} of {options.size:,} bytes over {options.sessions} sessions")
        with running_sink(port, [*hosts, DEEP_HOST], came, self._folder) as sink:
            time.sleep(2)  # for the listeners to know the credential's domain, the routers their routes
            before = self._cpu(pids)
            spent = resource.getrusage(resource.RUSAGE_CHILDREN)
            self.ask("-m bench.load", json.dumps(asdict(plan)), str(sent))
            now_spent = resource.getrusage(resource.RUSAGE_CHILDREN)
            recorded = self._until_all_is_recorded(options.patience, deep)
            after = self._cpu(pids)
            memory = accounts.memory_mib(pids)
            sink_cpu = accounts.cpu_seconds({"sink": [sink.pid]})
        cpu = {kind: after[kind] - before[kind] for kind in after}
        load_cpu = now_spent.ru_utime + now_spent.ru_stime - spent.ru_utime - spent.ru_stime
        submissions, arrivals = notes.read_submissions(sent), notes.read_arrivals(came)
        if not submissions.accepted:
            raise BenchError(f"Nothing was accepted: {'; '.join(sorted(set(submissions.refusals))[:3])}")
        return report.figures(
            submissions, arrivals, recorded=recorded, cpu=cpu, memory=memory, bench_cpu={"generator": load_cpu, **sink_cpu}
        )

    def _cpu(self, pids: dict[str, list[int]]) -> dict[str, float]:
        """Seconds by kind; Supervisor's own are the price of one log for all."""
        return accounts.cpu_seconds(pids) | {"supervisor": accounts.own_cpu_seconds(self._supervisor)}

    def _fill(self, options: Options, host: str, port: int, say: Callable[[str], object]) -> int:
        """The lane in which mail waits, 0 for none."""
        if not options.backlog and not options.waiting:
            return 0
        say(f"Filling the database: {options.backlog:,} that have ended, {options.waiting:,} that wait in one lane")
        content = b"From: shop@sender.test\r\nTo: user@deep.test\r\nDKIM-Signature: none\r\n\r\n" + b"0123456789\r\n" * (options.size // 12)
        with self._database() as connection:
            return filling.fill(
                connection, backlog=options.backlog, waiting=options.waiting, host=host, port=port,
                data=codec.compress(content, (), size=len(content)), size=len(content),
            )  # fmt: skip

    def _database(self) -> psycopg.Connection[tuple[object, ...]]:
        folder = embedded.runtime_folder(Path(self._env["EKIDEN_DATA"])) / "postgres"
        return psycopg.connect(f"host={folder} user=ekiden dbname={embedded.DATABASE}", autocommit=True)

    def _until_all_is_recorded(self, patience: float, deep: int) -> int:
        """All but what waits in the deep lane, which is there to wait."""
        until = time.monotonic() + patience
        with self._database() as connection:
            while (live := connection.execute(LIVE, [deep]).fetchone()) != (0,):
                if time.monotonic() > until:
                    raise BenchError(f"After {patience:.0f} s {live} deliveries are still live.")
                time.sleep(0.05)
        return time.monotonic_ns()


@contextmanager
def _service(folder: Path, options: Options) -> Iterator[Service]:
    ours = ("EKIDEN_", "DATABASE_URL", "REDIS_URL")
    env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    env |= {f"EKIDEN_{name}_PORT": str(free_port("127.0.0.1")) for name in PORTS}
    env |= {
        "EKIDEN_DATA": str(folder / "data"),
        "EKIDEN_HOSTNAME": "relay.bench.invalid",
        "EKIDEN_LISTENERS": str(options.listeners),
        "EKIDEN_WORKERS": str(options.workers),
    }
    log = folder / "up.log"
    with open(log, "wb") as out:
        up = subprocess.Popen([sys.executable, "manage.py", "up"], env=env, cwd=ROOT, stdout=out, stderr=out)
    try:
        until = time.monotonic() + 120
        while b"Ready." not in log.read_bytes():
            if up.poll() is not None or time.monotonic() > until:
                raise BenchError(f"The service did not come up: {log.read_text(errors='replace')[-1000:]}")
            time.sleep(0.1)
        yield Service(folder, env, up.pid)
    finally:
        up.terminate()
        up.wait(90)


@contextmanager
def running_sink(port: int, hosts: list[str], file: Path, folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "bench.sink", str(port), ",".join(hosts), str(file)]
    with open(folder / "sink.log", "wb") as errors:
        sink = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True)  # noqa: S603  (our own program)
    assert sink.stdout is not None
    try:
        if sink.stdout.readline() != "ready\n":
            raise BenchError(f"The sink did not start: {(folder / 'sink.log').read_text(errors='replace')[-500:]}")
        yield sink
    finally:
        sink.terminate()
        sink.wait(60)
        sink.stdout.close()


def hosts_of(options: Options) -> list[str]:
    """The sink's, one for each domain."""
    return [f"127.0.1.{number}" for number in range(1, options.domains + 1)]


def plan_of(options: Options, *, port: int, username: str = "", password: str = "") -> Plan:
    """What the generator shall do to the relay at this port."""
    domains = [f"d{number}.test" for number in range(1, options.domains + 1)]
    return Plan(
        port=port, username=username, password=password, sender=f"shop@{SENDER}", domains=domains,
        messages=ENDLESS if options.seconds else options.messages, sessions=options.sessions, size=options.size, rate=options.rate,
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
