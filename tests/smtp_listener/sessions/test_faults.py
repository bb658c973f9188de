"""PostgreSQL gone, disk full, clients that vanish: a 250 is a commit, and nothing else is lost or
left (findings 1, 2, 8).
"""

import asyncio
import os
import socket
import time

import pytest

from deliveries.backends.database import Database, DatabaseUnavailable
from deliveries.message import compression
from deliveries.models import Content, Delivery, Message
from domains.senders.credentials import issue
from smtp_listener.protocol.patience import Patience
from suppressions.index import TRUSTED
from tests.smtp_listener.sessions.test_session import MAIL


class Stopped(Database):
    """A PostgreSQL that is out of reach."""

    async def run(self, work):
        raise DatabaseUnavailable("connection refused")


class Slow(Database):
    """Commits, and only then takes its time; `begun` is set while it does."""

    def __init__(self, name):
        super().__init__(name)
        self.begun = asyncio.Event()

    async def run(self, work):
        result = await super().run(work)
        self.begun.set()
        await asyncio.sleep(0.3)
        return result


def replace(listener, owner, database):
    """Give it another database; its own connection is closed."""
    listener.run(owner._database.close())
    owner._database = database


def replace_intake(listener, database):
    """Let all mail be committed by way of this database."""
    intake = listener.listener.intake
    for owner in (intake._calm, intake._urgent, intake._unsure):
        replace(listener, owner, database)
    intake._databases = (database,)


def hand_in(app, mail=MAIL):
    app.begin()
    assert app.say(b"DATA").startswith("354")
    return app.say(mail + b".")


def test_finding_1_without_postgresql_the_answer_is_451_at_every_step(listener, login):
    shared = listener.listener
    with listener.raw_app(login) as app, listener.raw("mx") as stranger:
        replace_intake(listener, Stopped("test"))
        assert hand_in(app).startswith("451 4.3.0")
        replace(listener, shared.suppressions, Stopped("test"))
        replace(listener, shared.index, Stopped("test"))
        listener.run(
            asyncio.sleep(TRUSTED)
        )  # until then it is known that the address is not suppressed
        app.say(b"MAIL FROM:<shop@shop.test>")
        assert app.say(b"RCPT TO:<you@mx.test>").startswith("451 4.3.0")
        replace(listener, shared.accounts, Stopped("test"))
        shared.accounts._kept.clear()
        app.say(b"RSET")
        assert app.say(b"MAIL FROM:<shop@shop.test>").startswith("451 4.3.0")
        replace(listener, shared.inbound_quotas, Stopped("test"))
        shared.inbound = Stopped("test")
        stranger.say(b"EHLO x.test")
        stranger.begin("postmaster", mail_from="")
        stranger.say(b"DATA")
        assert stranger.say(b"Subject: hi\r\n\r\nhi\r\n.").startswith("451 4.3.0")
    assert Message.objects.count() == 0


def test_finding_1_without_postgresql_auth_is_454_and_a_greeting_all_the_same(listener, login):
    replace(listener, listener.listener.accounts, Stopped("test"))
    client = listener.connect()
    assert client.docmd("AUTH", "PLAIN AGEAYg==")[0] == 454
    client.close()


def test_finding_1_a_fault_of_ours_is_451_and_names_no_class(listener, login, caplog):
    listener.listener.suppressions = None  # whatever it is that goes wrong
    with listener.raw_app(login) as app:
        app.say(b"MAIL FROM:<shop@shop.test>")
        assert (
            app.say(b"RCPT TO:<you@mx.test>")
            == "451 4.3.0 Something is wrong here, try again later\r\n"
        )
        assert app.say(b"NOOP").startswith("250")
    assert "AttributeError" in caplog.text


@pytest.mark.parametrize("tail", [b"", b"QUIT\r\n"])
def test_finding_2_a_client_that_vanishes_during_the_commit_has_its_message_stored(
    listener, login, tail
):
    slow = Slow("test")
    replace_intake(listener, slow)
    with listener.raw_app(login) as app:
        app.begin()
        app.say(b"DATA")
        app.send(MAIL + b".\r\n" + tail)
        listener.run(slow.begun.wait())
    listener.wait_until_empty()
    assert Delivery.objects.count() == 1


def test_finding_2_a_client_that_closes_its_side_gets_its_answers(listener, domain):
    issue(domain.project, "lan", kind="network", networks=["127.0.0.1/32"])
    with listener.raw() as app:
        app.say(b"EHLO app.test")
        app.begin()
        app.say(b"DATA")
        app.send(MAIL + b".\r\nQUIT\r\n")
        app.socket.shutdown(socket.SHUT_WR)
        assert [app.reply()[:3], app.reply()[:3], app.is_closed()] == ["250", "221", True]
    assert Message.objects.count() == 1


def test_a_client_that_vanishes_within_a_message_leaves_nothing(listener, login):
    with listener.raw_app(login) as app:
        app.begin()
        app.say(b"DATA")
        app.send(MAIL + b"x" * 300_000)
    listener.wait_until_empty()
    assert Message.objects.count() == 0


def test_the_same_again_after_a_lost_250_is_answered_with_the_first_id(listener, login):
    answers = []
    for _ in range(2):
        with listener.raw_app(login) as app:
            answers.append(hand_in(app))
    assert answers[0] == answers[1]
    assert (Message.objects.count(), Delivery.objects.count()) == (1, 1)


def test_an_idempotency_key_makes_it_the_same_whatever_else_changed(listener, login):
    answers = []
    for number in range(2):
        with listener.raw_app(login) as app:
            answers.append(
                hand_in(
                    app,
                    b"X-Idempotency-Key: order-7\r\n"
                    + MAIL.replace(b"hello", b"hello %d" % number),
                )
            )
    assert answers[0] == answers[1]
    assert Message.objects.count() == 1


@pytest.mark.parametrize("keys", [(b"x" * 300 + b"1", b"x" * 300 + b"2"), (b"\xff", b"\xfe")])
def test_two_idempotency_keys_are_two_messages_however_long_or_odd(listener, login, keys):
    with listener.raw_app(login) as app:
        assert all(
            hand_in(app, b"X-Idempotency-Key: " + key + b"\r\n" + MAIL).startswith("250")
            for key in keys
        )
    assert Message.objects.count() == 2


def test_a_full_disk_is_452_and_the_rest_of_the_message_is_no_command(listener, login, tmp_path):
    (tmp_path / "file").touch()
    listener.listener.spool_folder = tmp_path / "file" / "spool"  # cannot be made
    with listener.raw_app(login) as app:
        assert hand_in(
            app, MAIL + (b"MAIL FROM:<boss@shop.test>" + b"x" * 900 + b"\r\n") * 500
        ).startswith("452 4.3.1")
        assert app.say(b"NOOP").startswith("250")
        assert hand_in(app).startswith("250")
    assert Message.objects.count() == 1


def test_a_large_message_arrives_whole_by_way_of_the_disk(listener, login, tmp_path):
    listener.listener.spool_folder = tmp_path / "spool"
    body = b"".join(b"%0100d\r\n" % number for number in range(10_000))
    with listener.raw_app(login) as app:
        assert hand_in(app, MAIL + body).startswith("250")
    assert (tmp_path / "spool").exists()
    assert compression.decompress(bytes(Content.objects.get().data), most=2_000_000).endswith(
        MAIL + body
    )


def tasks(listener):
    async def count():
        return len(asyncio.all_tasks())

    return listener.run(count())


def test_after_500_sessions_no_task_and_no_socket_is_left(listener, login):
    with listener.connect(login=login):
        before, open_files = tasks(listener), len(os.listdir("/proc/self/fd"))
    for number in range(500):
        with listener.raw("mx") as client:
            client.send(b"EHLO x\r\nMAIL FR" if number % 2 else b"EHLO x\r\nQUIT\r\n")
    listener.wait_until_empty()
    time.sleep(0.1)
    assert tasks(listener) <= before
    assert len(os.listdir("/proc/self/fd")) <= open_files


def test_idle_sessions_are_told_so(listener):
    listener.listener.patience = Patience(idle=0.1)
    with listener.raw("mx") as client:
        assert client.reply() == "421 4.4.2 Idle for too long\r\n"
        assert client.is_closed()


def test_a5_who_speaks_before_the_greeting_is_cut_off(listener):
    replace(
        listener, listener.listener.accounts, Slow("test")
    )  # the look-up that comes before the greeting takes its time
    with socket.create_connection(("127.0.0.1", listener.port("submission")), timeout=5) as client:
        client.sendall(b"EHLO x.test\r\n")
        assert client.recv(100).startswith(b"554 5.5.0")
