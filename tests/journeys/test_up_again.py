"""`./ekiden up` a second time, after a death, and where something is in its way."""

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from relay_portal.servers.embedded import runtime_folder
from tests.journeys.rig import ROOT, wait_until
from tests.journeys.service import Up, up
from tests.journeys.test_up import in_another_terminal, printed_command


def test_secrets_that_were_made_are_shown_however_early_the_end_comes(tmp_path):
    folder = Path(tempfile.mkdtemp(prefix="ekiden-up-"))
    early = Up(folder / "data", tmp_path / "log", None, ROOT / "ekiden", terminal=True)
    try:
        early.begin()
        wait_until(
            lambda: "Starting sandbox" in early.said(),
            "the secrets are made, and not yet shown",
            120,
        )
        assert early.stop(signal.SIGINT) == 0
        assert "Traceback" not in early.said()
        assert "/account/invitation/" in early.said() and printed_command(early.said())
    finally:
        for place in (folder, runtime_folder(early.data)):
            shutil.rmtree(place, ignore_errors=True)  # one lies in the other, but for root


def test_a_file_gets_no_secret_but_the_way_to_new_ones():
    with up() as quiet:
        assert not any(each in quiet.said() for each in ("/account/invitation/", "SMTP secret"))
        lines = re.findall(r"^  (EKIDEN_DATA=.*\./ekiden .*)$", quiet.said(), re.MULTILINE)
        assert len(lines) == 3
        for line in lines:
            answer = in_another_terminal(line)
            assert answer.returncode == 0, answer.stderr


def test_a_port_that_is_taken_is_told_before_anything_starts(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = Up(tmp_path, tmp_path / "log", None, ROOT / "ekiden")
        taken.env["EKIDEN_MX_PORT"] = str(other.getsockname()[1])
        answer = taken.run("up")
    assert answer.returncode == 2
    assert (
        f"127.0.0.1:{taken.env['EKIDEN_MX_PORT']} (EKIDEN_MX_PORT) cannot be used: Address "
        "already in use."
    ) in answer.stderr
    assert not (tmp_path / "postgres").exists()


def test_a_certificate_that_is_not_there_is_told_before_anything_starts(tmp_path):
    wrong = Up(
        tmp_path,
        tmp_path / "log",
        None,
        ROOT / "ekiden",
        EKIDEN_TLS_CERT="/none.pem",
        EKIDEN_TLS_KEY="/none.pem",
    )
    answer = wrong.run("up")
    assert (answer.returncode, answer.stderr) == (2, "ekiden: There is no file /none.pem\n")
    assert not (tmp_path / "postgres").exists()


def test_no_secret_is_readable_by_others(service):
    for file in service.data.rglob("keys/*"):
        assert not file.stat().st_mode & 0o077, file


@pytest.mark.parametrize(
    "names",
    [
        ("listener", "worker", "scheduler", "portal"),
        ("maintenance-1", "sandbox", "valkey", "postgres"),
    ],
)
def test_processes_that_die_are_started_again(service, names):
    before = service.pids()
    for name in names:
        os.kill(before[name], signal.SIGKILL)

    def are_started_again():
        now = service.pids()
        return not any(now[name] in (None, before[name]) for name in names)

    wait_until(are_started_again, "all are started again", 60)
    wait_until(lambda: service.json("status")["ready"], "all is up again", 60)
    has_sent(service, f"after-{names[0]}@example.com")
    for name in names:
        assert f"{name:<12} | ended (killed), starting it again" in service.said()


def test_a_second_start_keeps_everything_and_is_quick(service):
    has_sent(service, "before-stop@example.com")
    assert service.stop(signal.SIGINT) == 0
    assert service.said().rstrip().endswith("Stopped.")
    kept, begun = len(service.said()), time.monotonic()
    service.log.write_text("")
    service.start()
    print(f"second start: {time.monotonic() - begun:.1f} s ({kept} bytes of log before)")
    assert "shown once" not in service.said()
    assert service.json("trace", "before-stop@example.com")["deliveries"][0]["state"] == "delivered"


def test_nothing_is_left_when_the_supervisor_itself_is_killed(service):
    has_sent(service, "before-kill@example.com")
    pids = [each["pid"] for each in service.json("status")["processes"]]
    service.process.kill()
    service.process.wait(300)
    wait_until(lambda: not any(is_running(pid) for pid in pids), "every process has ended", 60)
    service.log.write_text("")
    service.start()
    assert service.json("trace", "before-kill@example.com")["deliveries"][0]["state"] == "delivered"


def has_sent(service, recipient):
    sent = service.run("send", "hello@demo.test", recipient)
    assert sent.returncode == 0, sent.stdout + sent.stderr


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another account")
def test_from_a_x_ordinary_user_has_it_up_and_sends():
    python = shutil.which("python3", path="/usr/local/bin:/usr/bin")
    assert python, (
        "Debian's python3 and python3-venv are needed: a Python in root's home is nobody else's"
    )
    begun = time.monotonic()
    with up("daemon", checkout=bare_checkout, python=python, terminal=True) as service:
        assert service.run(*printed_command(service.said())).returncode == 0
        seconds = time.monotonic() - begun
        print(f"from a bare checkout to a delivered message: {seconds:.1f} s")
        owners = {
            Path(f"/proc/{each['pid']}").stat().st_uid
            for each in service.json("status")["processes"]
        }
        assert owners == {pwd.getpwnam("daemon").pw_uid}
        assert service.stop() == 0


def bare_checkout(folder):
    """Copy what a clone holds into this folder."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder
