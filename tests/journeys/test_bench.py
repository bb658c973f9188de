"""`./ekiden bench` as a person runs it, only smaller."""

import json
import os
import signal
import subprocess
from pathlib import Path

from tests.journeys.peers import need
from tests.journeys.rig import ROOT, wait_until


def left_over():
    return set(Path("/var/tmp").glob("ekiden-bench-*"))


def test_a_run_measures_everything_and_leaves_nothing(tmp_path):
    before = left_over()
    words = ["bench", "--messages", "200", "--sessions", "8", "--domains", "5", "--picture", str(tmp_path / "course.svg"), "--json"]
    done = subprocess.run([str(ROOT / "ekiden"), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [found[name] for name in ("messages", "refused", "lost", "duplicates", "unsigned")] == [200, 0, 0, 0, 0]
    assert found["rate"] > 0 and found["arrival"][0] > 0
    assert {"listener", "worker", "postgres", "valkey", "supervisor"} <= found["cpu"].keys()
    assert found["cpu"]["listener"] > 0 and found["memory"]["postgres"] > 0
    assert (tmp_path / "course.svg").exists()
    assert left_over() == before


def test_a_peer_and_a_full_database_are_measured_too():
    need("postfix", "opendkim")
    words = ["bench", "--messages", "100", "--sessions", "4", "--domains", "3", "--backlog", "500", "--waiting", "500"]
    done = subprocess.run([str(ROOT / "ekiden"), *words, "--peer", "postfix", "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [found[name] for name in ("messages", "lost", "duplicates")] == [100, 0, 0]
    assert [found["peer"][name] for name in ("messages", "lost", "unsigned")] == [100, 0, 0]
    assert found["peer"]["cpu"]["postfix"] > 0 and found["peer"]["cpu"]["opendkim"] > 0


def test_a_run_that_is_broken_off_leaves_nothing():
    before = left_over()
    running = subprocess.Popen(
        [str(ROOT / "ekiden"), "bench", "--messages", "100000"], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert running.stderr is not None
    said = iter(running.stderr.readline, "")
    wait_until(lambda: "Submitting" in next(said), "the load has begun", 90)
    os.kill(running.pid, signal.SIGTERM)
    assert running.wait(60) == 143
    running.stderr.close()
    assert left_over() == before
