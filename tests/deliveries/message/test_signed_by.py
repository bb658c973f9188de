"""Who signed a stored message is read from its beginning."""

import os

import pytest

from deliveries.message import compression
from deliveries.message.signed_by import signed_by

FIELD = (
    b"DKIM-Signature: v=1; a=rsa-sha256; d=Shop.test; s=e1;\r\n\th=from:to; "
    b"bh=eA==;\r\n\tb=eA==\r\n"
)


def test_each_signature_tells_domain_selector_and_algorithm():
    head = FIELD + FIELD.replace(b"Shop.test", b"relay.test") + b"From: a@shop.test\r\n\r\nd=x\r\n"
    assert [(each.domain, each.selector, each.algorithm) for each in signed_by(head)] == [
        ("shop.test", "e1", "rsa-sha256"), ("relay.test", "e1", "rsa-sha256"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "head", [b"", b"From: a@b.test\r\n\r\n", b"\0\xff" * 99, b"DKIM-Signature"]
)
def test_what_is_not_signed_has_none(head):
    assert signed_by(head) == []


def test_the_beginning_of_a_frame_is_read_without_its_end():
    data = FIELD + b"\r\n" + os.urandom(200_000)
    kept = compression.compress(data, (), size=len(data))
    assert compression.beginning(kept[:65_536], most=100_000).startswith(FIELD)
    assert compression.beginning(b"no frame", most=100) == b""
