"""`./ekiden up` as a person runs it: one command, a fresh data folder, everything real."""

import os
import pwd
import re
import shlex
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from relay_portal.servers.embedded import runtime_folder
from tests.journeys.rig import ROOT, wait_until
from tests.journeys.service import Up, up


@pytest.fixture(scope="module")
def service():
    with up(terminal=True, EKIDEN_LISTENERS="1", EKIDEN_WORKERS="1") as running:
        yield running


def printed_line(said):
    [line] = re.findall(r"^  (.*\./ekiden send .*)$", said, re.MULTILINE)
    return line


def printed_command(said):
    words = shlex.split(printed_line(said))
    return words[words.index("./ekiden") + 1 :]


def in_another_terminal(line, folder=ROOT):
    """As a person pastes it, in a shell that knows nothing of the settings."""
    return subprocess.run(
        line,
        shell=True,
        cwd=folder,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )


def test_the_printed_command_sends_and_the_message_is_seen_delivered(service):
    sent = in_another_terminal(printed_line(service.said()))
    assert sent.returncode == 0, sent.stderr
    assert "✓ you@example.com  Delivered" in sent.stdout
    [traced] = [service.json("trace", "you@example.com")]
    assert traced["message"]["from"] == "hello@demo.test"
    [delivery] = traced["deliveries"]
    assert (delivery["state"], delivery["waiting"], delivery["attempts"][-1]["code"]) == (
        "delivered",
        None,
        250,
    )
    assert service.json("conservation")["missing"] == 0


def test_the_shown_credential_is_an_apps(service):
    [username] = re.findall(r"SMTP user name +(\S+)", service.said())
    [secret] = re.findall(r"SMTP secret +(\S+)", service.said())
    assert (
        service.run(
            "send", "--login", f"{username}:{secret}", "anything@demo.test", "app@example.com"
        ).returncode
        == 0
    )


def test_what_is_shown_once_is_in_no_file(service):
    [password], [secret] = (
        re.findall(rf"{name} +(\S+)", service.said()) for name in ("Password", "SMTP secret")
    )
    files = [
        path
        for path in [*service.data.rglob("*"), *runtime_folder(service.data).rglob("*")]
        if path.is_file()
    ]
    assert (
        files
        and [
            path
            for path in files
            if password.encode() in path.read_bytes() or secret.encode() in path.read_bytes()
        ]
        == []
    )


def test_the_logs_are_for_the_services_account_alone(service):
    logs = [*(service.data / "log").iterdir()]
    assert len(logs) > 8 and [path for path in logs if path.stat().st_mode & 0o077] == []


def test_every_command_that_is_told_works_in_another_terminal(service):
    [status] = re.findall(r"need these settings: (.*)", service.said())
    assert in_another_terminal(status).returncode == 0


def test_the_certificate_that_apps_are_to_trust_is_named(service):
    [path] = re.findall(r"Apps must trust its own certificate: (\S+)", service.said())
    assert "PRIVATE" not in Path(path).read_text() and Path(path).stat().st_mode & 0o444 == 0o444
    context = ssl.create_default_context(cafile=path)
    with smtplib.SMTP_SSL(
        "localhost", int(service.env["EKIDEN_SUBMISSIONS_PORT"]), context=context
    ) as client:
        assert client.noop()[0] == 250


def test_a_command_without_the_settings_says_where_it_looked_and_makes_nothing(service, tmp_path):
    nowhere = str(tmp_path / "not here")
    for words in (
        ["send", "a@demo.test", "b@example.com"],
        ["trace", "a@demo.test"],
        ["status"],
        ["doctor"],
        ["project", "list"],
    ):
        service.env["EKIDEN_DATA"], before = nowhere, service.env["EKIDEN_DATA"]
        answer = service.run(*words)
        service.env["EKIDEN_DATA"] = before
        assert nowhere in answer.stdout + answer.stderr, words
        assert answer.returncode != 0 and not os.path.exists(nowhere), words


def test_status_tells_programs_that_all_is_up(service):
    status = service.json("status")
    assert status["ready"] is True
    assert all(
        each.keys() == {"name", "state", "pid", "seconds"} and each["state"] == "running"
        for each in status["processes"]
    )
    assert {each["name"] for each in status["processes"]} == {
        "postgres", "valkey", "sandbox", "maintenance-1", "maintenance-2", "worker", "scheduler",
        "portal", "listener"
    }  # fmt: skip
    assert service.run("status").returncode == 0


def test_the_log_says_that_this_is_the_sandbox(service):
    assert "SANDBOX: all mail goes to the built-in sandbox" in service.said()


def test_the_doctor_finds_nothing_bad(service):
    found = service.json("doctor")
    assert [finding for finding in found if finding["level"] == "bad"] == []
    assert {"PostgreSQL", "Valkey", "workers", "disk", "clock", "DNS", "ports"} <= {
        finding["name"] for finding in found
    }


def test_a_refused_recipient_ends_the_command_with_status_1(service):
    sent = service.run("send", "hello@demo.test", "unknown-user@example.com")
    assert sent.returncode == 1
    assert "550 5.1.1 User unknown" in sent.stdout


def test_the_sandbox_plays_every_fate_of_a_mail(service):
    fates = {
        "you": "delivered", "slow": "delivered", "unknown-user": "bounced",
        "unknown-user-docomo": "bounced", "over-quota": "bounced",
        "disabled": "bounced", "blocked": "bounced", "mailbox-full": "deferred",
        "temporary": "deferred", "greylist": "deferred",
    }  # fmt: skip
    sent = service.json(
        "send", "hello@demo.test", *[f"{name}+fate@example.com" for name in fates], "--wait", "20"
    )
    assert {
        each["recipient"].partition("+")[0]: each["state"] for each in sent["deliveries"]
    } == fates


def test_a_mail_that_comes_back_later_is_bounced_after_all(service):
    sent = service.json("send", "hello@demo.test", "late-bounce@example.com")
    assert sent["deliveries"][0]["state"] == "delivered"

    def has_bounced():
        [delivery] = service.json("trace", sent["message"]["id"])["deliveries"]
        return delivery["state"] == "bounced" and delivery["attempts"][-1]["stage"] == "report"

    wait_until(has_bounced, "the report has come back and moved the delivery", 40)


def test_a_lost_reply_is_in_doubt_and_shown_as_such(service):
    sent = service.json("send", "hello@demo.test", "drop@example.com", "--wait", "1")
    wait_until(
        lambda: (
            service.json("trace", sent["message"]["id"])["deliveries"][0]["state"] == "deferred"
        ),
        "it is put off",
    )
    [delivery] = service.json("trace", sent["message"]["id"])["deliveries"]
    assert "may have arrived" in delivery["waiting"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("send", "a@nobody.test", "you@example.com"), "as a verified domain"),
        (("send", "--login", "x:y", "a@demo.test", "you@example.com"), "535 5.7.8"),
        (("send", "--login", "x", "a@demo.test", "you@example.com"), "USER:SECRET"),
        (("trace", "nobody@example.com"), "No message"),
        (("up",), "is up already"),
        (("operator", "add", "operator"), "already"),
    ],
)
def test_a_mistake_is_one_line_and_exit_status_2(service, words, complaint):
    answer = service.run(*words)
    assert (answer.returncode, answer.stderr.count("\n")) == (2, 1)
    assert complaint in answer.stderr


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
        assert re.search(r"^  Password +\S+", early.said(), re.MULTILINE) and printed_command(
            early.said()
        )
    finally:
        for place in (folder, runtime_folder(early.data)):
            shutil.rmtree(place)


def test_a_file_gets_no_secret_but_the_way_to_new_ones():
    with up() as quiet:
        assert "Password" not in quiet.said() and "SMTP secret" not in quiet.said()
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
    before = {name: service.pid(name) for name in names}
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    wait_until(
        lambda: not any(service.pid(name) in (None, pid) for name, pid in before.items()),
        "all are started again",
        60,
    )
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
    service.process.wait(10)
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
    """What a clone holds, in this folder."""
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
