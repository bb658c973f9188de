"""Thousands of receivers at once, some of them ill: the healthy ones' mail leaves as if the ill
ones were not there.

EKIDEN_LANES=20000 is the whole size; CI plays a tenth of it.
"""

import os
import time

import pytest

from tests.fakes.crowd import Crowd, is_healthy
from tests.journeys.backlog import Watch, fill, send
from tests.journeys.rig import Rig, wait_until

LANES = int(os.environ.get("EKIDEN_LANES", "2000"))
CONNECTIONS = 500  # EKIDEN_CONNECTIONS_PER_WORKER
PATIENCE = 60 + LANES / 50

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(2 * PATIENCE + 60)]


@pytest.fixture
def crowd(tmp_path):
    with Crowd(tmp_path) as crowd:
        yield crowd


@pytest.fixture
def rig(crowd):
    with Rig(crowd.dns_url, crowd.port, EKIDEN_CONNECTIONS_PER_WORKER=str(CONNECTIONS)) as rig:
        send(rig, "first@ok1.crowd.test")
        wait_until(crowd.arrivals, "the worker is at work")
        yield rig


def deliver(rig, crowd, amount, to, wanted):
    """Queue so many at once and wait for those that are wanted; how long the last of them took,
    and what the worker used.
    """
    before = len(crowd.arrivals())
    fill(rig, amount, to)
    began = time.monotonic()
    with Watch(rig.workers[0].pid) as watch:
        wait_until(
            lambda: len(crowd.arrivals()) >= before + len(wanted),
            "all healthy hosts have their mail",
            PATIENCE,
        )
    arrivals = crowd.arrivals()[before:]
    took = arrivals[-1][0] - began
    first = arrivals[0][0] - began
    print(
        f"\n{len(wanted)} of {amount} lanes: first after {first:.2f} s, last after {took:.1f} s "
        f"({len(wanted) / took:.0f}/s)"
    )
    print(f"worker: {watch.seconds:.1f} s of CPU, {watch.memory >> 20} MB, {watch.files} files")
    assert sorted(to for _, to in arrivals) == sorted(wanted)  # each once
    return took, watch


def test_the_healthy_get_their_mail_as_if_nobody_were_ill(rig, crowd):
    healthy = [number for number in range(LANES) if is_healthy(number)]
    alone, _ = deliver(
        rig,
        crowd,
        len(healthy),
        "you@ok#.crowd.test",
        [f"you@ok{number}.crowd.test" for number in range(len(healthy))],
    )
    among, watch = deliver(
        rig, crowd, LANES, "you@#.crowd.test", [f"you@{number}.crowd.test" for number in healthy]
    )
    # One ill host that holds the others up costs its time-out, minutes; other work on the machine
    # may cost a few seconds.
    assert among < 3 * alone + 5
    assert watch.memory < 300 << 20
    # Twice as many connections again may wait for a host that is silent; look-ups have sockets of
    # their own, and so has the process.
    assert watch.files < 3 * CONNECTIONS + 250
