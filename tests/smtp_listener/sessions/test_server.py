"""Processes that share the ports, and how they end (the issue: draining on SIGTERM)."""

import asyncio
import os
import select
import signal
import smtplib
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from django.db import connection

from deliveries.backends.database import Database
from deliveries.models import Delivery, Message
from domains.senders.credentials import issue
from smtp_listener.sessions import server
from smtp_listener.sessions.server import bound
from tests.ports import free_port
from tests.smtp_listener.conftest import Raw, Running, insecure
from tests.smtp_listener.sessions.test_faults import Slow, replace_intake
from tests.smtp_listener.sessions.test_session import MAIL, stored


@contextmanager
def process(limits, tmp_path, **environment):
    """Yield a `manage.py smtp_listener` that listens."""
    url = os.environ["DATABASE_URL"].replace("@/ekiden?", f"@/{connection.settings_dict['NAME']}?")
    ports = {
        name: str(getattr(limits, name))
        for name in ("EKIDEN_SUBMISSION_PORT", "EKIDEN_SUBMISSIONS_PORT", "EKIDEN_MX_PORT")
    }
    names = {
        "EKIDEN_HOSTNAME": "relay.test",
        "EKIDEN_DRAIN_SECONDS": "2",
        "DATABASE_URL": url,
        "EKIDEN_DATA": str(tmp_path),
    }
    running = subprocess.Popen(
        [sys.executable, "manage.py", "smtp_listener"],
        env=os.environ | ports | names | environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield running
    finally:
        running.kill()
        running.wait()
        running.stderr.close()


def wait_for(port):
    until = time.monotonic() + 15
    while time.monotonic() < until:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
    return pytest.fail("the listener does not listen")


def connect(port):
    return Raw(socket.create_connection(("127.0.0.1", port), timeout=10))


def test_on_sigterm_what_is_under_way_is_finished_and_the_idle_are_told(
    mail_db, limits, tmp_path, domain
):
    issue(domain.project, "lan", kind="network", networks=["127.0.0.1/32"])
    port = limits.EKIDEN_SUBMISSION_PORT
    with process(limits, tmp_path) as running:
        wait_for(port)
        idle, busy, stuck = connect(port), connect(port), connect(port)
        for client in (busy, stuck):
            client.say(b"EHLO app.test")
            client.begin()
            client.say(b"DATA")
        running.send_signal(signal.SIGTERM)
        assert idle.reply() == "421 4.3.2 Shutting down, try again\r\n"
        with pytest.raises(ConnectionRefusedError):
            connect(port)
        assert busy.say(MAIL + b".").startswith("250 2.0.0 OK queued")
        assert busy.reply().startswith("421 4.3.2")
        assert not select.select([stuck.socket], [], [], 0)[0]  # whose patience is not over yet
        assert stuck.reply().startswith("421 4.3.2")
        assert running.wait(300) == 0
        for client in (idle, busy, stuck):
            client.close()
    assert Delivery.objects.count() == 1


def test_after_kill_9_everything_that_heard_250_is_stored(mail_db, limits, tmp_path, domain):
    issue(domain.project, "lan", kind="network", networks=["127.0.0.1/32"])
    with process(limits, tmp_path) as running:
        wait_for(limits.EKIDEN_SUBMISSION_PORT)
        app = connect(limits.EKIDEN_SUBMISSION_PORT)
        app.say(b"EHLO app.test")
        for number in range(20):
            app.begin()
            app.say(b"DATA")
            assert app.say(MAIL.replace(b"<1@", b"<%d@" % number) + b".").startswith("250")
        running.kill()
        app.close()
    assert Message.objects.count() == 20


def peak_memory(running):
    """Return the peak in megabytes."""
    with open(f"/proc/{running.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


def test_twenty_messages_of_20_mb_under_way_take_little_memory(mail_db, limits, tmp_path, domain):
    issue(domain.project, "lan", kind="network", networks=["127.0.0.1/32"])
    block = (b"x" * 126 + b"\r\n") * 8192  # a megabyte
    with process(limits, tmp_path) as running:
        wait_for(limits.EKIDEN_SUBMISSION_PORT)
        apps = [connect(limits.EKIDEN_SUBMISSION_PORT) for _ in range(20)]
        before = peak_memory(running)
        for app in apps:
            app.say(b"EHLO app.test")
            app.begin()
            app.say(b"DATA")
            app.send(MAIL)
        for _ in range(20):
            for app in apps:
                app.send(block)
        # So all has been read but for the others' last blocks.
        assert apps[0].say(b".").startswith("250")
        assert peak_memory(running) - before < 60  # of 400
        for app in apps:
            app.close()
    assert Message.objects.get().size > 20_000_000


def test_broken_tls_settings_end_the_command_with_one_line(mail_db, limits, tmp_path):
    with process(
        limits, tmp_path, EKIDEN_TLS_CERT="/nowhere/cert.pem", EKIDEN_TLS_KEY="/nowhere/key.pem"
    ) as running:
        assert running.wait(300) == 2
        lines = running.stderr.read().splitlines()
    assert [line for line in lines if line.strip()][-1].endswith(
        "There is no file /nowhere/cert.pem"
    )
    assert not any("Traceback" in line for line in lines)


def test_two_listeners_share_a_port_and_a_stranger_cannot(mail_db, limits):
    with Running(limits), Running(limits):
        with socket.socket() as stranger, pytest.raises(OSError):
            stranger.bind(("127.0.0.1", limits.EKIDEN_SUBMISSION_PORT))


@pytest.mark.parametrize(
    ("bind", "client", "shown"), [("::1", "::1", "IPv6:::1"), ("::", "127.0.0.1", "127.0.0.1")]
)
def test_clients_of_both_families_are_served(mail_db, limits, login, bind, client, shown):
    limits.EKIDEN_BIND = bind
    with Running(limits), smtplib.SMTP(client, limits.EKIDEN_SUBMISSION_PORT, timeout=5) as app:
        app.starttls(context=insecure())
        app.login(*login)
        app.sendmail("shop@shop.test", ["you@mx.test"], MAIL)
    assert Message.objects.get().client_address == client
    assert f"([{shown}])".encode() in stored()


def test_a_port_that_cannot_be_bound_leaves_no_socket_open():
    with pytest.raises(OSError):
        bound("192.0.2.1", free_port())


class Stuck(Database):
    """A PostgreSQL that answers nothing; `begun` is set once it has been asked."""

    def __init__(self, name):
        super().__init__(name)
        self.begun = asyncio.Event()

    async def run(self, work):
        self.begun.set()
        await asyncio.Event().wait()


def test_a_commit_that_never_ends_holds_up_no_shutdown_and_is_answered(
    listener, login, monkeypatch
):
    monkeypatch.setattr(server, "LAST_WORDS", 0.2)
    stuck = Stuck("test")
    replace_intake(listener, stuck)
    with listener.raw_app(login) as app:
        app.begin()
        app.say(b"DATA")
        app.send(MAIL + b".\r\n")
        listener.run(stuck.begun.wait())
        listener.stop(0)
        assert (app.reply()[:9], app.is_closed()) == ("421 4.3.0", True)
    listener.wait_until_empty()


def test_a_commit_under_way_is_answered_although_patience_is_over(listener, login):
    slow = Slow("test")
    replace_intake(listener, slow)
    with listener.raw_app(login) as app:
        app.begin()
        app.say(b"DATA")
        app.send(MAIL + b".\r\n")
        listener.run(slow.begun.wait())
        listener.stop(0)
        assert [app.reply()[:3], app.reply()[:3]] == ["250", "421"]
    assert Message.objects.count() == 1
