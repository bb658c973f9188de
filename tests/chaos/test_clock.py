"""The machine's clock is set forward by an hour under load, and back: PostgreSQL's, Valkey's and
that of all our processes.

`tests/chaos/clock.c`, preloaded, sets the time of day alone. libfaketime (Debian's `faketime`) does
not do: it moves the monotonic clock as
well, or makes Python's `time.sleep` fail; and Linux's time namespaces leave the time of day alone.
"""

import shutil
import struct
import subprocess
import time
from pathlib import Path

import pytest

from tests.chaos import load
from tests.chaos.far_side import far_side, settings
from tests.chaos.world import Scene, World
from tests.journeys.rig import wait_until
from tests.outside.service import started

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

HOUR = 3600


class Clock:
    """What the preloaded library reads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.write_bytes(struct.pack("q", 0))
        path.chmod(0o644)

    def set(self, seconds: int) -> None:
        with open(self._path, "r+b") as file:
            file.write(struct.pack("q", seconds))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = Path(
        subprocess.check_output(["mktemp", "-d", "/tmp/ekiden-clock-XXXXXX"], text=True).strip()
    )
    made.chmod(0o755)  # PostgreSQL runs under another account
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def clock(folder):
    return Clock(folder / "ahead")


@pytest.fixture(scope="module")
def world(folder, clock):
    if (compiler := shutil.which("cc")) is None:
        pytest.skip("not here: cc, for the library that sets the clock")
    library = folder / "clock.so"
    subprocess.run(
        [
            compiler,
            "-shared",
            "-fPIC",
            "-O1",
            "-o",
            str(library),
            str(Path(__file__).with_name("clock.c")),
        ],
        check=True,
    )
    more = {"LD_PRELOAD": str(library), "EKIDEN_TEST_CLOCK": str(folder / "ahead")}
    with far_side() as (dns, sink), started(**settings(dns, sink), **more) as service:
        yield World(service, dns, sink)


@pytest.fixture
def scene(world, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(load, "PATIENCE", 300.0)
    scene = Scene(world, tmp_path / "ledger")
    yield scene
    with capsys.disabled():
        print(f"\nclock: {scene.numbers()}", flush=True)


FORWARD, BACK = (f"CLOCK: it was set {way} by 3,600 s" for way in ("forward", "back"))


def test_the_clock_is_set_forward_and_back_by_an_hour(scene, clock):
    """Nothing expires, nothing is sent again at once, and what was due in the hour that was none
    does not wait for it.
    """
    chores = "SELECT count(*) FROM deliveries_message WHERE origin = 'report'"
    # Leases seem to be over: within seconds the other worker takes lanes over from one that lives.
    scene.in_hand = 20.0
    with scene.under_load():
        scene.fault()
        clock.set(HOUR)
        scene.wait_until_back()
        wait_until(lambda: FORWARD in scene.world.status(), "status tells of it", 60)
        time.sleep(3)
        scene.fault()
        clock.set(0)
        scene.wait_until_back()
        time.sleep(3)  # a worker looks at the clock each second
        scene.fault()
        clock.set(-HOUR)  # what was written until now is an hour ahead
        scene.wait_until_back()
        wait_until(lambda: BACK in scene.world.status(), "status tells of it", 60)
        assert scene.world.service.query(chores) == [(0,)]
        clock.set(0)
    for seconds in ("+3600", "-3600"):
        scene.wait_for_log(f"event=clock-set seconds={seconds}")


def test_what_is_tried_again_does_not_wait_for_the_hour_that_was_none(scene, clock):
    """Its second try is due by the clock before; the chores are rung on."""
    to = f"{scene.load.run}-later@one.test"
    clock.set(HOUR)
    try:
        scene.world.sink.on("RCPT", lambda argument: "450 4.2.0 later" if to in argument else None)
        scene.world.service.send(to=to)
        wait_until(lambda: scene.world.service.query(DEFERRED, to), "it is deferred", 60)
        time.sleep(3)  # a worker looks at the clock each second
    finally:
        clock.set(0)
    scene.world.sink.on("RCPT", "250 2.1.5 ok")
    wait_until(lambda: scene.arrived(), "it has arrived", 150)  # the schedule says a minute


DEFERRED = """
SELECT id FROM deliveries_delivery WHERE recipient = %s AND attempt_count > 0 AND due_at > now()
"""
