"""What `status` says of why something does not work."""

import os
import resource
import signal
import subprocess
import sys

import pytest
import redis
from django.db import connection

from deliveries.capacity.inflow import DNS_OUTAGE
from relay_portal.console import causes
from relay_portal.process import readiness
from relay_portal.servers.embedded import EmbeddedValkey
from tests.journeys.rig import wait_until


@pytest.fixture(autouse=True)
def data(settings, tmp_path):
    settings.EKIDEN_DATA = tmp_path


@pytest.fixture
def sleeper():
    """Yield a process of ours, as Supervisor lists it."""
    with subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); import time; time.sleep(600)"],
        stdout=subprocess.PIPE,
    ) as process:
        process.stdout.readline()
        yield process
        process.kill()


def listed(process, name="worker-1"):
    return [{"name": name, "state": "running", "pid": process.pid, "seconds": 1}]


def said_of(process):
    """Return the causes but one: an account that may open few files itself hears of it."""
    found = causes.find(listed(process))
    return [each for each in found if not each.startswith("OPEN FILES")]


@pytest.mark.usefixtures("valkey")
@pytest.mark.django_db
def test_where_all_is_well_nothing_is_said(sleeper):
    assert said_of(sleeper) == []


@pytest.mark.usefixtures("valkey")
@pytest.mark.django_db
def test_a_process_that_a_signal_has_stopped_is_named(sleeper):
    sleeper.send_signal(signal.SIGSTOP)
    os.waitpid(sleeper.pid, os.WUNTRACED)
    [said] = said_of(sleeper)
    assert said.startswith(f"STOPPED: worker-1 (process {sleeper.pid})")


@pytest.mark.usefixtures("valkey")
@pytest.mark.django_db
def test_few_files_are_told_of_those_that_need_many(sleeper):
    resource.prlimit(sleeper.pid, resource.RLIMIT_NOFILE, (256, 256))
    [said] = causes.find(listed(sleeper, "listener"))
    assert said.startswith(f"OPEN FILES: listener (process {sleeper.pid}) may open 256")
    assert causes.find(listed(sleeper, "portal")) == []


@pytest.mark.django_db
def test_silent_name_servers_are_told_while_a_worker_says_so(valkey):
    valkey.set(
        DNS_OUTAGE,
        "None of our name servers answers (192.0.2.1 port 53): The name server did not answer",
        px=60_000,
    )
    [said] = causes.find([])
    assert said.startswith("DNS: None of our name servers answers (192.0.2.1 port 53)")


@pytest.mark.django_db
def test_a_valkey_that_takes_no_writes_is_not_there(settings, tmp_path):
    """A replica answers questions; so does one that is full."""
    [program, *_] = EmbeddedValkey(tmp_path).command()
    path = tmp_path / "replica"
    words = [
        "--port",
        "0",
        "--unixsocket",
        str(path),
        "--dir",
        str(tmp_path),
        "--replicaof",
        "127.0.0.1 1",
    ]
    with subprocess.Popen([program, *words], stdout=subprocess.DEVNULL) as replica:
        wait_until(path.exists, "the replica listens")
        settings.REDIS_URL = f"unix://{path}"
        with redis.Redis.from_url(settings.REDIS_URL) as client:
            assert client.ping()
        assert not readiness.has_valkey()
        [said] = causes.find([])
        replica.terminate()
    assert said.startswith("VALKEY: ") and "read only replica" in said


@pytest.mark.usefixtures("valkey")
@pytest.mark.django_db(transaction=True)
def test_a_postgresql_that_takes_no_writes_is_not_there():
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    try:
        assert not readiness.has_database()
        [said] = causes.find([])
        assert said.startswith("POSTGRESQL: it takes no writes")
    finally:
        connection.close()


@pytest.mark.usefixtures("valkey")
@pytest.mark.django_db
def test_a_clock_that_was_set_is_told(monkeypatch):
    monkeypatch.setattr("deliveries.queue.drain_files.clock_was_set", lambda: -3600.0)
    [said] = causes.find([])
    assert said.startswith("CLOCK: it was set back by 3,600 s")
