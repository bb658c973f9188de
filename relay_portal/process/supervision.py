"""The foreground of `ekiden up`: Supervisor with one readable log, each line with the name of its
process.

Runs as `python -m relay_portal.process.supervision CONFIGURATION`, without Django. Supervisor
starts, restarts and stops; this module only listens to its events, as an RPC interface of
Supervisor's may (http://supervisord.org/api.html).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from supervisor import events, supervisord
from supervisor.options import ServerOptions
from supervisor.states import ProcessStates, SupervisorStates

# the process that sets up and then starts the others; its lines are the service's own voice
SETUP = "ekiden"
FILE_ONLY = frozenset({"postgres", "valkey"})  # their own words are for their log files
YOUNG = 1.0  # seconds
COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95)
WIDTH = 12


class Foreground:
    """Turns Supervisor's events into lines."""

    def __init__(
        self, write: Callable[[str], object], *, is_coloured: bool, is_terminal: bool = False
    ) -> None:
        self._write = write
        self._is_terminal = is_terminal
        self._is_coloured = is_coloured
        self._open: dict[str, bytes] = {}
        self._colours: dict[str, int] = {}
        self.is_stopping = False
        self.has_failed = False

    def heard(self, event: Any) -> None:
        """Show what a process has written; only whole lines are shown, so that two never mix."""
        name = str(event.process.config.name)
        if name in FILE_ONLY:
            return
        *lines, rest = (self._open.pop(name, b"") + event.data).split(b"\n")
        if rest:
            self._open[name] = rest
        for line in lines:
            self.show(name, line.decode("utf-8", "replace"))

    def show(self, name: str, text: str) -> None:
        if name == SETUP:  # the service's own voice needs no name
            self._write(text + "\n")
            return
        colour = self._colours.setdefault(name, COLOURS[len(self._colours) % len(COLOURS)])
        shown = f"{name:<{WIDTH}} |"
        self._write(
            f"\x1b[{colour}m{shown}\x1b[0m {text}\n" if self._is_coloured else f"{shown} {text}\n"
        )

    def show_once(self, secret: str, otherwise: str) -> bool:
        """Write the secret where a person sees it now, else the other text, which may stay in a
        file (called by RPC).
        """
        self._write(secret if self._is_terminal else otherwise)
        return True

    def changed(self, event: Any) -> None:
        """Tell people what they should know of a process that is in another state."""
        name = str(event.process.config.name)
        match event:
            case events.ProcessStateExitedEvent() if name == SETUP:
                self.has_failed = not (event.expected or self.is_stopping)
            case events.ProcessStateExitedEvent() | events.ProcessStateBackoffEvent() if (
                not self.is_stopping
            ):
                self.show(name, f"ended ({_how(event.process)}), starting it again")
            case events.ProcessStateFatalEvent():
                self.show(name, "cannot be started")
            case events.ProcessStateStoppedEvent() if name != SETUP:
                self.show(name, "stopped")

    def stopping(self, _: Any) -> None:
        self.is_stopping = True
        self._write("Stopping; what is under way is finished first.\n")


def _how(process: Any) -> str:
    # Supervisor forgets the status of what did not live for a second.
    if process.exitstatus is None:
        return "right after its start"
    return "killed" if process.exitstatus < 0 else f"status {process.exitstatus}"


def tell_again(process: Any) -> None:
    """Send the stop signal again to a process that was told to stop when it was young.

    A child that is told to stop between its fork and its exec takes the signal for Supervisor's
    own, and it is lost.
    """
    told_at = process.delay - process.config.stopwaitsecs
    if process.state == ProcessStates.STOPPING and told_at - process.laststart < YOUNG:
        process.config.options.kill(process.pid, process.config.stopsignal)


class Voice:
    """What RPC clients may call as `ekiden.…`.

    Also while Supervisor stops: unlike its own methods, this one is never refused.
    """

    def __init__(self, foreground: Foreground) -> None:
        self.show_once = foreground.show_once


_foreground: Foreground | None = None


def attach(supervisor: Any) -> object:
    """Subscribe to events; Supervisor calls this when that is possible."""
    foreground = _foreground
    assert foreground is not None, "run as a module"

    def changed(event: Any) -> None:
        foreground.changed(event)
        if foreground.has_failed:  # nothing was started yet but the servers
            supervisor.options.mood = SupervisorStates.SHUTDOWN

    def ticked(_: Any) -> None:
        for group in supervisor.process_groups.values():
            for process in group.processes.values():
                tell_again(process)

    events.subscribe(events.Tick5Event, ticked)
    events.subscribe(events.ProcessLogEvent, foreground.heard)
    events.subscribe(events.ProcessStateEvent, changed)
    events.subscribe(events.SupervisorStoppingEvent, foreground.stopping)
    return Voice(foreground)


def write(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError:  # nobody reads any more; the log files do
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  (until the end)


def main(configuration: str) -> int:
    global _foreground
    is_terminal = sys.stdout.isatty()
    _foreground = Foreground(
        write, is_coloured=is_terminal and "NO_COLOR" not in os.environ, is_terminal=is_terminal
    )
    options = ServerOptions()
    options.realize(["--configuration", configuration, "--nodaemon", "--silent"])
    options.first, options.test = True, False
    supervisord.go(options)
    write("Stopped.\n")
    return 1 if _foreground.has_failed else 0


if __name__ == "__main__":
    # `attach` is found by that name.
    sys.modules["relay_portal.process.supervision"] = sys.modules["__main__"]
    sys.exit(main(sys.argv[1]))
