from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliveries.message.headers import BadHeaders, parse, split


def test_fields_keep_their_bytes_and_order():
    section = b"From: a@b.test\r\nSubject: one\r\n\ttwo\r\nX-A: \xe3\x81\x82\r\n"
    headers = parse(section)
    assert bytes(headers) == section
    assert [field.name for field in headers] == [b"from", b"subject", b"x-a"]


def test_a_folded_value_is_unfolded():
    assert parse(b"Subject: one\r\n\ttwo\r\n").value(b"subject") == b"one\ttwo"


@pytest.mark.parametrize(
    "section",
    [
        b"From : a@b.test\r\n",
        b" folded: first\r\n",
        b"no colon\r\n",
        b": no name\r\n",
        b"From: a\r\n\xe3x: b\r\n",
        b"From: cut",
    ],
)
def test_a_malformed_section_is_refused(section):
    with pytest.raises(BadHeaders):
        parse(section)


def test_too_many_fields_are_refused():
    with pytest.raises(BadHeaders):
        parse(b"A: b\r\n" * 1001)


def test_fields_are_removed_and_added_without_touching_the_others():
    headers = (
        parse(b"Bcc: x\r\nFrom: a\r\n")
        .without(frozenset({b"bcc"}))
        .before(b"Received: r\r\n")
        .after(b"Date: d\r\n")
    )
    assert bytes(headers) == b"Received: r\r\nFrom: a\r\nDate: d\r\n"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"A: b\r\n\r\nbody", (b"A: b\r\n", 8)),
        (b"\r\nbody", (b"", 2)),
        (b"A: b\r\n", (b"A: b\r\n", 6)),
        (b"A: b\r\n\r\n", (b"A: b\r\n", 8)),
        (b"A: b\r\n\r\n\r\n", (b"A: b\r\n", 8)),
    ],
)
def test_a_message_is_split_at_its_first_empty_line(data, expected):
    assert split(data) == expected


@given(st.binary(max_size=300))
def test_nothing_but_a_refusal_comes_of_any_bytes(data):
    with suppress(BadHeaders):
        assert bytes(parse(data)) == data
