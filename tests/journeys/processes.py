"""Processes of ours, for a test: started, killed, asked to stop, and waited for."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BUSY = 3  # times as long may all take on a machine that does other things as well
PARENT_GUARD = ROOT / "relay_portal" / "process" / "parent_guard.py"


def wait_until(look: Callable[[], Any], what: str, seconds: float = 30.0) -> Any:
    """Return what `look` returns once that is true."""
    seconds *= BUSY
    until = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < until, f"after {seconds:.0f} s still not: {what}"
        time.sleep(0.05)
    return seen


def answers(host: str, port: int) -> bool:
    """Tell whether an SMTP server greets there."""
    with suppress(OSError), socket.create_connection((host, port), timeout=2) as connection:
        return connection.recv(3) == b"220"
    return False


class Process:
    """One process of ours, guarded as `up` does it: it ends when the test run does, however that
    ends.
    """

    def __init__(
        self,
        command: list[str],
        *,
        env: dict[str, str],
        log: Path,
        account: str = "-",
        stop_signal: int = signal.SIGTERM,
        root: Path = ROOT,
    ) -> None:
        self.command = [
            sys.executable,
            "-I",
            "-S",
            str(PARENT_GUARD),
            str(int(stop_signal)),
            account,
            *command,
        ]
        self.env, self.log, self.root = env, log, root
        self.stop_signal = signal.Signals(stop_signal)
        self.running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with open(self.log, "ab") as out:
            self.running = subprocess.Popen(
                self.command,
                env=self.env,
                cwd=self.root,
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
            )

    def start_until(self, is_ready: Callable[[], object]) -> None:
        """Start, and again if it ends at once: a killed PostgreSQL's last children may still hold
        its memory.
        """

        def look() -> object:
            assert self.running is not None
            if self.running.poll() is not None:
                self.start()
            return is_ready()

        self.start()
        wait_until(look, f"{self.log.stem} is ready")

    @property
    def pid(self) -> int:
        assert self.running is not None
        return self.running.pid

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait()

    def wait(self, seconds: float = 30.0) -> int:
        assert self.running is not None
        return self.running.wait(seconds)

    @property
    def is_running(self) -> bool:
        return self.running is not None and self.running.poll() is None

    def ask_to_stop(self) -> None:
        if self.is_running:
            self.signal(self.stop_signal)
            self.signal(signal.SIGCONT)

    def stop(self) -> None:
        """Stop it as the supervisor does; by force where that takes too long."""
        self.ask_to_stop()
        if self.running is not None:
            try:
                self.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()
