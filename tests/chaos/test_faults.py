"""Kills the service's processes under load: what was answered 250 arrives, and no more is repeated
than was in flight.

The truth is the apps' ledger and the sink's, never our own tables. EKIDEN_CHAOS_SEED repeats a run,
EKIDEN_CHAOS_RUNS does each fault so many times.
"""

import os
import random
import shutil
import signal
import time
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from tests.chaos import load
from tests.chaos.load import Load
from tests.fakes.dns import FakeDns
from tests.fakes.mx import FakeMx
from tests.fakes.mx_actions import Wait
from tests.journeys.rig import Rig, wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

RUNS = int(os.environ.get("EKIDEN_CHAOS_RUNS", "1"))
SEED = int(os.environ.get("EKIDEN_CHAOS_SEED") or random.randrange(2**32))
DOMAINS = [f"{name}.test" for name in ("one", "two", "three", "four")]
IN_DOUBT = """
SELECT recipient FROM deliveries_attempt attempt JOIN deliveries_delivery delivery
    ON delivery.id = attempt.delivery_id
WHERE attempt.outcome = 'in_doubt' AND attempt.id > %s
"""
LIVE = """
SELECT delivery.state, delivery.claim, delivery.attempt_count, delivery.due_at - now() AS due_in,
    lane.id, lane.epoch,
       lane.leased_until - now() AS leased_for, lane.paused_until - now() AS paused_for,
           lane.pause_reason
FROM deliveries_delivery delivery JOIN deliveries_lane lane ON lane.id = delivery.lane_id
    WHERE delivery.ended_at IS NULL LIMIT 5
"""
# seconds between the sink's taking a message and its answer: there is always some mail in flight
THINKING = 0.03


@pytest.fixture(scope="module")
def sink():
    """Yield the receiver of all domains, each of them a site of its own."""
    with FakeMx() as mx:
        mx.on("BODY", [Wait(THINKING), "250 2.0.0 taken"])
        yield mx


@pytest.fixture(scope="module")
def rig(sink):
    zones: dict = {domain: {"MX": [(10, f"mx.{domain}")]} for domain in DOMAINS}
    zones |= {f"mx.{domain}": {"A": ["127.0.0.1"]} for domain in DOMAINS}
    with FakeDns(zones) as dns, Rig(dns.url, sink.port, workers=2) as rig:
        rig.manage(
            "project", "set", "shop", "--retry-schedule", "1", "2"
        )  # the test does not wait minutes
        yield rig


@pytest.fixture(params=range(RUNS))
def scene(request, rig, sink, tmp_path, capsys):
    seed = SEED + request.param
    random.seed(seed)
    scene = Scene(rig, sink, tmp_path / "ledger")
    yield scene
    with capsys.disabled():
        print(f"\n{request.node.name}: seed {seed}, {scene.numbers()}")


class Scene:
    """One run: the load, the sink, and what was in flight when the fault came."""

    def __init__(self, rig, sink, ledger):
        self.rig, self.sink = rig, sink
        self.load = Load(rig, ledger, DOMAINS)
        self.in_flight = 0
        self.may_repeat = True
        self._first_attempt = rig.query("SELECT coalesce(max(id), 0) FROM deliveries_attempt")[0][0]

    @contextmanager
    def disturbed(self):
        """Load, the fault within the block, more load; and then everything must have arrived."""
        with self.load:
            wait_until(lambda: len(self.arrived()) > 20, "mail flows")
            time.sleep(random.uniform(0.2, 1.5))
            yield
            time.sleep(1.5)
        self.settle()
        self.check()

    def arrived(self):
        return [
            message
            for message in self.sink.messages
            if message.recipients[0].startswith(self.load.run)
        ]

    def count_in_flight(self):
        with suppress(psycopg.OperationalError):
            [(self.in_flight,)] = self.rig.query(
                "SELECT count(*) FROM deliveries_delivery WHERE ended_at IS NULL AND claim <> 0"
            )

    def in_doubt(self):
        """Return the recipients for whom we have written down that they may get a message twice."""
        return {recipient for (recipient,) in self.rig.query(IN_DOUBT, self._first_attempt)}

    def settle(self):
        try:
            wait_until(lambda: not self.rig.query(LIVE), "nothing is live", 90)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.rig.query(LIVE)}") from error

    def repeats(self):
        copies = Counter(message.recipients[0] for message in self.arrived())
        return Counter({recipient: count - 1 for recipient, count in copies.items() if count > 1})

    def numbers(self):
        troubles = Counter(trouble.partition("(")[0] for trouble in self.load.troubles)
        repeats, doubts = self.repeats().total(), len(self.in_doubt())
        return (
            f"accepted {len(self.load.accepted)}, arrived {len(self.arrived())}, repeats "
            f"{repeats}, "
            f"in flight at the fault {self.in_flight}, noted as in doubt {doubts}, the apps' "
            f"troubles {dict(troubles)}"
        )

    def check(self):
        arrived, repeats = self.arrived(), self.repeats()
        assert self.load.accepted == self.load.sent.keys(), "the service does not take mail again"
        assert self.load.given_up == [], "an app was told to give up"
        assert self.load.accepted - {message.recipients[0] for message in arrived} == set(), (
            "promised, and lost"
        )
        for message in arrived:
            assert message.content.endswith(self.load.sent[message.recipients[0]]), (
                "it arrived changed"
            )
        assert repeats.keys() <= self.in_doubt(), "a repeat that nobody noted as possible"
        assert repeats.total() <= self.in_flight if self.may_repeat else not repeats
        counted = self.rig.manage_json("conservation")
        assert (counted["missing"], counted["live"], counted["delivered"]) == (
            0,
            0,
            counted["accepted"],
        )


def busy_worker(scene):
    """Find the one with the most connections to the sink."""
    return max(scene.rig.workers, key=lambda worker: connections(worker.pid, scene.sink.port))


def connections(pid, port):
    """Count the TCP connections that a process has to this port, as Linux tells."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    there = {f"socket:[{row[9]}]" for row in rows if int(row[2].partition(":")[2], 16) == port}
    return sum(
        os.readlink(link) in there
        for link in Path(f"/proc/{pid}/fd").iterdir()
        if link.is_symlink()
    )


def test_a_killed_listener_loses_nothing(scene):
    scene.may_repeat = False  # who sends was not touched, and who hands in again is known
    with scene.disturbed():
        [listener] = scene.rig.listeners
        listener.kill()
        listener.start_until(scene.rig.is_listening)


def test_a_killed_worker_loses_nothing_and_repeats_only_what_it_had_in_hand(scene):
    with scene.disturbed():
        worker = busy_worker(scene)
        worker.signal(signal.SIGSTOP)
        scene.count_in_flight()
        worker.kill()
        worker.start()


def test_a_killed_and_wiped_valkey_loses_nothing_and_repeats_nothing(scene):
    scene.may_repeat = False
    with scene.disturbed():
        valkey = scene.rig.valkey_process
        valkey.kill()
        shutil.rmtree(scene.rig.valkey.state / "appendonlydir")
        time.sleep(random.uniform(0, 1))
        valkey.start_until(scene.rig.valkey.is_ready)


def test_a_killed_postmaster_loses_nothing(scene):
    with scene.disturbed():
        scene.count_in_flight()
        postgres = scene.rig.postgres_process
        postgres.kill()
        time.sleep(random.uniform(0, 1))
        postgres.start_until(scene.rig.postgres.is_ready)


@pytest.mark.parametrize("name", ["ekiden intake", "ekiden drain lanes", "ekiden drain ledger"])
def test_a_killed_backend_loses_nothing(scene, name):
    """PostgreSQL then ends all its sessions and recovers by itself."""
    with scene.disturbed():
        scene.count_in_flight()
        backends = scene.rig.query(
            "SELECT pid FROM pg_stat_activity WHERE application_name = %s", name
        )
        os.kill(random.choice(backends)[0], signal.SIGKILL)
        time.sleep(0.5)
        wait_until(scene.rig.postgres.is_ready, "PostgreSQL has recovered")


def test_a_listener_that_is_asked_to_end_loses_and_repeats_nothing(scene):
    scene.may_repeat = False
    with scene.disturbed():
        [listener] = scene.rig.listeners
        listener.stop()
        listener.start_until(scene.rig.is_listening)


def test_a_worker_that_is_asked_to_end_loses_and_repeats_nothing(scene):
    scene.may_repeat = False
    with scene.disturbed():
        worker = busy_worker(scene)
        worker.stop()
        worker.start()


@pytest.mark.timeout(400)
def test_a_worker_that_is_asked_to_end_while_all_is_away_ends_and_loses_nothing(scene, monkeypatch):
    """What it had done is read by those that go on, so that nothing is repeated and nothing is in
    doubt.
    """
    monkeypatch.setattr(load, "PATIENCE", 240.0)  # seconds: the apps go on trying
    scene.may_repeat = False
    with scene.disturbed():
        worker = busy_worker(scene)
        servers = (
            (scene.rig.valkey_process, scene.rig.valkey),
            (scene.rig.postgres_process, scene.rig.postgres),
        )
        for process, _ in servers:
            process.kill()
        worker.ask_to_stop()
        worker.wait(300)
        for process, server in servers:
            process.start_until(server.is_ready)
        worker.start()
    assert scene.in_doubt() == set()


def test_a_worker_that_sleeps_past_its_lease_loses_nothing(scene):
    """Its lanes are taken over; when it wakes it must not go on with them."""
    with scene.disturbed():
        worker = busy_worker(scene)
        worker.signal(signal.SIGSTOP)
        scene.count_in_flight()
        wait_until(scene.in_doubt, "its lanes are taken over", 90)
        time.sleep(2)
        worker.signal(signal.SIGCONT)
