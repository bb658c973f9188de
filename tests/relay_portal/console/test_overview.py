import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import get_commands

from relay_portal.console import overview

ROOT = Path(__file__).parents[3]


def run(*words, **environment):
    command = [sys.executable, str(ROOT / "manage.py"), *words]
    return subprocess.run(
        command, capture_output=True, text=True, env=os.environ | environment, check=False
    )


def test_every_command_of_the_overview_exists():
    assert {
        name for commands in overview.GROUPS.values() for name in commands
    } <= get_commands().keys()


def test_every_command_of_ours_is_in_the_overview():
    ours = {
        name
        for name, app in get_commands().items()
        if app in ("domains", "suppressions", "deliveries", "smtp_listener", "relay_portal")
    }
    shown = {name for commands in overview.GROUPS.values() for name in commands}
    assert ours - overview.EARLIER == shown


@pytest.mark.parametrize("words", [(), ("help",), ("--help",)])
def test_without_a_command_there_is_an_overview(words):
    assert "bring everything up" in run(*words).stdout


def test_the_version_is_ours():
    assert (
        run("--version").stdout == "Ekiden 0.1.0\n"
        and 'version = "0.1.0"' in (ROOT / "pyproject.toml").read_text()
    )


def test_an_unknown_command_is_one_line_with_a_hint():
    answer = run("trcae")
    assert (answer.returncode, answer.stderr) == (
        2,
        "ekiden: There is no command trcae. Did you mean trace?\n",
    )


def test_flush_does_not_reach_the_command_that_would_empty_the_database():
    answer = run("flush", "--no-input")
    assert answer.returncode == 2 and "ekiden: flush would empty the database." in answer.stderr


def test_a_setting_that_is_wrong_is_one_line():
    answer = run("trace", "x", EKIDEN_WORKERS="many")
    assert (answer.returncode, answer.stderr.count("\n")) == (2, 1)
    assert "EKIDEN_WORKERS=many" in answer.stderr


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("REDIS_URL", "valkey:6379"),
        ("DATABASE_URL", "ekiden"),
        ("EKIDEN_TIME_ZONE", "Mars"),
        ("EKIDEN_DNS", "name.server"),
    ],
)
def test_whatever_setting_is_wrong_is_one_line(name, bad):
    answer = run("status", **{name: bad})
    assert (answer.returncode, answer.stderr.count("\n")) == (2, 1)
    assert answer.stderr.startswith(f"ekiden: {name}={bad}: ")


def test_a_start_that_is_interrupted_says_nothing():
    command = subprocess.Popen(
        [sys.executable, "-X", "importtime", str(ROOT / "manage.py"), "status"],
        stderr=subprocess.PIPE,
        text=True,
        # a suite that was started in the background ignores it, and so would this process
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    next(line for line in command.stderr if "django" in line)
    command.send_signal(signal.SIGINT)
    assert "Traceback" not in command.communicate()[1]
    assert command.returncode == 130


def test_a_subject_is_one_line():
    answer = run("send", "a@shop.test", "b@shop.test", "--subject", "Hello\nBcc: c@shop.test")
    assert (answer.returncode, answer.stderr.count("\n")) == (2, 1)
    assert "a subject is one line" in answer.stderr


@pytest.mark.parametrize("owner", [0, 1] if os.getuid() == 0 else [os.getuid()])
def test_a_data_folder_that_cannot_be_written_is_one_line(tmp_path, owner):
    (tmp_path / "file").touch()
    os.chown(tmp_path / "file", owner, -1)  # the sockets of root's data are elsewhere
    answer = run("trace", "x", EKIDEN_DATA=str(tmp_path / "file"), DATABASE_URL="")
    assert (answer.returncode, answer.stderr.count("\n")) == (2, 1)
    assert "EKIDEN_DATA" in answer.stderr
