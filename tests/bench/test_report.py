"""The figures of a run, from notes whose answers are known."""

import os
import time
from dataclasses import replace

import pytest

from bench import accounts, picture, report
from bench.notes import Arrivals, Submissions, read_arrivals, read_submissions, write

MS = 1_000_000


def found(sent, came, **given):
    defaults = {
        "recorded": 4_000 * MS, "released": 0, "cpu": {"listener": 0.002, "worker": 0.001},
        "memory": {"listener": 80.0}, "largest": {"listener": 80.0}, "bench_cpu": {},
        "memory_each_minute": [],
    }  # fmt: skip
    return report.figures(sent, came, **defaults | given)


@pytest.fixture
def sent():
    """Return three messages, each answered after 5 ms; a fourth was refused."""
    return Submissions(
        {0: 0, 1: 1_000 * MS, 2: 1_500 * MS},
        {0: 5 * MS, 1: 1_005 * MS, 2: 1_505 * MS},
        ["451 4.3.0 no"],
    )


def test_what_was_accepted_and_never_came_is_lost(sent):
    figures = found(sent, Arrivals({0: [9 * MS], 1: [1_009 * MS]}, {"unsigned": 0}))
    assert (figures.messages, figures.lost, figures.duplicates, figures.refused) == (3, 1, 0, 1)


def test_what_came_twice_is_a_duplicate_and_counts_from_its_first_arrival(sent):
    figures = found(
        sent, Arrivals({0: [9 * MS, 99 * MS], 1: [1_009 * MS], 2: [1_509 * MS]}, {"unsigned": 0})
    )
    assert (figures.lost, figures.duplicates, figures.arrival) == (0, 1, (9.0, 9.0, 9.0))


def test_the_rate_counts_until_the_last_delivery_is_on_record(sent):
    figures = found(sent, Arrivals({0: [9 * MS]}, {"unsigned": 1}), recorded=6_000 * MS)
    assert (figures.seconds, figures.rate, figures.unsigned) == (6.0, 0.5, 1)


def test_cpu_is_told_for_each_accepted_message(sent):
    figures = found(sent, Arrivals({}, {"unsigned": 0}))
    assert figures.cpu == pytest.approx({"listener": 2 / 3, "worker": 1 / 3})
    assert figures.cpu_total == pytest.approx(1.0)


def test_what_waited_before_the_run_counts_neither_as_arrived_nor_as_a_duplicate(sent):
    figures = found(sent, Arrivals({-1: [1, 2, 3], 0: [9 * MS]}, {"unsigned": 0}))
    assert (figures.lost, figures.duplicates) == (2, 0)


def test_memory_that_grows_is_told_from_memory_that_is_held(sent):
    minutes = [{"listener": 80.0 + number, "worker": 60.0} for number in range(60)]
    figures = found(sent, Arrivals({}, {"unsigned": 0}), memory_each_minute=minutes)
    [told] = [line for line in report.lines(figures) if line.startswith("grown")]
    assert told.endswith("60 minutes: listener +30.0, worker +0.0")


def test_what_a_process_holds_is_noted_while_the_run_goes_on():
    with accounts.MemoryWatch({"this": [os.getpid()]}, every=0.01) as watch:
        while len(watch.each_minute) < 2:
            time.sleep(0.01)
    assert watch.each_minute[0]["this"] > 10


def test_a_long_run_tells_its_worst_ten_seconds():
    seconds = 30
    times = {number: number * 100 * MS for number in range(seconds * 10)}
    came = {number: [at] for number, at in times.items() if not 100 <= number < 150}
    text = "\n".join(
        report.lines(found(Submissions(times, times, []), Arrivals(came, {"unsigned": 0})))
    )
    assert "10 /s (median), 5 (worst), 10 (best) of 3 times 10 seconds" in text


def test_a_burst_tells_how_fast_it_was_taken_and_how_fast_it_went(sent):
    figures = found(sent, Arrivals({}, {"unsigned": 0}), released=2_500 * MS)
    assert (figures.accept_rate, figures.drained) == (pytest.approx(3 / 1.505), 2.0)
    assert "draining               2 /s" in "\n".join(report.lines(figures))


def test_a_full_database_is_compared_with_the_empty_one(sent):
    empty = found(sent, Arrivals({}, {"unsigned": 0}))
    full = found(sent, Arrivals({}, {"unsigned": 0}), cpu={"listener": 0.002, "worker": 0.0013})
    text = "\n".join(report.lines(replace(full, empty=empty)))
    assert "+10 % since (worker +0.10)" in text


def test_a_peer_is_compared_in_rate_and_in_cpu(sent):
    figures = found(sent, Arrivals({0: [9 * MS]}, {"unsigned": 0}))
    peer = report.PeerResult(
        "Other",
        messages=3,
        lost=0,
        unsigned=0,
        rate=figures.rate / 4,
        cpu={"other": 5.0},
        cpu_total=5.0,
    )
    text = "\n".join(report.lines(replace(figures, peer=peer)))
    assert "Ekiden 4.0 times as many" in text and "5.0 times Ekiden's" in text


def test_percentiles_of_nothing_are_nothing():
    assert report.percentiles([]) == (0.0, 0.0, 0.0)
    assert report.percentiles([n * MS for n in range(1, 101)]) == (51.0, 96.0, 100.0)


def test_each_second_is_counted_the_empty_ones_too(sent):
    assert found(sent, Arrivals({}, {"unsigned": 0})).accepted_each_second == [1, 2]
    assert report.each_second([0, 3_000 * MS], 0) == [1, 0, 0, 1]


def test_notes_come_back_as_they_were_written(sent, tmp_path):
    came = Arrivals({7: [1, 2]}, {"unsigned": 0})
    write(tmp_path / "sent", sent)
    write(tmp_path / "came", came)
    assert (read_submissions(tmp_path / "sent"), read_arrivals(tmp_path / "came")) == (sent, came)


def test_the_picture_shows_both_courses(sent):
    from xml.etree import ElementTree

    drawn = ElementTree.fromstring(
        picture.draw(found(sent, Arrivals({0: [9 * MS]}, {"unsigned": 0})), "3 messages")
    )
    assert len(drawn.findall("{*}polyline")) == 2
