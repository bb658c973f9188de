"""How an app says how urgent a message is (RFC 6710), and what its credential makes of it."""

import logging

import pytest

from deliveries.message import compression
from deliveries.message.priorities import BY_NAME
from deliveries.models import Content, Delivery
from domains.models import Credential
from tests.smtp_listener.sessions.test_session import MAIL

BULK, NORMAL, URGENT = Credential.PriorityLevel.values


def hand_in(client, *parameters, header=b"", to=("you@mx.test",)):
    """Return the reply to the whole message."""
    client.mail("shop@shop.test", parameters)
    for recipient in to:
        client.rcpt(recipient)
    code, text = client.data(header + MAIL)
    return f"{code} {text.decode()}"


def levels():
    return [*Delivery.objects.order_by("message_id").values_list("priority", flat=True)]


def test_the_levels_are_those_of_credentials():
    assert {name: int(level) for name, level in BY_NAME.items()} == {
        level.name.lower(): level.value for level in Credential.PriorityLevel
    }


def test_an_app_learns_which_numbers_are_ours(client):
    assert client.esmtp_features["mt-priority"] == "MIXER"


@pytest.mark.parametrize(
    ("number", "level"),
    [(-9, BULK), (-4, BULK), (-1, BULK), (0, NORMAL), (3, NORMAL), (4, URGENT), (9, URGENT)]
)  # fmt: skip
def test_all_numbers_are_taken_and_mean_one_of_three_levels(client, number, level):
    assert "250 2.0.0" in hand_in(client, f"MT-PRIORITY={number}", to=("you@mx.test", "me@mx.test"))
    assert levels() == [level, level]


@pytest.mark.parametrize("value", ["", "=", "=10", "=-0", "=high"])
def test_a_malformed_number_is_a_syntax_error(client, value):
    code, text = client.mail("shop@shop.test", [f"MT-PRIORITY{value}"])
    assert (code, text.split()[0]) in [(501, b"5.5.4"), (555, b"5.5.4")]


def test_the_port_for_bounces_knows_no_priorities(listener):
    client = listener.connect("mx", tls=False)
    assert client.mail("", ["MT-PRIORITY=4"])[0] == 555
    client.close()


@pytest.mark.parametrize(
    "header", [b"X-Ekiden-Priority: urgent\r\n", b"x-ekiden-priority:URGENT \r\n"]
)
def test_a_header_says_it_as_well_and_goes_no_further(client, header):
    hand_in(client, header=header)
    assert levels() == [URGENT]
    stored = compression.decompress(bytes(Content.objects.get().data), most=10_000)
    assert b"X-EKIDEN" not in stored.upper()


@pytest.mark.parametrize(
    "header",
    [b"urgnt", b"urgent (code)", b"2", b"", b"\xe3\x81\x82", b"urgent\r\nX-Ekiden-Priority: bulk"],
)
def test_a_word_that_means_nothing_is_refused_so_that_somebody_learns_of_it(client, header):
    assert hand_in(client, header=b"X-Ekiden-Priority: " + header + b"\r\n").startswith(
        "550 5.6.0 X-Ekiden-Priority"
    )
    assert levels() == []


def test_the_envelope_goes_before_the_header_and_the_header_before_the_credential(listener, login):
    Credential.objects.update(priority=BULK)
    with listener.connect(login=login) as client:
        hand_in(
            client, "MT-PRIORITY=0", header=b"X-Idempotency-Key: 1\r\nX-Ekiden-Priority: urgent\r\n"
        )
        hand_in(client, header=b"X-Idempotency-Key: 2\r\nX-Ekiden-Priority: urgent\r\n")
        hand_in(client, header=b"X-Idempotency-Key: 3\r\n")
    assert levels() == [NORMAL, URGENT, BULK]


@pytest.mark.parametrize(("highest", "number"), [(NORMAL, 0), (BULK, -4)])
def test_more_than_the_credential_may_ask_for_is_lowered_and_said(listener, login, highest, number):
    Credential.objects.update(priority=BULK, highest_priority=highest)
    with listener.connect(login=login) as client:
        assert hand_in(client, "MT-PRIORITY=9").startswith(
            f"250 2.3.6 {number} is the priority it gets; OK queued as "
        )
    assert levels() == [highest]


def test_less_is_not_lowered(listener, login):
    Credential.objects.update(highest_priority=NORMAL)
    with listener.connect(login=login) as client:
        assert hand_in(client, "MT-PRIORITY=-9").startswith("250 2.0.0 OK queued as ")


def test_the_mail_log_says_the_priority(client, caplog):
    with caplog.at_level(logging.INFO, "ekiden.mail"):
        hand_in(client, "MT-PRIORITY=4")
    assert "priority=urgent" in caplog.text
