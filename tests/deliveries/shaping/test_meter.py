"""No period holds more than its limit, and no capacity is given away."""

from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliveries.shaping.meter import Meter


def sent(meter, *, seconds, every=0.01, keep_for_urgent=False):
    """Return when messages leave that always wait."""
    times, now = [], 0.0
    while now < seconds:
        while meter.wait(now, keep_for_urgent=keep_for_urgent) == 0:
            meter.take(now)
            times.append(now)
        now += max(every, meter.wait(now, keep_for_urgent=keep_for_urgent))
    return times


def most_in_any(times, period):
    """Count in half-open periods: what leaves exactly one period later belongs to the next."""
    return max(
        bisect_left(times, time + period - 1e-9) - number for number, time in enumerate(times)
    )


@pytest.mark.parametrize(
    ("limit", "period"), [(1, 1.0), (3, 1.0), (20, 1.0), (100, 60.0), (1000, 3600.0)]
)
def test_no_period_holds_more_than_the_limit_and_nearly_all_of_it_is_used(limit, period):
    times = sent(Meter(limit, period), seconds=5 * period)
    assert most_in_any(times, period) <= limit
    assert len(times) >= 0.9 * limit * 5


@given(st.integers(1, 50), st.lists(st.floats(0, 3), max_size=80))
def test_whenever_mail_comes_no_period_holds_more_than_the_limit(limit, gaps):
    meter, now, times = Meter(limit, 1.0), 0.0, []
    for gap in gaps:
        now += gap
        now += meter.wait(now)
        meter.take(now)
        times.append(now)
    assert not times or most_in_any(times, 1.0) <= limit


def test_a_tenth_of_the_limit_may_go_at_once():
    meter, taken = Meter(100, 60.0), 0
    while meter.wait(0.0) == 0:
        meter.take(0.0)
        taken += 1
    assert taken == 10


def test_half_of_what_may_go_at_once_is_kept_for_urgent_mail():
    meter = Meter(100, 60.0)
    while meter.wait(0.0, keep_for_urgent=True) == 0:
        meter.take(0.0)
    assert meter.wait(0.0) == 0


def test_a_debt_is_handed_on_but_never_more_than_a_period_of_it():
    first, second = Meter(10, 60.0), Meter(10, 60.0)
    for _ in range(5):
        first.take(0.0)
    second.owe(first.debt(10.0), 500.0)
    assert second.wait(500.0) == pytest.approx(first.wait(10.0))
    second.owe(1e9, 500.0)
    assert second.wait(500.0) <= 60.0
