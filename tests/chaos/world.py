"""The whole service under `./ekiden up`, which alone starts again what ends, and the ledgers by
which it is judged.

What was promised stands in the apps' ledger (`tests.chaos.load`), what came in the receiver's
(`tests.fakes.mx`). Neither knows anything
of the service; its own tables are asked only whether it is done, and what it has noted as possibly
sent twice.
"""

from __future__ import annotations

import os
import random
import smtplib
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

import psycopg
from supervisor.xmlrpc import SupervisorTransport

from relay_portal.servers.embedded import runtime_folder
from tests.chaos.far_side import BACK, DOMAINS, IN_DOUBT, IN_HAND, LIVE
from tests.chaos.load import Load
from tests.fakes.dns import FakeDns
from tests.fakes.mx import FakeMx
from tests.journeys.rig import wait_until
from tests.outside.service import DOMAIN, Service


class World:
    """A service that sends to the far side, and what a test does to it."""

    def __init__(self, service: Service, dns: FakeDns, sink: FakeMx) -> None:
        self.service, self.dns, self.sink = service, dns, sink
        service.command(
            "project", "set", "outside", "--retry-schedule", "1", "2"
        )  # the test does not wait minutes
        service.command("live", "--yes")

    def client(self) -> smtplib.SMTP:
        session = self.service.smtp(self.service.submission)
        try:
            session.login(*self.service.login)
        except BaseException:
            session.close()
            raise
        return session

    # --- the processes ----------------------------------------------------------------------------
    @contextmanager
    def supervisor(self) -> Iterator[Any]:
        transport = SupervisorTransport(
            None, None, f"unix://{runtime_folder(self.service.data) / 'up.sock'}"
        )
        try:
            yield ServerProxy("http://127.0.0.1", transport=transport).supervisor
        finally:
            transport.close()

    def pids(self, kind: str) -> list[int]:
        """Return the processes of that kind that run: `worker` for worker-1 and worker-2."""
        with self.supervisor() as supervisor:
            found = supervisor.getAllProcessInfo()
        return [
            info["pid"]
            for info in found
            if info["name"].rpartition("-")[0] == kind or info["name"] == kind
            if info["pid"]
        ]

    @property
    def supervisor_pid(self) -> int:
        with self.supervisor() as supervisor:
            return int(supervisor.getPID())

    @contextmanager
    def without(self, kind: str) -> Iterator[None]:
        """Have Supervisor keep it down meanwhile."""
        with self.supervisor() as supervisor:
            supervisor.stopProcess(kind)
        try:
            yield
        finally:
            with self.supervisor() as supervisor, suppress(Fault):
                supervisor.startProcess(kind)

    # --- what it says of itself -------------------------------------------------------------------
    def status(self) -> str:
        """Return what `./ekiden status` prints, whatever its exit status."""
        ran = self.service.running.run("status")
        return str(ran.stdout) + str(ran.stderr)

    def said(self) -> str:
        """Return the log of all processes, and what `up` itself has said of them."""
        return self.service.log() + str(self.service.running.said())


class Scene:
    """One run: the load, and the moments of the faults."""

    def __init__(self, world: World, ledger: Path) -> None:
        self.world = world
        self.load = Load(world, ledger, DOMAINS, sender=DOMAIN)
        self.faults: list[float] = []
        self.in_hand = IN_HAND
        self.back: list[
            float
        ] = []  # seconds from each fault's end until mail that was handed in after it had arrived
        self._first_attempt = world.service.query(
            "SELECT coalesce(max(id), 0) FROM deliveries_attempt"
        )[0][0]
        self._log_began = len(world.said())

    @contextmanager
    def under_load(self) -> Iterator[None]:
        """Run the load; the faults happen within the block, and afterwards everything must have
        arrived.
        """
        with self.load:
            wait_until(lambda: len(self.arrived()) > 20, "mail flows", 60)
            yield
            time.sleep(1)
        wait_until(self._is_done, "nothing is live", 180)
        self.check()

    def _is_done(self) -> bool:
        with suppress(psycopg.OperationalError):
            return not self.world.service.query(LIVE)
        return False

    def fault(self) -> None:
        """Note that a fault begins or ends: what is in flight at such a moment may come twice."""
        self.faults.append(time.monotonic())

    def wait_until_back(self, seconds: float = BACK) -> None:
        """Wait after the last fault; nobody does anything about it."""
        ended = self.faults[-1]
        wait_until(
            lambda: self._served(ended),
            f"mail of after the fault has arrived; {self._waits()}",
            seconds,
        )
        self.back.append(self._served(ended))

    def _served(self, since: float) -> float:
        times = {message.recipients[0]: message.at for message in reversed(self.arrived())}
        return min(
            (
                times[to] - since
                for to, at in self.load.tried_at.copy().items()
                if at > since and to in times
            ),
            default=0.0,
        )

    def _waits(self) -> str:
        try:
            return str(self.world.service.query(LIVE))
        except psycopg.OperationalError as error:
            return str(error)

    # --- the receiver's ledger --------------------------------------------------------------------
    def arrived(self):
        return [
            message
            for message in list(self.world.sink.messages)
            if message.recipients[0].startswith(self.load.run)
        ]

    def repeats(self) -> Counter[str]:
        copies = Counter(message.recipients[0] for message in self.arrived())
        return Counter({recipient: count - 1 for recipient, count in copies.items() if count > 1})

    def in_flight(self) -> set[str]:
        """Return whom the receiver had taken mail for so shortly before a fault that this was
        possibly not written down.
        """
        return {
            message.recipients[0]
            for message in self.arrived()
            if any(at - self.in_hand < message.at < at + self.in_hand / 2 for at in self.faults)
        }

    def spoken_of(self) -> set[str]:
        """Return the recipients that a connection has named to the receiver."""
        said = (
            line
            for session in list(self.world.sink.sessions)
            for line in session.commands
            if line.startswith("RCPT TO:<")
        )
        return {line[9:].partition(">")[0] for line in said}

    # --- the judgement ----------------------------------------------------------------------------
    def in_doubt(self) -> set[str]:
        """Return for whom the service has written down that a message may come twice."""
        return {
            recipient for (recipient,) in self.world.service.query(IN_DOUBT, self._first_attempt)
        }

    def log(self) -> str:
        return self.world.said()[self._log_began :]

    def wait_for_log(self, words: str, seconds: float = 60.0) -> None:
        """Wait for words in the log: processes look at what has happened every second or
        every few.
        """
        wait_until(lambda: words in self.log(), f"the log says {words!r}", seconds)

    def check(self) -> None:
        arrived, repeats = {message.recipients[0] for message in self.arrived()}, self.repeats()
        assert self.load.accepted == self.load.sent.keys(), (
            f"the service does not take mail again: {self.load.troubles[-3:]}"
        )
        assert self.load.given_up == [], "an app was told to give up"
        assert self.load.accepted - arrived == set(), "promised, and lost"
        for message in self.arrived():
            assert message.content.endswith(self.load.sent[message.recipients[0]]), (
                "it arrived changed"
            )
        assert repeats.keys() <= self.in_flight(), "repeated, and not in flight at any fault"
        assert repeats.keys() <= self.in_doubt(), "a repeat that nobody noted as possible"
        assert self.in_doubt() <= self.spoken_of(), "in doubt, and its connection never spoke"
        assert self.world.service.running.json("conservation")["missing"] == 0

    def numbers(self) -> str:
        waits = sorted(
            message.at - self.load.accepted_at.get(message.recipients[0], message.at)
            for message in self.arrived()
        ) or [0.0]
        back = sorted(self.back) or [0.0]
        troubles = Counter(trouble.partition("(")[0] for trouble in self.load.troubles)
        lost = len(self.load.accepted - {message.recipients[0] for message in self.arrived()})
        return (
            f"accepted {len(self.load.accepted)}, lost {lost}, "
            f"repeats {self.repeats().total()} of {len(self.in_flight())} in flight, "
            f"noted as in doubt {len(self.in_doubt())}, "
            f"back after {back[len(back) // 2]:.1f} s (median), {back[-1]:.1f} s (most), "
            f"slowest mail {waits[-1]:.1f} s, the apps' troubles {dict(troubles)}"
        )


def stop_all(pids: list[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def pause(least: float, most: float) -> None:
    time.sleep(random.uniform(least, most))
