import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PARENT_GUARD = Path(__file__).parents[3] / "relay_portal" / "process" / "parent_guard.py"
PARENT = f"""
import subprocess, sys, time
child = subprocess.Popen([
    sys.executable, {str(PARENT_GUARD)!r}, "15", sys.argv[1], "/bin/sleep", "60"])
while not open(f"/proc/{{child.pid}}/cmdline", "rb").read().startswith(b"/bin/sleep"):
    time.sleep(0.01)
print(child.pid, flush=True)
time.sleep(60)
"""


def is_gone(pid):
    try:
        return "Z" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True


@pytest.mark.parametrize(
    "account",
    ["-", pytest.param("nobody", marks=pytest.mark.skipif(os.getuid() != 0, reason="needs root"))],
)
def test_a_tethered_program_ends_with_its_killed_parent(account):
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, account], stdout=subprocess.PIPE, text=True
    ) as parent:
        child = int(parent.stdout.readline())
        owner = Path(f"/proc/{child}").stat().st_uid
        assert (owner == os.getuid()) == (account == "-")
        parent.send_signal(signal.SIGKILL)
    until = time.monotonic() + 5
    while not is_gone(child):
        assert time.monotonic() < until, "the program outlived its parent"
        time.sleep(0.01)
