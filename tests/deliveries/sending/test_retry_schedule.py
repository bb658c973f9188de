import pytest

from deliveries.sending.retry_schedule import SCHEDULE, lane_pause, wait


def test_the_second_try_is_soon_for_greylisting():
    assert wait(1, spread=0) == 60


def test_waits_grow_and_the_last_one_repeats():
    waits = [wait(attempts, spread=0) for attempts in range(1, 15)]
    assert waits == sorted(waits)
    assert waits[-1] == waits[len(SCHEDULE) - 1] == SCHEDULE[-1]


def test_the_usual_schedule_makes_about_twenty_tries_in_five_days():
    elapsed, tries = 0.0, 0
    while elapsed < 5 * 86_400:
        tries += 1
        elapsed += wait(tries, spread=0.5)
    assert 15 <= tries <= 25


def test_a_project_has_a_schedule_of_its_own():
    assert [wait(attempts, schedule=[5, 7], spread=0) for attempts in (1, 2, 3)] == [5, 7, 7]


def test_the_spread_adds_up_to_a_tenth():
    assert wait(1, spread=1) == pytest.approx(66)


def test_a_failing_site_is_left_alone_for_longer_each_time():
    pauses = [lane_pause(failures, spread=0) for failures in range(1, 9)]
    assert pauses[:3] == [15, 30, 60]
    assert max(pauses) == pauses[-1] == 900
