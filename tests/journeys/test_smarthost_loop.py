"""A smarthost that leads our mail back to us: the circle ends, and the sender is told."""

import uuid
from email.utils import formatdate

import pytest

from tests.journeys.rig import SENDER

STAGES = """
SELECT stage FROM deliveries_attempt attempt JOIN deliveries_delivery delivery
    ON delivery.id = attempt.delivery_id
WHERE recipient = %s ORDER BY attempt.id
"""
pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]


def test_mail_that_a_smarthost_brings_back_ends_as_bounced(rig, postfix):
    rig.manage(
        "smarthost",
        "add",
        "circle",
        "--host",
        f"{postfix.address}:{postfix.port}/none",
        "--mechanism",
        "none",
    )
    rig.manage("route", "add", "circle.test", "--smarthost", "circle")
    text = (
        f"From: shop@{SENDER}\r\nTo: box@circle.test\r\nDate: {formatdate()}\r\n"
        f"Subject: round\r\nMessage-ID: <{uuid.uuid4().hex}@shop.test>\r\n\r\nhello\r\n"
    )
    with rig.client() as app:
        app.sendmail(f"shop@{SENDER}", ["box@circle.test"], text)
    rig.wait_for_state("box@circle.test", "bounced", 60)
    assert rig.query(STAGES, "box@circle.test") == [("body",), ("report",)]
