"""`./ekiden up` as one process of a test, with a data folder and ports of its own, and the
commands beside it.
"""

import json
import os
import pwd
import signal
import subprocess
import tempfile
import termios
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

from relay_portal.servers.embedded import runtime_folder
from tests.journeys.installations import begin_migrated
from tests.journeys.rig import ROOT, wait_until
from tests.ports import free_port

PORTS = ("SUBMISSION", "SUBMISSIONS", "MX", "PORTAL", "SANDBOX")


class Up:
    """A running `./ekiden up` and the commands beside it, all under one account."""

    def __init__(self, data, log, user, program, *, terminal=False, **more):
        """Start it; with `terminal`, `up` writes to one, which shows secrets, and what it shows is
        in `log` all the same.
        """
        self.data, self.log, self.user, self.program, self.terminal = (
            data,
            log,
            user,
            str(program),
            terminal,
        )
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("EKIDEN_", "DATABASE_URL", "REDIS_URL"))
        }
        self.env = (
            kept
            | more
            | {"EKIDEN_DATA": str(data), "HOME": "/nonexistent"}
            | {f"EKIDEN_{name}_PORT": str(free_port()) for name in PORTS}
        )
        self.process = None

    def begin(self):
        who = (
            {"user": self.user, "group": pwd.getpwnam(self.user).pw_gid, "extra_groups": []}
            if self.user
            else {}
        )
        with self._terminal() if self.terminal else open(self.log, "ab") as out:
            self.process = subprocess.Popen(
                [self.program, "up"], env=self.env, stdout=out, stderr=out, **who
            )

    @contextmanager
    def _terminal(self):
        ours, theirs = os.openpty()
        attributes = termios.tcgetattr(theirs)
        attributes[1] &= ~termios.OPOST  # lines end as they were written
        termios.tcsetattr(theirs, termios.TCSANOW, attributes)
        self.env["NO_COLOR"] = "1"
        self.log.touch()
        threading.Thread(target=self._copy, args=[ours], daemon=True).start()
        try:
            yield theirs
        finally:
            os.close(theirs)

    def _copy(self, terminal):
        with suppress(OSError):  # all who had it have ended
            while data := os.read(terminal, 65_536):
                with open(self.log, "ab") as log:
                    log.write(data)
        os.close(terminal)

    def start(self):
        self.begin()
        wait_until(
            lambda: (
                any(each in self.said() for each in ("Ready.", "Not ready:"))
                or self.process.poll() is not None
            ),
            "the service says Ready, or Not ready",
            120,
        )
        assert self.process.poll() is None, self.said()
        if "Ready." not in self.said():  # it waits a minute, which a busy machine may need longer
            wait_until(lambda: self.json("status")["ready"], "all is up", 120)

    def said(self):
        return self.log.read_text()

    def run(self, *words, **given):
        who = (
            {"user": self.user, "group": pwd.getpwnam(self.user).pw_gid, "extra_groups": []}
            if self.user
            else {}
        )
        return subprocess.run(
            [self.program, *words],
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
            **who,
            **given,
        )

    def json(self, *words):
        return json.loads(self.run(*words, "--json").stdout)

    def pids(self):
        """Return the number of each process by its name, None for one that does not run."""
        return {each["name"]: each["pid"] for each in self.json("status")["processes"]}

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.process.wait(300)


@contextmanager
def up(user=None, *, checkout=None, python="", terminal=False, **settings):
    """Bring it up: with a database that is migrated already where the code is ours."""
    folder = Path(tempfile.mkdtemp(prefix="ekiden-up-"))
    data = folder / "data"
    data.mkdir()
    folder.chmod(0o755)
    if not user and not checkout:
        begin_migrated(data)
    root = checkout(folder / "checkout") if checkout else ROOT
    if user:
        subprocess.run(
            ["chown", "-R", user, str(data), *([str(root)] if checkout else [])], check=True
        )
    running = Up(
        data,
        folder / "log",
        user,
        root / "ekiden",
        terminal=terminal,
        EKIDEN_PYTHON=python,
        **settings,
    )
    try:
        running.start()
        yield running
    finally:
        sockets = runtime_folder(data)
        if running.process is not None and running.process.poll() is None:
            running.stop()
        for place in (folder, sockets):
            subprocess.run(["rm", "-rf", str(place)], check=True)
