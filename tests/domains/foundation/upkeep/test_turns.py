"""Turns of long jobs, of which one is at work at a time."""

import pytest
from django.db import connection

from domains.foundation import sql
from domains.foundation.upkeep import turns

KIND = 4711


def test_a_turn_takes_one_at_least_and_says_what_is_left(monkeypatch):
    monkeypatch.setattr(turns, "SECONDS", 0.0)
    turn = turns.Turn("abc")
    assert (list(turn), turn.taken, turn.has_more) == (["a"], 1, True)
    last = turns.Turn("c")
    assert (list(last), last.has_more) == (["c"], False)
    assert list(turns.Turn("")) == []


def test_within_its_time_a_turn_takes_all():
    turn = turns.Turn("abc")
    assert (list(turn), turn.has_more) == (["a", "b", "c"], False)


@pytest.fixture
def other(db):
    with_own_session = connection.copy()
    yield with_own_session
    with_own_session.close()


def test_of_two_at_once_the_second_is_not_alone(other, monkeypatch):
    with turns.alone(KIND) as first:
        monkeypatch.setattr(sql, "connection", other)
        with turns.alone(KIND) as second, turns.alone(KIND + 1) as elsewhere:
            assert (first, second, elsewhere) == (True, False, True)
        monkeypatch.undo()
    monkeypatch.setattr(sql, "connection", other)
    with turns.alone(KIND) as again:
        assert again
