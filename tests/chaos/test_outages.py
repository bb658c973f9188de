"""Faults of a whole service, judged by the ledgers of apps and receiver: nothing is lost, little
repeated, and all is well again by itself.

CI does each of them once and shortly. EKIDEN_CHAOS_RUNS kills each process so many times,
EKIDEN_CHAOS_LONG=1 makes the outages as long as
docs/performance.md says, EKIDEN_CHAOS_SEED repeats a run.
"""

import os
import random
import resource
import signal
import socket
import time
from contextlib import ExitStack, suppress
from functools import partial

import pytest
import redis

from relay_portal.servers.embedded import valkey_url
from tests.chaos import load
from tests.chaos.far_side import IN_HAND, SILENT, far_side, settings
from tests.chaos.world import Scene, World, pause, stop_all
from tests.journeys.rig import wait_until
from tests.outside.service import started

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(3600)]

KILLS = int(os.environ.get("EKIDEN_CHAOS_RUNS", "1"))
IS_LONG = os.environ.get("EKIDEN_CHAOS_LONG") == "1"
FILES = 256  # what a shell on macOS and some containers allow
SEED = int(os.environ.get("EKIDEN_CHAOS_SEED") or random.randrange(2**32))


def seconds(in_full, otherwise):
    return in_full if IS_LONG else otherwise


@pytest.fixture(scope="module")
def world():
    with far_side() as (dns, sink), started(**settings(dns, sink)) as service:
        yield World(service, dns, sink)


@pytest.fixture
def scene(request, world, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(load, "PATIENCE", 300.0)  # seconds: the apps go on trying
    random.seed(SEED)
    scene = Scene(world, tmp_path / "ledger")
    yield scene
    with capsys.disabled():
        print(f"\n{request.node.name}: seed {SEED}, {scene.numbers()}", flush=True)


@pytest.mark.parametrize(
    "kind", ["listener", "worker", "maintenance", "scheduler", "portal", "postgres", "valkey"]
)
def test_a_killed_process_is_started_again_and_nothing_is_lost(scene, kind):
    with scene.under_load():
        for _ in range(KILLS):
            pause(0.2, 1.5)
            pids = wait_until(partial(scene.world.pids, kind), f"{kind} runs", 60)
            scene.fault()
            os.kill(random.choice(pids), signal.SIGKILL)
            scene.wait_until_back()
    assert scene.log().count("starting it again") >= KILLS


def test_postgresql_is_away(scene):
    with scene.under_load():
        scene.fault()
        with scene.world.without("postgres"):
            time.sleep(seconds(60, 5))
            status = scene.world.status()
        scene.fault()
        scene.wait_until_back()
    assert "PostgreSQL          does not answer" in status
    assert "POSTGRESQL: " in status
    scene.wait_for_log("PostgreSQL is out of reach")
    assert scene.in_doubt() == set()


def test_the_name_servers_are_silent(scene):
    """Known domains are served by their last answers; a new one waits, without a try, until they
    answer again.
    """
    with scene.under_load():
        scene.fault()
        scene.world.dns.is_silent = True
        time.sleep(seconds(120, 15))
        scene.world.service.send(to="late@new.test")
        wait_until(lambda: "event=dns-outage" in scene.log(), "the worker has noticed", 60)
        time.sleep(1.5)  # and has said so
        status = scene.world.status()
        known = [
            message for message in scene.arrived() if message.at > scene.faults[0] + 12
        ]  # their answers' time was over
        scene.world.dns.zones["new.test"] = {"MX": [(10, "mx.one.test")]}
        scene.world.dns.is_silent = False
        scene.fault()
        scene.wait_until_back()
        wait_until(
            lambda: _has_come(scene, "late@new.test"), "the new domain's mail has arrived", 30
        )
    assert known
    assert "None of our name servers answers" in status
    assert scene.repeats().total() == 0


def _has_come(scene, to):
    return any(message.recipients == [to] for message in scene.world.sink.messages)


@pytest.fixture
def valkey(world):
    with redis.Redis.from_url(valkey_url(world.service.data), socket_timeout=10) as client:
        yield client


def test_valkey_is_wiped(scene, valkey):
    with scene.under_load():
        for _ in range(seconds(20, 3)):
            scene.fault()
            valkey.flushall()
            scene.wait_until_back()
    assert scene.repeats().total() == 0
    scene.wait_for_log("event=valkey-emptied")
    wait_until(
        lambda: scene.world.service.running.json("status")["ready"], "all is there again", 60
    )


def test_valkey_takes_nothing(scene, valkey):
    """It answers questions and refuses what would change it: a fail-over that left us at the
    replica.
    """
    with scene.under_load():
        scene.fault()
        valkey.execute_command("REPLICAOF", "127.0.0.1", "1")
        try:
            time.sleep(seconds(60, 5))
            status = scene.world.status()
            came = scene.arrived()
        finally:
            valkey.execute_command("REPLICAOF", "NO", "ONE")
        scene.fault()
        scene.wait_until_back()
    assert any(message.at > scene.faults[0] + IN_HAND for message in came), "mail flows without it"
    assert "VALKEY: " in status
    assert "read only replica" in status
    scene.wait_for_log("Valkey")
    assert scene.repeats().total() == 0
    wait_until(
        lambda: scene.world.service.running.json("status")["ready"], "all is there again", 60
    )


def test_a_worker_sleeps(scene):
    """Its lanes are taken over after their lease; when it wakes it must not go on with them."""
    with scene.under_load():
        pid = random.choice(scene.world.pids("worker"))
        scene.fault()
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(seconds(40, 5))
            status = scene.world.status()
        finally:
            os.kill(pid, signal.SIGCONT)
        scene.fault()
        scene.wait_until_back()
    assert "stopped by a signal" in status
    scene.wait_for_log("event=asleep")


def test_each_process_may_open_256_files(tmp_path, capsys, monkeypatch):
    """Idle sessions and a host that says nothing take all there is: apps go on, and nothing is
    lost.
    """
    monkeypatch.setattr(load, "PATIENCE", 300.0)
    with far_side() as (dns, sink), started(**settings(dns, sink)) as service, ExitStack() as idle:
        scene = Scene(World(service, dns, sink), tmp_path / "ledger")
        resource.prlimit(scene.world.supervisor_pid, resource.RLIMIT_NOFILE, (FILES, FILES))
        for kind in ("listener", "worker"):  # what the supervisor starts from now on has the limit
            former = scene.world.pids(kind)
            stop_all(former, signal.SIGKILL)
            wait_until(partial(_are_others, scene.world, kind, former), f"{kind} runs again", 60)
        with scene.under_load():
            for number in range(FILES):
                scene.world.service.send(to=f"{scene.load.run}-{number}@{SILENT}")
                with suppress(OSError):  # the listener may refuse, or end an older one
                    idle.enter_context(socket.create_connection(("127.0.0.1", service.mx), 5))
            scene.fault()
            status = scene.world.status()
            scene.wait_until_back()
        with capsys.disabled():
            print(f"\n256 files: {scene.numbers()}", flush=True)
    assert f"may open {FILES}" in status
    assert scene.repeats().total() == 0


def _are_others(world, kind, former):
    running = set(world.pids(kind))
    return len(running) == len(former) and not running & set(former)


def test_everything_is_killed_while_a_host_says_nothing(scene):
    """What was claimed for it was never sent, and nobody says that it was."""
    to = [f"{scene.load.run}-{number}@{SILENT}" for number in range(20)]
    claimed = f"SELECT count(*) FROM deliveries_delivery WHERE domain = '{SILENT}' AND claim <> 0"
    with scene.under_load():
        for each in to:
            scene.world.service.send(to=each)
        wait_until(lambda: scene.world.service.query(claimed)[0][0], "some are claimed", 60)
        scene.fault()
        for kind in ("worker", "postgres", "valkey", "listener"):
            stop_all(scene.world.pids(kind), signal.SIGKILL)
        scene.wait_until_back()
    assert not {each for each in scene.in_doubt() if each.endswith(SILENT)}
