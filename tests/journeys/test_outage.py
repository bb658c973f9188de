"""PostgreSQL is stopped under a listener with open sessions, and comes back: no app hears a 5xx,
no mail is lost (finding 1).
"""

import smtplib
import time
from contextlib import contextmanager

import pytest

from smtp_listener.admission.accounts import KEEP
from suppressions.index import TRUSTED
from tests.fakes.dns import FakeDns
from tests.fakes.mx import FakeMx
from tests.journeys.rig import SENDER, Rig, wait_until

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def world():
    """Yield the service, and the receiver of all its mail."""
    zones: dict = {"mx.test": {"MX": [(10, "in.mx.test")]}, "in.mx.test": {"A": ["127.0.0.1"]}}
    with FakeMx() as mx, FakeDns(zones) as dns, Rig(dns.url, mx.port) as rig:
        yield rig, mx


@contextmanager
def stopped(rig):
    """Yield a time without PostgreSQL, longer than the listener remembers who its clients are and
    who is suppressed.
    """
    rig.postgres_process.stop()
    time.sleep(max(KEEP, TRUSTED) + 0.1)
    yield
    rig.postgres_process.start_until(rig.postgres.is_ready)


def mail(client):
    return client.docmd("MAIL", f"FROM:<shop@{SENDER}>")


def rcpt(client):
    return client.docmd("RCPT", "TO:<you@mx.test>")


def content(client, number):
    client.send(
        f"From: shop@{SENDER}\r\nMessage-ID: <{number}@{SENDER}>\r\n\r\nhello\r\n.\r\n".encode()
    )
    return client.getreply()


def hand_in(client, number):
    client.rset()
    wait_until(lambda: mail(client)[0] == 250, "mail is taken again", 10)
    return [rcpt(client)[0], client.docmd("DATA")[0], content(client, number)[0]]


def test_while_postgresql_is_stopped_every_step_is_451_and_then_all_is_well_again(world):
    rig, mx = world
    with rig.client() as at_mail, rig.client() as at_rcpt, rig.client() as at_dot:
        mail(at_rcpt)
        assert [mail(at_dot)[0], rcpt(at_dot)[0], at_dot.docmd("DATA")[0]] == [250, 250, 354]
        with stopped(rig):
            answers = [mail(at_mail), rcpt(at_rcpt), content(at_dot, 3)]
            with pytest.raises(smtplib.SMTPAuthenticationError, match="454"):
                rig.client()
        assert answers == [(451, b"4.3.0 Something is wrong here, try again later")] * 3
        for number, client in enumerate((at_mail, at_rcpt, at_dot), start=1):
            assert hand_in(client, number) == [250, 354, 250]
    wait_until(lambda: len(mx.messages) == 3, "all three arrive")
    wait_until(
        lambda: rig.manage_json("conservation")["delivered"] == 3,
        "all three are known to be delivered",
    )
    assert rig.manage_json("conservation")["missing"] == 0
