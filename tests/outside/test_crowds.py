"""Silent and slow sessions of strangers take no place of an app."""

import selectors
import time
from contextlib import ExitStack, closing

import pytest

EIGHT = [f"127.41.0.{number}" for number in range(1, 9)]


def crowd(stack, service, port, number):
    """Open so many connections from eight addresses, which say nothing."""
    return [stack.enter_context(service.connect(port, EIGHT[index % 8])) for index in range(number)]


@pytest.mark.parametrize("port", ["mx", "submission", "submissions"])
def test_sixteen_hundred_silent_sessions_leave_room_for_apps(service, port):
    with ExitStack() as stack:
        crowd(stack, service, getattr(service, port), 1600)
        for number in range(5):
            with service.app(f"127.42.0.{number + 1}") as app:
                assert app.noop()[0] == 250
            with service.app(f"127.42.0.{number + 1}", port=service.submissions) as app:
                assert app.noop()[0] == 250
        with service.smtp(service.mx, "127.42.0.9") as host:  # a bounce gets in, too
            assert host.noop()[0] == 250
        with service.app(
            EIGHT[0]
        ) as app:  # an app behind the very address that the crowd comes from
            assert app.noop()[0] == 250


def test_an_app_that_has_logged_in_stays_while_a_crowd_comes(service):
    with ExitStack() as stack:
        apps = [stack.enter_context(service.app(EIGHT[0])) for _ in range(5)]
        crowd(stack, service, service.submission, 1600)
        assert [app.noop()[0] for app in apps] == [250] * 5


@pytest.mark.timeout(600)
def test_content_that_drips_is_cut_off(service):
    """It has a minute until bytes are counted: this test takes as long, and asks for nothing but
    that it ends.
    """
    with closing(service.smtp(service.mx, "127.43.0.1", timeout=300)) as host:
        host.mail("a@stranger.test")
        assert host.rcpt("postmaster")[0] == 250
        assert host.docmd("DATA")[0] == 354
        assert host.sock is not None
        with selectors.DefaultSelector() as waiting:
            waiting.register(host.sock, selectors.EVENT_READ)
            drops = 0
            while not waiting.select(timeout=20) and drops < 20:
                host.sock.sendall(b"x")
                drops += 1
        assert host.getreply() == (421, b"4.4.2 The message took too long")
        assert 2 <= drops <= 6


def test_who_says_nothing_is_sent_away(service):
    began = time.monotonic()
    with (
        service.connect(service.mx, "127.43.0.2", timeout=120) as silent,
        silent.makefile("rb") as replies,
    ):
        assert [line[:3] for line in replies] == [b"220", b"421"]
    assert time.monotonic() - began > 20  # not at once: a client may look up our name first
