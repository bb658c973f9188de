"""The script `ekiden`: what it says where it cannot begin, and that it begins only once.

The journeys let it install for real.
"""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOOLS = (
    "sh",
    "id",
    "dirname",
    "readlink",
    "cmp",
    "mkdir",
    "ln",
    "rm",
    "cp",
    "grep",
    "sleep",
    "cat",
    "touch",
)
PYTHON = """#!/bin/sh
# Stands for a Python: says its version, makes environments, counts what it is asked to install.
case "$1 $2" in
    "-c import sys"*) exit {too_old} ;;
    "-c "*) exit 0 ;;
    "--version "*) echo Python 3.12.1 ;;
    "-m venv") {venv} ;;
    "-m pip") echo "pip" >>"{log}" ;;
    *) echo "$@" >>"{log}" ;;
esac
"""


class Checkout:
    """A bare checkout with a PATH of its own."""

    def __init__(self, folder):
        self.root, self.bin, self.log = folder / "checkout", folder / "bin", folder / "log"
        self.root.mkdir()
        self.bin.mkdir()
        self.log.touch()
        shutil.copy(ROOT / "ekiden", self.root)
        for name in ("requirements.txt", "requirements-dev.txt"):
            (self.root / name).write_text("thing==1\n")
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool))

    def has_python(self, *, too_old=0, venv='mkdir -p "$4/bin" && cp "$0" "$4/bin/python"'):
        python = self.bin / "python3"
        python.write_text(PYTHON.format(too_old=too_old, venv=venv, log=self.log))
        python.chmod(0o755)

    def run(self, *words):
        command, env = [str(self.root / "ekiden"), *words], {"PATH": str(self.bin)}
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False)

    def installed(self):
        return self.log.read_text().splitlines().count("pip")


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path)


def test_without_python_it_says_so_in_one_line(checkout):
    answer = checkout.run("up")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith("ekiden: Python 3.11 or newer is needed, and not found")
    assert answer.stderr.count("\n") == 1


def test_an_old_python_is_none(checkout):
    checkout.has_python(too_old=1)
    assert "Python 3.11 or newer is needed" in checkout.run("up").stderr


def test_without_the_venv_module_it_says_so(checkout):
    checkout.has_python(venv="echo no ensurepip; exit 1")
    answer = checkout.run("up")
    assert answer.returncode == 2
    assert (
        "ekiden: Python's venv module does not work here (Debian: apt install python3-venv"
        in answer.stderr
    )
    assert not (checkout.root / ".venv.lock").exists()


def test_a_first_use_installs_and_then_hands_the_arguments_on(checkout):
    checkout.has_python()
    answer = checkout.run("trace", "a b", "--json")
    assert "Installing 1 packages from requirements.txt" in answer.stderr
    assert checkout.log.read_text().splitlines() == [
        "pip",
        f"{checkout.root}/manage.py trace a b --json",
    ]


def test_a_second_use_installs_nothing_and_says_nothing(checkout):
    checkout.has_python()
    checkout.run("up")
    assert checkout.run("up").stderr == ""
    assert checkout.installed() == 1


def test_a_changed_lock_is_installed(checkout):
    checkout.has_python()
    checkout.run("up")
    (checkout.root / "requirements.txt").write_text("thing==2\n")
    checkout.run("up")
    assert checkout.installed() == 2


def test_the_lock_for_tests_holds_the_other_too(checkout):
    checkout.has_python()
    checkout.run("test")
    checkout.run("up")
    checkout.run("test")
    assert checkout.installed() == 1


def test_an_installation_that_failed_is_tried_again(checkout):
    checkout.has_python()
    real = (checkout.bin / "python3").read_text()
    (checkout.bin / "python3").write_text(real.replace('echo "pip"', 'exit 1; echo "pip"'))
    assert "could not be installed" in checkout.run("up").stderr
    shutil.rmtree(checkout.root / ".venv")
    checkout.has_python()
    assert checkout.run("up").returncode == 0
    assert checkout.installed() == 1


def test_an_installation_that_was_killed_does_not_stop_the_next(checkout):
    checkout.has_python()
    (checkout.root / ".venv.lock").symlink_to("99999999")
    assert checkout.run("up").stderr.splitlines()[0].startswith("Making .venv")
    assert checkout.installed() == 1


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_terminal_that_closes_leaves_no_mark(checkout, number):
    signal.signal(number, signal.SIG_DFL)  # under nohup it is ignored, and no shell can change that
    checkout.has_python(venv=f"kill -{number:d} $PPID; sleep 1")
    assert checkout.run("up").returncode == 130
    assert not (checkout.root / ".venv.lock").is_symlink()


def test_a_second_start_waits_for_the_first(checkout):
    checkout.has_python()
    (checkout.root / ".venv.lock").symlink_to(str(os.getpid()))
    second = subprocess.Popen(
        [str(checkout.root / "ekiden"), "up"],
        env={"PATH": str(checkout.bin)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert second.stderr.readline().startswith("Another ekiden is installing")
    assert checkout.installed() == 0
    (checkout.root / ".venv.lock").unlink()
    second.communicate(timeout=10)
    assert checkout.installed() == 1


def test_it_is_found_through_a_link_too(checkout, tmp_path):
    checkout.has_python()
    (tmp_path / "link").symlink_to(checkout.root / "ekiden")
    subprocess.run(
        [str(tmp_path / "link"), "up"],
        env={"PATH": str(checkout.bin)},
        check=True,
        capture_output=True,
    )
    assert f"{checkout.root}/manage.py up" in checkout.log.read_text()


def test_it_is_plain_posix_shell():
    if not shutil.which("dash"):
        pytest.skip("dash, Debian's sh, is not here")
    subprocess.run(["dash", "-n", str(ROOT / "ekiden")], check=True)
    assert (ROOT / "ekiden").read_text().startswith("#!/bin/sh\n")
    assert os.access(ROOT / "ekiden", os.X_OK)
