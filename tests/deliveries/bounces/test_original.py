from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliveries.bounces import feedback_id, original, return_path
from deliveries.bounces.feedback_id import Token
from deliveries.bounces.original import MOST, Original
from domains.foundation.secrets import tokens
from domains.foundation.secrets.tokens import ForgedToken

KEY, DELIVERY, NOW = b"k" * 32, UUID(int=7), datetime(2026, 11, 1, tzinfo=UTC)
FIELDS = b"Return-Path: <b-x@relay.test>\r\nMessage-ID: <1@shop.test>\r\n" + feedback_id.field(
    DELIVERY, key=KEY, now=NOW
)
TOKEN = FIELDS.rpartition(b": ")[2].strip().decode()
EXPECTED = Original(("b-x@relay.test",), (TOKEN,), ("<1@shop.test>",))


def in_parts(kind):
    return (
        b"Content-Type: multipart/report; boundary=x\r\n\r\n--x\r\n\r\nsorry\r\n--x\r\n"
        b"Content-Type: %b\r\n\r\n%b\r\n--x--\r\n"
    ) % (
        kind,
        FIELDS,
    )


@pytest.mark.parametrize("kind", [b"message/rfc822", b"text/rfc822-headers", b"message/global"])
def test_the_returned_header_is_found_in_its_part(kind):
    assert original.read(in_parts(kind)) == EXPECTED


def test_it_is_found_below_the_notice_of_a_report_in_free_form():
    notice = (
        b"Hi. This is the qmail-send program.\r\n\r\n--- Below this line is a copy of the "
        b"message.\r\n\r\n"
    )
    data = b"From: MAILER-DAEMON@mx.test\r\n\r\n" + notice + FIELDS
    assert original.read(data) == EXPECTED


def test_our_field_is_read_back():
    assert feedback_id.parse(TOKEN.upper(), key=KEY, now=NOW) == Token(DELIVERY, is_current=True)


def test_our_field_ends_when_the_return_path_ends():
    last = NOW + return_path.LIFETIME
    assert feedback_id.parse(TOKEN, key=KEY, now=last).is_current
    assert feedback_id.parse(TOKEN, key=KEY, now=last + timedelta(days=1)) == Token(
        DELIVERY, is_current=False
    )


def test_a_field_that_all_recipients_shared_names_the_message_and_proves_nothing():
    shared = tokens.make(DELIVERY.bytes, key=KEY, use=b"feedback-id")
    assert feedback_id.parse(shared, key=KEY, now=NOW) == Token(message=DELIVERY, is_current=False)


def test_a_return_path_is_no_token():
    path = return_path.make(DELIVERY, key=KEY, now=NOW)
    with pytest.raises(ForgedToken):
        feedback_id.parse(path[2:], key=KEY, now=NOW)


SHARED = b"X-Feedback-Token: " + b"a" * 39 + b"\r\n"


def test_the_field_of_older_versions_is_taken_out_of_the_header_alone():
    content = b"Received: by relay.test\r\n%bSubject: x\r\n\r\n%bbody\r\n"
    assert feedback_id.without(content % (SHARED, SHARED)) == content % (b"", SHARED)


def test_content_without_one_is_not_copied():
    content = b"Subject: x\r\n\r\n\r\n" + SHARED + b"body\r\n"
    assert feedback_id.without(content) is content


@pytest.mark.parametrize(
    "value", ["", "x", TOKEN[:-1], "b" + TOKEN[1:], TOKEN + "a", "\u00e9" * 39]
)
def test_a_forged_field_is_refused(value):
    with pytest.raises(ForgedToken):
        feedback_id.parse(value, key=KEY, now=NOW)


def test_a_field_of_another_installation_is_refused():
    with pytest.raises(ForgedToken):
        feedback_id.parse(TOKEN, key=b"other" * 6, now=NOW)


def test_many_of_each_are_cut():
    fields = b"".join(b"Return-Path: <b-%d@relay.test>\r\n" % number for number in range(100))
    assert (
        len(original.read(in_parts(b"message/rfc822").replace(FIELDS, fields)).return_paths) == MOST
    )


@given(st.binary(max_size=2000))
def test_it_takes_anything(data):
    original.read(data)
    original.read(in_parts(b"message/rfc822").replace(b"Message-ID", data))
