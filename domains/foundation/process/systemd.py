"""Tell systemd the state of this process (sd_notify(3)), and write for its journal
(sd-daemon(3)).
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import socket
import sys
import threading
import traceback
from contextlib import suppress
from types import TracebackType
from typing import Any, TextIO

ERROR = 3  # syslog's numbers
PRIORITIES = (
    (logging.CRITICAL, 2),
    (logging.ERROR, ERROR),
    (logging.WARNING, 4),
    (logging.INFO, 6),
)
DEBUG = 7
UNWATCHED = 3600.0  # seconds between two signs of life that nobody asked for


def notify(*assignments: str) -> None:
    """Send to the supervisor; nothing happens where none listens, and nothing that it does can
    disturb us.
    """
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):  # of the abstract namespace
        address = "\0" + address[1:]
    with (
        suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection,
    ):
        connection.settimeout(1)
        connection.sendto("\n".join(assignments).encode(), address)


def ready(status: str) -> None:
    """Say that the process does its work from now on: `systemctl start` returns."""
    notify("READY=1", f"STATUS={status}")


def waiting(status: str, *, seconds: float) -> None:
    """Say what the start waits for; systemd allows it so many seconds more."""
    notify(f"STATUS={status}", f"EXTEND_TIMEOUT_USEC={int(seconds * 1_000_000)}", "WATCHDOG=1")


def stopping(status: str) -> None:
    notify("STOPPING=1", f"STATUS={status}")


def alive() -> None:
    """Say that the loop that does the work has come round once more.

    Call it from that loop alone.
    """
    notify("WATCHDOG=1")


def watchdog_interval() -> float:
    """Return the seconds between two signs of life: a third of the unit's WatchdogSec."""
    allowed = os.environ.get("WATCHDOG_USEC", "")
    is_for_us = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return (
        int(allowed) / 3_000_000
        if allowed.isdecimal() and int(allowed) and is_for_us
        else UNWATCHED
    )


async def alive_until(stopped: asyncio.Event) -> None:
    """Wait for the event. Meanwhile the event loop shows by its own timer that it turns."""
    every = watchdog_interval()
    while not stopped.is_set():
        alive()
        with suppress(TimeoutError):
            async with asyncio.timeout(every):
                await stopped.wait()


def is_journal(stream: TextIO | None) -> bool:
    """Tell whether systemd's journal reads what is written there."""
    wanted = os.environ.get("JOURNAL_STREAM")
    if not wanted or stream is None:
        return False
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):  # closed, or only in memory
        return False
    return wanted == f"{found.st_dev}:{found.st_ino}"


def priority(level: int) -> int:
    """Map a level of `logging` to Syslog's number (RFC 5424, section 6.2.1)."""
    return next((number for least, number in PRIORITIES if level >= least), DEBUG)


def prefixed(text: str, number: int) -> str:
    """Mark each line for the journal, which makes an entry of each."""
    mark = f"<{number}>"
    return mark + (text.replace("\n", f"\n{mark}") if "\n" in text else text)


class JournalFormatter(logging.Formatter):
    """Format as another one does, with the priority before each line."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        return prefixed(self._inner.format(record), priority(record.levelno))


def say_error(text: str) -> None:
    """Write to standard error, as an error where the journal reads it."""
    sys.stderr.write((prefixed(text, ERROR) if is_journal(sys.stderr) else text) + "\n")
    sys.stderr.flush()


def report_crashes() -> None:
    """Let what ends the process or a thread reach the journal as an error."""
    with suppress(OSError, ValueError):  # standard error may be no file
        faulthandler.enable()  # a process that the watchdog ends says where it was
    if is_journal(sys.stderr):
        sys.excepthook = _report
        threading.excepthook = _report_thread


def _report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    say_error("".join(traceback.format_exception(kind, error, trace)).rstrip("\n"))


# threading.ExceptHookArgs, which has no name at run time for 3.11's typing.
def _report_thread(arguments: Any) -> None:
    if arguments.exc_type is not SystemExit:
        _report(arguments.exc_type, arguments.exc_value, arguments.exc_traceback)
