"""The foreground of `ekiden up`: what people see of Supervisor's events."""

from types import SimpleNamespace

import pytest
from supervisor import events
from supervisor.states import ProcessStates

from relay_portal.process.supervision import Foreground, tell_again


def process(name="listener", *, status=None):
    return SimpleNamespace(
        config=SimpleNamespace(name=name), group=None, exitstatus=status, backoff=0, pid=7
    )


@pytest.fixture
def written():
    return []


@pytest.fixture
def foreground(written):
    return Foreground(written.append, is_coloured=False)


def says(name, data):
    return events.ProcessLogStdoutEvent(process(name), 7, data)


def test_each_line_carries_its_process(foreground, written):
    foreground.heard(says("listener", b"one\ntwo\n"))
    assert written == ["listener     | one\n", "listener     | two\n"]


def test_two_processes_never_share_a_line(foreground, written):
    foreground.heard(says("listener", b"half "))
    foreground.heard(says("worker", b"whole\n"))
    foreground.heard(says("listener", b"line\n"))
    assert written == ["worker       | whole\n", "listener     | half line\n"]


def test_the_set_up_speaks_for_the_service(foreground, written):
    foreground.heard(says("ekiden", b"Ready.\n"))
    assert written == ["Ready.\n"]


def test_the_servers_words_stay_in_their_files(foreground, written):
    foreground.heard(says("postgres", b"LOG: checkpoint\n"))
    assert written == []


def test_bytes_that_are_no_text_are_shown_all_the_same(foreground, written):
    foreground.heard(says("worker", b"\xff\n"))
    assert written == ["worker       | \ufffd\n"]


@pytest.mark.parametrize(("status", "how"), [(-1, "killed"), (3, "status 3")])
def test_a_death_is_told(foreground, written, status, how):
    foreground.changed(events.ProcessStateExitedEvent(process(status=status), None, expected=False))
    assert written == [f"listener     | ended ({how}), starting it again\n"]


def test_nothing_is_started_again_while_stopping(foreground, written):
    foreground.stopping(None)
    foreground.changed(events.ProcessStateExitedEvent(process(status=0), None))
    assert written == ["Stopping; what is under way is finished first.\n"]


@pytest.mark.parametrize("expected", [True, False])
def test_only_a_failed_set_up_ends_the_service(foreground, expected):
    foreground.changed(events.ProcessStateExitedEvent(process("ekiden"), None, expected=expected))
    assert foreground.has_failed is not expected


def stopping(*, after):
    """Return a process that was told to stop so many seconds after its start, and the signals it
    gets.
    """
    sent = []
    options = SimpleNamespace(kill=lambda pid, number: sent.append((pid, number)))
    config = SimpleNamespace(options=options, stopwaitsecs=20, stopsignal=15)
    return SimpleNamespace(
        pid=7,
        state=ProcessStates.STOPPING,
        laststart=100.0,
        delay=100.0 + after + 20,
        config=config,
    ), sent


def test_a_stop_that_came_right_after_the_start_is_told_again():
    process, sent = stopping(after=0.01)
    tell_again(process)
    assert sent == [(7, 15)]


def test_a_worker_that_finishes_its_work_is_told_once():
    process, sent = stopping(after=60)
    tell_again(process)
    assert sent == []
