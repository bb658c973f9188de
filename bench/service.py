"""A service that has been brought up, and what is done to it in a run."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg

from bench import accounts, filling, notes, report
from bench.flood import (
    ALONE,
    FLOOD_SECONDS,
    URGENT_RATE,
    URGENT_SESSIONS,
    Flood,
    flood_of,
    watching,
)
from bench.load import Plan
from bench.stage import (
    ENDLESS,
    ROOT,
    SENDER,
    BenchError,
    Options,
    hosts_of,
    on_cores,
    plan_of,
    result_of,
    running_sink,
    submit,
    submitting,
)
from deliveries.message import compression
from relay_portal.servers import embedded

DEEP_HOST = "127.0.2.1"  # of the lane in which mail waits
# Two probes of the claim-order index: a million that wait in the deep lane cost nothing here.
IS_AT_WORK = """
SELECT EXISTS (SELECT FROM deliveries_delivery WHERE ended_at IS NULL AND lane_id < %(deep)s
    ORDER BY lane_id LIMIT 1)
    OR EXISTS (SELECT FROM deliveries_delivery WHERE ended_at IS NULL AND lane_id > %(deep)s
        ORDER BY lane_id LIMIT 1)
"""
LEASED = "SELECT count(*) FROM deliveries_lane WHERE leased_until >= now() AND id <> %(deep)s"
HANG_UP = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND "
    "pid <> pg_backend_pid()"
)


class Service:
    """A running service, and the ways to look at it."""

    def __init__(
        self,
        folder: Path,
        env: dict[str, str],
        supervisor: int,
        options: Options,
        sink_port: int,
    ) -> None:
        self._folder = folder
        self._env = env
        self._supervisor = supervisor
        self._options = options
        self._hosts = hosts_of(options)
        self._sink_port = sink_port
        self._logins: dict[str, dict[str, str]] = {}
        self._deep = -1  # the lane in which mail waits

    def prepare(self) -> None:
        """Make what a sender needs: a domain with its key, a credential, routes to the sink."""
        options = self._options
        given = [str(self._sink_port), str(options.sources)]
        given += ["--mx"] * options.is_by_mx + ["--unsigned"] * (not options.is_signed)
        self._logins = json.loads(
            self._ask("-m bench.prepare", SENDER, ",".join(self._hosts), *given)
        )

    def measure(self, *, first: int = 0) -> report.BenchFigures:
        """Measure one load, whose messages are numbered from `first`."""
        options, pids, came = self._options, self._pids(), self._folder / "arrivals.json"
        with self._sink(came) as sink:
            # For the listeners to know the credential's domain, the routers their routes.
            time.sleep(2)
            if options.is_burst:
                self._ask("manage.py pause", "all", "--reason", "The burst comes first.")
            before, spent = self._cpu(pids), resource.getrusage(resource.RUSAGE_CHILDREN)
            with on_cores(options, of_relay=False), accounts.MemoryWatch(pids) as watch:
                submissions = submit(self._plan(options, first), self._folder / "submissions.json")
            load_cpu = _seconds(resource.getrusage(resource.RUSAGE_CHILDREN)) - _seconds(spent)
            released = time.monotonic_ns()
            if options.is_burst:
                self._ask("manage.py resume", "all", "--reason", "The burst is over.")
            recorded = self._until_all_is_recorded()
            after = self._cpu(pids)
            memory, largest = accounts.memory_mib(pids), accounts.peaks_mib(pids)
            sink_cpu = accounts.cpu_seconds({"sink": [sink.pid]})
        return report.figures(
            submissions,
            notes.read_arrivals(came),
            recorded=recorded,
            released=released if options.is_burst else 0,
            cpu={kind: after[kind] - before[kind] for kind in after},
            memory=memory,
            largest=largest,
            memory_each_minute=watch.each_minute,
            bench_cpu={"generator": load_cpu, **sink_cpu},
        )

    def flood(self) -> Flood:
        """Send urgent mail at `URGENT_RATE`, alone for `ALONE` seconds, then beside the load; keep
        the sessions open.
        """
        options, came = self._options, self._folder / "flood-arrivals.json"
        seconds = options.seconds or FLOOD_SECONDS
        urgent = replace(
            options, sessions=URGENT_SESSIONS, rate=URGENT_RATE, seconds=ALONE + seconds
        )
        urgent_file, bulk_file = self._folder / "urgent.json", self._folder / "bulk.json"
        with self._sink(came):
            time.sleep(2)
            with on_cores(options, of_relay=False), watching(self._valkey()) as states:
                few = submitting(self._plan(urgent, ENDLESS, login="urgent"), urgent_file)
                time.sleep(ALONE)
                many = submitting(
                    self._plan(replace(options, seconds=seconds, rate=0), 0), bulk_file
                )
                bulk, codes = result_of(many, bulk_file), result_of(few, urgent_file)
            self._until_all_is_recorded()
        return flood_of(codes, bulk, notes.read_arrivals(came), states)

    def _valkey(self) -> str:
        return embedded.valkey_url(Path(self._env["EKIDEN_DATA"]))

    def fill(self) -> None:
        options = self._options
        content = (
            b"From: shop@sender.test\r\nTo: user@deep.test\r\nDKIM-Signature: none\r\n\r\n"
            + b"0123456789\r\n" * (options.size // 12)
        )
        with self._database() as connection:
            deep = filling.fill(
                connection, backlog=options.backlog, waiting=options.waiting, host=DEEP_HOST,
                port=self._sink_port,
                data=compression.compress(content, (), size=len(content)), size=len(content),
            )  # fmt: skip
        self._deep = deep or -1

    def first_after_idleness(self, number: int) -> float:
        """Return the milliseconds from a client's connecting to the arrival of its mail, after
        idleness.

        As after an idle hour, the lanes are leased by nobody, connections to receivers are closed,
        and so are all of PostgreSQL's.
        """
        self._wait(
            lambda connection: connection.execute(LEASED, {"deep": self._deep}).fetchone() == (0,),
            "lanes are leased",
            60,
        )
        with self._database() as connection:
            connection.execute(HANG_UP)
        came = self._folder / "first-arrival.json"
        with self._sink(came):
            plan = self._plan(
                replace(self._options, messages=1, sessions=1, seconds=0, rate=0), number
            )
            opened = submit(plan, self._folder / "first.json").opened
            self._until_all_is_recorded()
        times = notes.read_arrivals(came).arrivals.get(number)
        if not times:
            raise BenchError("The first message after idleness did not arrive.")
        return (times[0] - opened) / 1e6

    @contextmanager
    def _sink(self, came: Path) -> Iterator[subprocess.Popen[str]]:
        with (
            on_cores(self._options, of_relay=False),
            running_sink(self._sink_port, [*self._hosts, DEEP_HOST], came, self._folder) as sink,
        ):
            yield sink

    def _plan(self, options: Options, first: int, *, login: str = "load") -> Plan:
        return plan_of(
            options,
            port=int(self._env["EKIDEN_SUBMISSION_PORT"]),
            first=first,
            **self._logins[login],
        )

    def _ask(self, module: str, *words: str) -> str:
        done = subprocess.run(  # noqa: S603  (our own program)
            [sys.executable, *module.split(), *words],
            env=self._env,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BenchError(f"{module} {words[0]} failed: {done.stderr.strip()[-500:]}")
        return done.stdout

    def _pids(self) -> dict[str, list[int]]:
        """Return the processes of each kind that Supervisor runs."""
        found: dict[str, list[int]] = {}
        for process in json.loads(self._ask("manage.py status", "--json"))["processes"]:
            found.setdefault(process["name"].partition("-")[0], []).append(process["pid"])
        return found

    def _cpu(self, pids: dict[str, list[int]]) -> dict[str, float]:
        """Return CPU seconds by kind; Supervisor's own are the price of one log for all."""
        return accounts.cpu_seconds(pids) | {
            "supervisor": accounts.own_cpu_seconds(self._supervisor)
        }

    def _database(self) -> psycopg.Connection[tuple[object, ...]]:
        folder = embedded.runtime_folder(Path(self._env["EKIDEN_DATA"])) / "postgres"
        return psycopg.connect(
            f"host={folder} user=ekiden dbname={embedded.DATABASE}", autocommit=True
        )

    def _until_all_is_recorded(self) -> int:
        """Wait until all is recorded but the deep lane, which is there to wait; return when,
        in ns.
        """
        self._wait(
            lambda connection: connection.execute(IS_AT_WORK,
                {"deep": self._deep}).fetchone() == (False,), "deliveries are live",
            self._options.patience,
        )  # fmt: skip
        return time.monotonic_ns()

    def _wait(
        self,
        is_so: Callable[[psycopg.Connection[tuple[object, ...]]], bool],
        words: str,
        patience: float,
    ) -> None:
        until = time.monotonic() + patience
        with self._database() as connection:
            while not is_so(connection):
                if time.monotonic() > until:
                    raise BenchError(f"After {patience:.0f} s {words} still.")
                time.sleep(0.05)


def _seconds(used: resource.struct_rusage) -> float:
    return used.ru_utime + used.ru_stime
