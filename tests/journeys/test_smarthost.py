"""Postfix and Exim hand their mail to us as their smarthost: with AUTH, over STARTTLS and over
implicit TLS.
"""

import smtplib
import uuid

import pytest

from tests.journeys.rig import SENDER, wait_until

pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]


def test_mail_from_postfix_goes_through_us(postfix, exim, rig):
    arrived = relayed(postfix, exim)
    assert b"by relay.test with ESMTPSA" in arrived
    assert rig.trace("box-relay@exim.test")["deliveries"][0]["state"] == "delivered"


def test_mail_from_exim_goes_through_us(postfix, exim, rig):
    arrived = relayed(exim, postfix)
    assert b"by relay.test with ESMTPSA" in arrived
    assert rig.trace("box-relay@postfix.test")["deliveries"][0]["state"] == "delivered"


def relayed(client, server):
    """Give `client` a message for a domain that is not its own; return what `server` has got."""
    token = uuid.uuid4().hex
    text = (
        f"From: shop@{SENDER}\r\nTo: box-relay@{server.domain}\r\n"
        f"Message-ID: <{token}@shop.test>\r\n\r\n.dot\r\nGr\u00fc\u00dfe\r\n"
    )
    with smtplib.SMTP(client.address, client.port, timeout=20) as session:
        session.sendmail(
            f"shop@{SENDER}", [f"box-relay@{server.domain}"], text.encode(), ["BODY=8BITMIME"]
        )
    wait_until(lambda: server.boxed(token.encode()), "it has come through")
    [arrived] = server.boxed(token.encode())
    assert arrived.endswith("\r\n\r\n.dot\r\nGr\u00fc\u00dfe\r\n".encode())
    return arrived
