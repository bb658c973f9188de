"""What we say on the wire, to real receivers and to one that notes every byte: smuggling, dots,
extensions, old addresses.
"""

import smtplib
import uuid

import pytest

from tests.journeys.rig import SENDER

pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]

INNER = (
    b"MAIL FROM:<evil@shop.test>\r\nRCPT TO:<box-smuggled@postfix.test>\r\nDATA\r\n"
    b"From: evil@shop.test\r\n\r\nsmuggled\r\n"
)
# What some server takes for the end of a message (CVE-2023-51764, -51765, -51766; CVE-2024-27305).
FALSE_ENDS = (
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\n.\r", b"\r\r\n.\r\r\n",
    b"\0\r\n.\n",
    b"\n\n.\r\n", b"\r\n.\0\n",
)  # fmt: skip


def submit(rig, to, content, *, options=(), rcpt_options=()):
    """Submit the bytes exactly as given; smtplib would mend them."""
    with rig.client() as client:
        client.ehlo()
        assert client.docmd("MAIL", f"FROM:<shop@{SENDER}> {' '.join(options)}".rstrip())[0] == 250
        for recipient in to:
            code, text = client.docmd("RCPT", f"TO:{recipient}")
            assert code == 250, text
        assert client.docmd("DATA")[0] == 354
        client.send(content + b"\r\n.\r\n")
        return client.getreply()


def letter(token, body):
    return f"From: shop@{SENDER}\r\nMessage-ID: <{token}@shop.test>\r\n\r\n".encode() + body


@pytest.mark.parametrize("false_end", FALSE_ENDS)
def test_a_false_end_of_a_message_is_refused_and_nothing_goes_out(rig, recorder, false_end):
    token = uuid.uuid4().hex
    code, text = submit(rig, ["<box@recorder.test>"], letter(token, b"one" + false_end + INNER))
    assert code == 550, text
    assert (
        rig.query("SELECT 1 FROM deliveries_message WHERE message_id = %s", f"<{token}@shop.test>")
        == []
    )
    assert (
        rig.query("SELECT 1 FROM deliveries_delivery WHERE recipient = 'box-smuggled@postfix.test'")
        == []
    )
    assert token.encode() not in recorder.raw


DOTTED = b"one\r\n.\r\n..\r\n" + INNER + b"\r\n.two\r\n"


def dotted_content(token):
    """Write content as a client sends it: dots doubled, so that the false end in it is text."""
    return letter(token, DOTTED).replace(b"\r\n.", b"\r\n..")


def test_what_goes_out_has_no_bare_newline_and_its_dots_doubled(rig, recorder):
    token = uuid.uuid4().hex
    assert submit(rig, ["<box-dots@recorder.test>"], dotted_content(token))[0] == 250
    rig.wait_for_state("box-dots@recorder.test", "delivered")
    [message] = [message for message in recorder.messages if token.encode() in message.content]
    assert message.content.endswith(DOTTED + b"\r\n")
    assert b"\r\n..\r\n...\r\n" in recorder.raw
    assert recorder.violations == []
    assert message.is_tls


@pytest.mark.parametrize("name", ["postfix", "exim"])
def test_a_real_receiver_counts_one_message(name, rig, request):
    server, token = request.getfixturevalue(name), uuid.uuid4().hex
    assert submit(rig, [f"<box-one@{server.domain}>"], dotted_content(token))[0] == 250
    rig.wait_for_state(f"box-one@{server.domain}", "delivered")
    [arrived] = server.wait_for(token.encode())
    assert arrived.endswith(DOTTED + b"\r\n")
    assert server.boxed(b"smuggled") == [arrived]


def test_a_receiver_that_offers_chunking_gets_the_mail_by_bdat(rig, exim):
    """Not the first: a host that has taken nothing yet is asked for what all hosts know."""

    def is_by_chunk(token):
        assert submit(rig, ["<box-bdat@exim.test>"], letter(token, b"hello"))[0] == 250
        exim.wait_for(token.encode())
        line = next(line for line in exim.words().splitlines() if f"id={token}" in line)
        return " K " in line  # Exim's mark for CHUNKING

    # A slow machine may close the connection between two.
    assert any(is_by_chunk(uuid.uuid4().hex) for _ in range(6))


def test_a_self_signed_certificate_does_not_stop_mail_and_is_told(rig, postfix):
    token = uuid.uuid4().hex
    assert submit(rig, ["<box-tls@postfix.test>"], letter(token, b"hello"))[0] == 250
    shown = rig.wait_for_state("box-tls@postfix.test", "delivered")
    assert shown["deliveries"][0]["attempts"][0]["tls"].startswith("TLSv1.3")


@pytest.mark.parametrize("name", ["postfix", "exim"])
def test_an_internationalized_address_is_delivered_with_smtputf8(name, rig, request):
    server, token = request.getfixturevalue(name), uuid.uuid4().hex
    with rig.client() as client:
        client.ehlo()
        client.mail(f"shop@{SENDER}", ["SMTPUTF8", "BODY=8BITMIME"])
        client.command_encoding = "utf-8"
        assert client.rcpt(f"box-駅伝@{server.domain}")[0] == 250
        assert client.data(letter(token, "Subject? 駅伝\r\n".encode()))[0] == 250
    assert "駅伝".encode() in server.wait_for(token.encode())[0]


@pytest.mark.parametrize("bare", ["a..b", ".a", "a."])
def test_an_address_of_an_old_phone_is_quoted_on_the_wire(bare, rig, recorder):
    token = uuid.uuid4().hex
    assert submit(rig, [f"<{bare}@recorder.test>"], letter(token, b"hello"))[0] == 250
    rig.wait_for_state(f'"{bare}"@recorder.test', "delivered")
    assert f'RCPT TO:<"{bare}"@recorder.test>' in recorder.commands


def test_a_client_without_auth_is_told_so_and_nothing_is_taken(rig):
    with smtplib.SMTP("127.0.0.1", rig.submission, timeout=10) as client:
        client.ehlo()
        code, text = client.mail(f"shop@{SENDER}")
    assert (code, text[:5]) == (530, b"5.7.0")
