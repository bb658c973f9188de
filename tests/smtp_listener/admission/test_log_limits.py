"""One client writes few lines of the log."""

from ipaddress import ip_address

from smtp_listener.admission.log_limits import MOST_PLACES, Sparing

HOME, OTHER = ip_address("192.0.2.7"), ip_address("192.0.2.8")


def test_the_first_lines_of_a_minute_are_written_and_the_others_counted(caplog):
    now = [0.0]
    lines = Sparing(3, clock=lambda: now[0])
    assert [lines.allows(HOME) for _ in range(5)] == [True] * 3 + [False] * 2
    assert lines.allows(OTHER)
    now[0] = 61.0
    assert lines.allows(HOME)
    assert "client=192.0.2.7 event=lines-left-out lines=2" in caplog.text


def test_what_was_left_out_is_told_though_the_client_has_gone(caplog):
    now = [0.0]
    lines = Sparing(1, clock=lambda: now[0])
    for _ in range(4):
        lines.allows(HOME)
    lines.sweep()
    assert "lines-left-out" not in caplog.text
    now[0] = 61.0
    lines.sweep()
    assert "client=192.0.2.7 event=lines-left-out lines=3" in caplog.text
    assert not lines._places


def test_so_many_places_are_remembered():
    lines = Sparing(1)
    for number in range(MOST_PLACES + 10):
        lines.allows(ip_address(number))
    assert len(lines._places) == MOST_PLACES
