"""Who gets a place at a port, for how long, and who gives way."""

import socket
import time
from contextlib import ExitStack, closing

import pytest

from deliveries.models import Delivery
from smtp_listener.admission import session_slots
from smtp_listener.admission.accounts import KEEP
from smtp_listener.protocol.content import Clock
from smtp_listener.protocol.patience import Patience
from suppressions.models import Policy, Suppression
from tests.smtp_listener.conftest import Raw, insecure
from tests.smtp_listener.sessions.test_abuse import ends_with
from tests.smtp_listener.sessions.test_faults import Stopped, replace
from tests.smtp_listener.sessions.test_session import MAIL


def test_a_client_that_never_reads_does_not_hold_its_session(listener):
    listener.listener.patience = Patience(idle=0.3, last_words=0.3)
    with listener.raw("mx") as client:
        channel = next(iter(listener.listener.sessions)).channel
        listener.loop.call_soon_threadsafe(
            channel.pause_writing
        )  # as the transport does when its buffer is full
        client.send(b"NOOP\r\n")
        listener.wait_until_empty()
        client.reply()  # what was written before
        assert client.is_closed()


@pytest.mark.parametrize("port", ["submission", "mx"])
def test_finding_3_of_one_address_the_oldest_guest_gives_way(listener, limits, port):
    limits.EKIDEN_MAX_SESSIONS_PER_ADDRESS = 3
    with ExitStack() as stack:
        guests = [stack.enter_context(listener.raw(port)) for _ in range(5)]
        assert [guest.reply()[:9] for guest in guests[:2]] == ["421 4.7.0"] * 2
        assert all(guest.is_closed() for guest in guests[:2])
        assert all(guest.say(b"NOOP").startswith("250") for guest in guests[2:])


def test_finding_3_sessions_of_one_address_are_limited(listener, limits, login):
    limits.EKIDEN_MAX_SESSIONS_PER_ADDRESS = 2
    with listener.raw_app(login) as one, listener.raw_app(login) as two:
        with listener.raw() as third:
            assert third.greeting.startswith("421 4.7.0 Too many sessions from your address")
        assert (one.say(b"NOOP")[:3], two.say(b"NOOP")[:3]) == ("250", "250")
    listener.wait_until_empty()
    with listener.raw() as client:
        assert client.greeting.startswith("220")


def test_finding_3_a_full_port_sends_guests_away_and_no_app(listener, limits, login):
    limits.EKIDEN_MAX_SESSIONS, limits.EKIDEN_MAX_MX_SESSIONS = 2, 1
    with (
        listener.raw_app(login) as app,
        listener.raw() as guest,
        listener.raw("mx"),
        listener.raw_app(login) as other,
    ):
        assert guest.reply().startswith("421 4.7.0 You were idle")
        with listener.raw() as third:
            assert third.greeting.startswith("421 4.7.0 Too many sessions here")
        assert (app.say(b"NOOP")[:3], other.say(b"NOOP")[:3]) == ("250", "250")


def from_place(listener, source):
    return Raw(
        socket.create_connection(
            ("127.0.0.1", listener.port("mx")), timeout=5, source_address=(source, 0)
        )
    )


def test_the_place_with_most_guests_gives_way_first(listener, limits):
    limits.EKIDEN_MAX_MX_SESSIONS = 4
    sources = ["127.9.0.1", *["127.9.0.2"] * 3, *["127.9.0.3"] * 2]
    with ExitStack() as stack:
        lone, *crowd = [
            stack.enter_context(closing(from_place(listener, source))) for source in sources
        ]
        assert [guest.reply()[:3] for guest in crowd[:2]] == ["421"] * 2
        assert all(guest.say(b"NOOP").startswith("250") for guest in (lone, *crowd[2:]))


def test_a_guest_that_says_nothing_or_does_not_log_in_is_timed_out(listener, login):
    listener.listener.patience = Patience(first_command=1.0, log_in=3.0)
    with (
        listener.raw() as silent,
        listener.raw() as talker,
        listener.raw("mx") as host,
        listener.raw_app(login) as app,
    ):
        talker.send(b"EHLO app.test\r\n")
        host.say(b"EHLO host.test")
        assert silent.reply().startswith("421 4.4.2")
        assert ends_with(talker, 2).startswith("421 4.4.2")
        assert (app.say(b"NOOP")[:3], host.say(b"NOOP")[:3]) == ("250", "250")


def test_a_visit_at_the_mx_port_has_an_end(listener):
    listener.listener.patience = Patience(visit=0.3)
    with listener.raw("mx") as host:
        host.say(b"EHLO host.test")
        assert ends_with(host, 1).startswith("421 4.4.2")


def test_content_at_the_mx_port_has_to_come_at_some_rate():
    clock = Clock(began=100.0, most=1800.0, grace=120.0, rate=4096)
    assert clock.until == 220
    clock.size = 409_600
    assert clock.until == 320
    clock.size = 26_214_400
    assert clock.until == 1900
    assert Clock(began=100.0, most=1800.0).until == 1900


@pytest.mark.parametrize("chunks", [b"BDAT 1\r\nx" * 3, b"BDAT 100\r\nx"])
def test_chunks_share_the_time_of_their_message(listener, chunks):
    listener.listener.patience = Patience(message=-1)
    with listener.raw("mx") as host:
        host.say(b"EHLO host.test")
        host.begin("postmaster", mail_from="")
        host.send(chunks)
        assert ends_with(host, 1).startswith("421 4.4.2 The message took too long")


def test_few_descriptors_are_shared_and_said(caplog):
    asked = {"submission": 1000, "mx": 200}
    assert session_slots.share(asked, 4096) == asked
    assert session_slots.share(asked, 256) == {"submission": 80, "mx": 16}
    assert "event=few-descriptors limit=256 sessions=96 wanted=1200" in caplog.text


def test_our_own_faults_are_not_counted_as_errors_of_the_client(listener, login):
    with listener.raw_app(login) as app:
        replace(listener, listener.listener.accounts, Stopped("test"))
        time.sleep(KEEP + 0.1)
        assert [app.say(b"MAIL FROM:<shop@shop.test>")[:9] for _ in range(30)] == ["451 4.3.0"] * 30


def test_finding_3_connections_that_never_begin_tls_are_limited_and_timed_out(listener, limits):
    limits.EKIDEN_MAX_SESSIONS_PER_ADDRESS = 3
    listener.listener.patience = Patience(handshake=0.5)
    address = ("127.0.0.1", listener.port("submissions"))
    with ExitStack() as stack:
        clients = [
            stack.enter_context(socket.create_connection(address, timeout=5)) for _ in range(4)
        ]
        assert clients[3].recv(1) == b""
        assert all(client.recv(1) == b"" for client in clients)
    listener.wait_until_empty()


def test_tls_is_begun_whether_the_client_speaks_at_once_or_late(listener):
    for _ in range(10):
        listener.connect("submissions").quit()
    client = socket.create_connection(("127.0.0.1", listener.port("submissions")), timeout=5)
    time.sleep(0.1)
    with insecure().wrap_socket(client) as secure:
        assert secure.recv(3) == b"220"


def test_garbage_in_place_of_a_handshake_ends_the_session(listener):
    with socket.create_connection(("127.0.0.1", listener.port("submissions")), timeout=5) as client:
        client.sendall(b"EHLO x.test\r\n")
        assert b"220" not in client.recv(100)
    listener.wait_until_empty()


def test_a_project_may_have_suppressed_mail_accepted_and_dropped(listener, login, domain):
    Suppression.objects.create(project=domain.project, address_key="gone@mx.test", reason="bounce")
    Policy.objects.create(project=domain.project, on_suppressed="drop")
    listener.run(listener.listener.index.turn())
    with listener.connect(login=login) as client:
        assert client.sendmail("shop@shop.test", ["gone@mx.test"], MAIL) == {}
    assert Delivery.objects.get().recipient == "gone@mx.test"
