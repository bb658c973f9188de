"""The pace is found, held, and raised again when the receiver becomes generous: played on a clock
of its own.
"""

from collections import deque

import pytest

from deliveries.shaping.rate import FORGOTTEN, SLOWEST, Rate, recovered


class Receiver:
    """Refuses what is more than `limit` messages in any `period`."""

    def __init__(self, limit, period=1.0):
        self.limit, self.period, self.taken = limit, period, deque()

    def takes(self, now):
        while self.taken and now - self.taken[0] >= self.period:
            self.taken.popleft()
        if len(self.taken) >= self.limit:
            return False
        self.taken.append(now)
        return True


def play(rate, receiver, *, begin, seconds, fastest=500.0):
    """Play messages that always wait; return when each was accepted and when refused.

    A lane that did not help is left alone for 15 s.
    """
    accepted, refused, now, pauses = [], [], begin, 15.0
    while now < begin + seconds:
        now += max(rate.wait(now), 1 / fastest)
        rate.take(now)
        if receiver.takes(now):
            rate.accepted.note(now)
            accepted.append(now)
            pauses = 15.0
        else:
            refused.append(now)
            if not rate.cut(now):
                now, pauses = now + pauses, min(2 * pauses, 120.0)
    return accepted, refused


@pytest.mark.parametrize("limit", [5, 10, 30, 200])
def test_a_limit_by_the_second_is_held_at_85_percent_with_2_percent_refused(limit):
    rate = Rate()
    play(rate, Receiver(limit), begin=0.0, seconds=60.0)
    accepted, refused = play(rate, Receiver(limit), begin=61.0, seconds=300.0)
    assert len(accepted) >= 0.85 * limit * 300
    assert len(refused) <= 0.02 * (len(accepted) + len(refused))


def test_a_limit_by_the_minute_is_found_too():
    rate, receiver = Rate(), Receiver(100, 60.0)
    play(rate, receiver, begin=0.0, seconds=180.0)
    accepted, refused = play(rate, receiver, begin=181.0, seconds=600.0)
    assert len(accepted) >= 0.9 * 1000
    assert len(refused) <= 0.03 * len(accepted)


def test_the_pace_doubles_within_a_minute_when_the_receiver_becomes_generous():
    rate = Rate()
    play(rate, Receiver(30), begin=0.0, seconds=120.0)
    accepted, _ = play(rate, Receiver(10_000), begin=121.0, seconds=60.0)
    assert sum(1 for time in accepted if time > 180.0) >= 2 * 30


def test_after_long_without_complaint_nothing_limits_it_any_more():
    rate = Rate()
    play(rate, Receiver(30), begin=0.0, seconds=10.0)
    play(rate, Receiver(10**6), begin=11.0, seconds=180.0, fastest=10_000.0)
    assert rate.allowed() is None


def test_an_idle_hour_proves_nothing_about_the_receiver():
    rate = Rate()
    play(rate, Receiver(30), begin=0.0, seconds=10.0)
    before = rate.allowed()
    rate.take(3600.0)
    assert rate.allowed() == pytest.approx(before, rel=0.05)


def test_complaints_of_one_overshoot_count_once():
    rate = Rate()
    for number in range(30):
        rate.accepted.note(number / 30)
    rate.cut(1.0)
    first = rate.ceiling
    rate.cut(1.3)
    assert rate.ceiling == first


def test_a_receiver_that_takes_nothing_at_all_is_told_apart():
    rate = Rate()
    assert rate.cut(0.0)
    assert not rate.cut(5.0)


def test_the_pace_never_falls_below_one_a_minute():
    rate = Rate()
    for number in range(50):
        rate.cut(number * 2.0)
    assert rate.allowed() >= SLOWEST * 0.99


def test_the_curve_is_flat_near_the_ceiling_and_steep_beyond():
    assert recovered(0.0, kept=0.9) == pytest.approx(0.9)
    assert recovered(0.0, kept=0.5) == pytest.approx(0.5)
    assert recovered(15.0, kept=0.9) == pytest.approx(1.0)
    assert recovered(20.0, kept=0.9) < 1.01
    assert recovered(48.0, kept=0.9) > 2.0
    assert recovered(1000.0, kept=0.9) > FORGOTTEN


@pytest.mark.parametrize("taken", [0, 1, 2])
def test_one_or_two_messages_in_a_minute_are_no_measure_of_a_pace(taken):
    """A host that says 421 to the second message of its first minute is not left with one message
    in half a minute.
    """
    rate = Rate()
    for second in range(taken):
        rate.accepted.note(100.0 + second)
    assert rate.cut(105.0) and rate.wait(105.0) < 5


def test_where_a_slow_receiver_complains_again_it_gets_half_as_much_each_time():
    rate, now, allowed = Rate(), 100.0, []
    for _ in range(6):
        rate.accepted.note(now)
        now += 2.0
        rate.cut(now)
        allowed.append(rate.allowed() or 0.0)
    assert allowed == sorted(allowed, reverse=True) and allowed[-1] < allowed[0] / 4
