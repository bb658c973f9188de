"""Urgent mail while very much bulk mail waits: it leaves its lane at once, and other lanes do not
notice.

EKIDEN_BACKLOG=200000 is the whole size; CI plays a tenth of it.
"""

import os
import statistics
import time
from bisect import bisect

import pytest

from tests.fakes.crowd import Crowd
from tests.journeys.backlog import fill, send
from tests.journeys.rig import Rig, wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

BACKLOG = int(os.environ.get("EKIDEN_BACKLOG", "20000"))
CODES = 50  # to each of the two lanes
PACE = 20  # messages a second that the slow lane allows
RULE = """
INSERT INTO deliveries_shapingrule (name, title, mx_suffixes, domains, per_second, tls,
    resets_are_throttling, is_shipped, is_edited,
    changed_at)
VALUES ('slow', 'slow', '{}', '{ok1.crowd.test}', %s, '', false, false, false, now()) RETURNING name
"""


@pytest.fixture
def crowd(tmp_path):
    with Crowd(tmp_path) as crowd:
        yield crowd


@pytest.fixture
def rig(crowd):
    with Rig(crowd.dns_url, crowd.port) as rig:
        rig.query(RULE, PACE)
        yield rig


def codes(rig, crowd, word, *domains):
    """Return the moments of MAIL and of the arrival of one-time codes, by domain."""
    sent = {}
    with rig.client() as app:
        for number in range(CODES):
            for domain in domains:
                sent[f"{word}-{number}@{domain}"] = time.monotonic()
                send(rig, f"{word}-{number}@{domain}", "MT-PRIORITY=4", client=app)
            time.sleep(
                0.1
            )  # within the pace of the slow lane, which has its bulk mail to send as well
    wait_until(lambda: sent.keys() <= dict_of(crowd).keys(), "all codes have arrived")
    arrived = dict_of(crowd)
    return [
        [(at, arrived[to]) for to, at in sent.items() if to.endswith("@" + domain)]
        for domain in domains
    ]


def seconds(spans):
    return sorted(end - begin for begin, end in spans)


def overtaking(spans, bulk):
    """Count the bulk mail that arrived while each code was on its way: whatever a machine does
    beside, all of the mail is slow then.
    """
    return sorted(bisect(bulk, end) - bisect(bulk, begin) for begin, end in spans)


def dict_of(crowd):
    return {to: at for at, to in crowd.arrivals()}


def p99(times):
    return times[round(0.99 * (len(times) - 1))]


def test_urgent_mail_leaves_at_once_whatever_waits(rig, crowd):
    send(rig, "first@ok1.crowd.test")
    send(rig, "first@ok2.crowd.test")
    wait_until(lambda: len(crowd.arrivals()) == 2, "the worker is at work")
    [alone] = codes(rig, crowd, "alone", "ok2.crowd.test")
    fill(rig, BACKLOG, "bulk-#@ok1.crowd.test", priority=0)
    wait_until(lambda: any("bulk" in to for _, to in crowd.arrivals()), "bulk mail leaves")
    slow, other = codes(rig, crowd, "code", "ok1.crowd.test", "ok2.crowd.test")
    bulk = sorted(at for at, to in crowd.arrivals() if "bulk" in to)
    for name, spans in (
        ("nothing waits", alone),
        ("to another lane", other),
        ("to the slow lane", slow),
    ):
        found, passed = seconds(spans), overtaking(spans, bulk)
        print(
            f"\n{name}: {statistics.median(found) * 1000:.0f} ms, p99 {p99(found) * 1000:.0f} "
            f"ms, most {found[-1] * 1000:.0f} ms; bulk mail that arrived meanwhile: "
            f"{statistics.median(passed)}, p99 {p99(passed)}",
            end="",
        )
    times = sorted(at for at, to in crowd.arrivals() if to.endswith("@ok1.crowd.test"))
    print(f"\nslow lane: {len(times)} taken in {times[-1] - times[0]:.1f} s; {BACKLOG} waited")
    for spans in (slow, other):
        passed = overtaking(spans, bulk)
        assert statistics.median(passed) < PACE / 2
        assert p99(passed) < BACKLOG / 100
    begun = bulk[0]
    assert sum(at >= begun for at in times) <= PACE * (times[-1] - begun + 1) + 1
    # Bulk is not starved either.
    assert len(bulk) >= CODES * 0.1 * PACE / 4
