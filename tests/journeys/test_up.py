"""`./ekiden up` as a person runs it: one command, a fresh data folder, everything real."""

import os
import re
import shlex
import smtplib
import ssl
import subprocess
from pathlib import Path

import pytest

from relay_portal.servers.embedded import runtime_folder
from tests.journeys.rig import ROOT, wait_until


def printed_line(said):
    [line] = re.findall(r"^  (.*\./ekiden send .*)$", said, re.MULTILINE)
    return line


def printed_command(said):
    words = shlex.split(printed_line(said))
    return words[words.index("./ekiden") + 1 :]


def in_another_terminal(line, folder=ROOT):
    """Run the line as a person pastes it, in a shell that knows nothing of the settings."""
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
    [link], [secret] = (
        re.findall(rf"{name} +(\S+)", service.said()) for name in ("Invitation", "SMTP secret")
    )
    token = link.split("/")[-2]
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
            if token.encode() in path.read_bytes() or secret.encode() in path.read_bytes()
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


def test_a_misspelt_setting_is_told_at_the_start(service):
    meant = "EKIDEN_SUBMISION_PORT is no setting. Did you mean EKIDEN_SUBMISSION_PORT?"
    wait_until(lambda: meant in service.said(), "the setting is named")  # after "Ready."


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
        (("person", "invite", "owner"), "already"),
    ],
)
def test_a_mistake_is_one_line_and_exit_status_2(service, words, complaint):
    answer = service.run(*words)
    assert (answer.returncode, answer.stderr.count("\n")) == (2, 1)
    assert complaint in answer.stderr
