"""`./ekiden bench` as a person runs it, only smaller."""

import json
import os
import signal
import subprocess
from pathlib import Path

from tests.journeys.peers import need
from tests.journeys.rig import ROOT, wait_until


def left_over():
    """Return the folders of runs, and those that are gone though a process still works in them."""
    places = (place_of(process).partition(" ")[0] for process in Path("/proc").glob("[0-9]*"))
    working = {Path(place).parts[3] for place in places if "/ekiden-bench-" in place}
    return {path.name for path in Path("/var/tmp").glob("ekiden-bench-*")} | working


def leaves_nothing(*, since):
    """Check that nothing is left; another test's run may be under way beside this one, and ends,
    too.
    """
    wait_until(lambda: left_over() <= since, "nothing is left", 100)


def place_of(process):
    try:
        return os.readlink(process / "cwd")
    except OSError:
        return ""


def bench(*words):
    done = subprocess.run(
        [str(ROOT / "ekiden"), "bench", *words, "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_run_measures_everything_and_leaves_nothing(tmp_path):
    before = left_over()
    found = bench(
        "--messages",
        "200",
        "--sessions",
        "8",
        "--domains",
        "5",
        "--picture",
        str(tmp_path / "course.svg"),
    )
    assert [found[name] for name in ("messages", "refused", "lost", "duplicates", "unsigned")] == [
        200,
        0,
        0,
        0,
        0,
    ]
    assert found["rate"] > 0 and found["arrival"][0] > 0
    assert {"listener", "worker", "postgres", "valkey", "supervisor"} <= found["cpu"].keys()
    assert (
        found["cpu"]["listener"] > 0
        and found["memory"]["postgres"] > 0
        and 0 < found["largest"]["worker"] <= 300
    )
    assert (tmp_path / "course.svg").exists()
    leaves_nothing(since=before)


def test_a_peer_is_measured_too_and_leaves_nothing():
    need("postfix", "opendkim")
    before = left_over()
    found = bench("--messages", "100", "--sessions", "4", "--domains", "3", "--peer", "postfix")
    assert [found["peer"][name] for name in ("messages", "lost", "unsigned")] == [100, 0, 0]
    assert found["peer"]["cpu"]["postfix"] > 0 and found["peer"]["cpu"]["opendkim"] > 0
    leaves_nothing(since=before)


def test_a_burst_a_full_database_and_a_first_message_are_measured():
    found = bench(
        "--messages",
        "100",
        "--sessions",
        "4",
        "--domains",
        "3",
        "--burst",
        "--backlog",
        "500",
        "--waiting",
        "500",
        "--idle",
    )
    assert [found[name] for name in ("messages", "lost", "duplicates")] == [100, 0, 0]
    assert [found["empty"][name] for name in ("messages", "lost", "duplicates")] == [100, 0, 0]
    assert found["accept_rate"] > 0 and found["drained"] > 0
    assert 0 < found["first"] < 3000


def test_a_run_that_is_broken_off_leaves_nothing():
    before = left_over()
    running = subprocess.Popen(
        [str(ROOT / "ekiden"), "bench", "--messages", "100000"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert running.stderr is not None
    said = iter(running.stderr.readline, "")
    wait_until(lambda: "Submitting" in next(said), "the load has begun", 90)
    os.kill(running.pid, signal.SIGTERM)
    assert running.wait(300) == 143
    running.stderr.close()
    leaves_nothing(since=before)


def test_urgent_mail_beside_a_flood_is_measured():
    found = bench("--flood", "--seconds", "3", "--sessions", "8", "--domains", "3")
    assert [found[name] for name in ("urgent_lost", "bulk_lost", "bulk_refused", "duplicates")] == [
        0,
        0,
        0,
        0,
    ]
    assert (
        found["urgent_messages"] > 0
        and found["bulk_messages"] > 0
        and sum(found["states"].values()) > 0
    )
    assert (
        found["alone_arrival"][0] > 0
        and found["urgent_arrival"][0] > 0
        and 0 < found["arrived_share"] <= 1
    )
