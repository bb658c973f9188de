"""What systemd is told by a process, and how its journal is written to."""

import asyncio
import logging
import os
import re
import socket
import subprocess
import sys

import pytest

from deliveries.backends.loglines import GroupedHandler
from domains.foundation.process import systemd


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Yield the datagrams that reached the supervisor."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(tmp_path / "notify"))
        supervisor.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield lambda: supervisor.recv(4096).decode()


def test_readiness_and_status_are_told_together(told):
    systemd.ready("Listening")
    assert told() == "READY=1\nSTATUS=Listening"


def test_a_start_that_waits_asks_for_time(told):
    systemd.waiting("Waiting for Valkey", seconds=60)
    assert told() == "STATUS=Waiting for Valkey\nEXTEND_TIMEOUT_USEC=60000000\nWATCHDOG=1"


def test_an_address_of_the_abstract_namespace_is_understood(monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(f"\0ekiden-{os.getpid()}")
        supervisor.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@ekiden-{os.getpid()}")
        systemd.alive()
        assert supervisor.recv(100) == b"WATCHDOG=1"


def test_nobody_listening_disturbs_nothing(monkeypatch, tmp_path):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    systemd.ready("Listening")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    systemd.ready("Listening")


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, systemd.UNWATCHED),
        ({"WATCHDOG_USEC": "60000000"}, 20),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 20),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, systemd.UNWATCHED),
        ({"WATCHDOG_USEC": "0"}, systemd.UNWATCHED),
        ({"WATCHDOG_USEC": "soon"}, systemd.UNWATCHED),
    ],
)
def test_signs_of_life_come_three_times_as_often_as_the_unit_asks(
    monkeypatch, environment, seconds
):
    for name in ("WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert systemd.watchdog_interval() == seconds


async def test_the_event_loop_shows_that_it_turns_until_the_end(monkeypatch):
    monkeypatch.setattr(systemd, "watchdog_interval", lambda: 0.001)
    stopped, beats = asyncio.Event(), 0

    def alive():
        nonlocal beats
        beats += 1
        if beats == 3:
            stopped.set()

    monkeypatch.setattr(systemd, "alive", alive)
    await systemd.alive_until(stopped)
    assert beats == 3


def journal(stream):
    found = os.fstat(stream.fileno())
    return f"{found.st_dev}:{found.st_ino}"


def test_lines_in_the_journal_have_their_priority(tmp_path, monkeypatch):
    with (tmp_path / "journal").open("w+") as stream:
        monkeypatch.setenv("JOURNAL_STREAM", journal(stream))
        handler = GroupedHandler(stream)
        for level in (
            logging.DEBUG,
            logging.INFO,
            logging.WARNING,
            logging.ERROR,
            logging.CRITICAL,
        ):
            handler.emit(logging.LogRecord("x", level, "", 1, "event=%d", (level,), None))
        stream.seek(0)
        assert stream.read() == "<7>event=10\n<6>event=20\n<4>event=30\n<3>event=40\n<2>event=50\n"


def test_each_line_of_a_traceback_has_the_priority(tmp_path, monkeypatch):
    with (tmp_path / "journal").open("w+") as stream:
        monkeypatch.setenv("JOURNAL_STREAM", journal(stream))
        handler = GroupedHandler(stream)
        try:
            raise ValueError("one\ntwo")
        except ValueError:
            handler.emit(logging.LogRecord("x", logging.ERROR, "", 1, "failed", (), sys.exc_info()))
        stream.seek(0)
        lines = stream.read().splitlines()
        assert len(lines) > 4
        assert {line[:3] for line in lines} == {"<3>"}


def test_another_stream_than_the_journals_is_left_plain(tmp_path, monkeypatch):
    with (tmp_path / "journal").open("w") as one, (tmp_path / "file").open("w+") as stream:
        monkeypatch.setenv("JOURNAL_STREAM", journal(one))
        GroupedHandler(stream).emit(
            logging.LogRecord("x", logging.ERROR, "", 1, "failed", (), None)
        )
        stream.seek(0)
        assert stream.read() == "failed\n"


def test_the_portals_own_lines_have_their_priority(tmp_path, monkeypatch):
    from gunicorn.config import Config

    from relay_portal.serving.weblog import Logger

    with (tmp_path / "journal").open("w+") as stream:
        monkeypatch.setenv("JOURNAL_STREAM", journal(stream))
        monkeypatch.setattr(sys, "stderr", stream)
        log = Logger(Config())
        try:
            log.error("Worker failed to boot.")
        finally:
            log.error_log.handlers.clear()
        stream.seek(0)
        assert re.fullmatch(r"<3>\S+ \S+ ERROR .*Worker failed to boot\.\n", stream.read())


CRASH = """
import os, sys, threading
found = os.fstat(2)
os.environ["JOURNAL_STREAM"] = f"{found.st_dev}:{found.st_ino}"
from domains.foundation.process import systemd
systemd.report_crashes()
thread = threading.Thread(target=lambda: 1 / 0)
thread.start()
thread.join()
raise SystemError("the end")
"""


def test_what_ends_a_process_or_a_thread_is_an_error_in_the_journal():
    done = subprocess.run(
        [sys.executable, "-c", CRASH], capture_output=True, text=True, timeout=300, check=False
    )
    lines = done.stderr.splitlines()
    assert done.returncode == 1
    assert "<3>ZeroDivisionError: division by zero" in lines
    assert "<3>SystemError: the end" in lines
    assert {line[:3] for line in lines} == {"<3>"}
