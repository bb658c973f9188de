"""Lines of one group in one write, in order, and none lost."""

import io
import logging

import pytest

from deliveries.backends.loglines import GroupedHandler, together


class Counting(io.StringIO):
    writes = 0

    def write(self, text):
        self.writes += 1
        return super().write(text)


@pytest.fixture
def log():
    stream = Counting()
    handler = GroupedHandler(stream)
    logging.getLogger().addHandler(handler)
    yield stream
    logging.getLogger().removeHandler(handler)


def test_lines_of_a_group_leave_in_one_write_and_in_order(log):
    with together():
        for number in range(5):
            logging.getLogger("ekiden").warning("line %d", number)
        assert not log.getvalue()
    assert log.getvalue() == "".join(f"line {number}\n" for number in range(5))
    assert log.writes == 1


def test_a_line_alone_leaves_at_once(log):
    logging.getLogger("ekiden").warning("alone")
    assert log.getvalue() == "alone\n"


def test_what_was_logged_before_a_failure_is_written(log):
    def fails():
        with together():
            logging.getLogger("ekiden").warning("before")
            raise LookupError

    with pytest.raises(LookupError):
        fails()
    assert log.getvalue() == "before\n"


def test_a_line_that_cannot_be_made_ends_nothing(log, monkeypatch):
    monkeypatch.setattr(logging, "raiseExceptions", False)
    with together():
        logging.getLogger("ekiden").warning("%d", "not a number")
        logging.getLogger("ekiden").warning("after")
    assert log.getvalue() == "after\n"
