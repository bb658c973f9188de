"""One connection more after enough good deliveries, fewer at once at trouble."""

from deliveries.shaping.window import MOST_CAUTION, Window


def test_a_full_window_of_good_deliveries_opens_it_by_one():
    window = Window(5, 10)
    for _ in range(5):
        window.good(is_full=True)
    assert window.size == 6


def test_it_never_opens_beyond_the_rule():
    window = Window(3, 3)
    for _ in range(50):
        window.good(is_full=True)
    assert window.size == 3


def test_good_deliveries_with_connections_to_spare_prove_nothing():
    window = Window(5, 10)
    for _ in range(50):
        window.good(is_full=False)
    assert window.size == 5


def test_trouble_closes_it_to_one_less_than_were_in_use():
    window = Window(10, 10)
    window.trouble(busy=4)
    assert window.size == 3
    for _ in range(9):
        window.trouble(busy=4)
    assert window.size == 1


def test_after_trouble_it_takes_longer_to_try_one_more():
    window = Window(5, 10)
    window.trouble(busy=5)
    for _ in range(4):
        window.good(is_full=True)
    assert window.size == 4
    for _ in range(4):
        window.good(is_full=True)
    assert window.size == 5


def test_caution_has_an_end_and_is_lost_again_with_success():
    window = Window(5, 10)
    for _ in range(20):
        window.trouble(busy=5)
    assert window.caution == MOST_CAUTION
    for _ in range(MOST_CAUTION):
        window.good(is_full=True)
    assert (window.size, window.caution) == (2, MOST_CAUTION // 2)
