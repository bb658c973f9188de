import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliveries.message.subjects import LONGEST, subject_of


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (b"Your order 4711", "Your order 4711"),
        ("ご注文の確認".encode(), "ご注文の確認"),
        (b"=?UTF-8?B?44GU5rOo5paH?=", "ご注文"),
        (b"=?iso-2022-jp?B?GyRCJDRDbUo4GyhC?= 4711", "ご注文 4711"),
        (b"=?utf-8?Q?Gr=C3=BC=C3=9Fe_an?= =?utf-8?q?_alle?=", "Grüße an alle"),
        # a character cut between two words, which RFC 2047 forbids and senders do
        (b"=?UTF-8?B?44GU5rOo5g==?= =?UTF-8?B?locg?=x", "ご注文 x"),
        (b"=?no-such-charset?Q?hi?=", "hi"),
        (b"=?utf-8*ja?Q?hi?=", "hi"),
        (b"a\x00b\x1b[31m", "a\\u0000b\\u001b[31m"),
    ],
)
def test_a_subject_is_read_as_people_read_it(field, expected):
    assert subject_of(field) == expected


@given(
    st.binary(max_size=300) | st.binary(max_size=80).map(lambda raw: b"=?utf-8?Q?" + raw + b"?=")
)
def test_any_field_gives_a_short_text_that_can_be_stored(field):
    text = subject_of(field)
    assert len(text) <= LONGEST
    assert "\x00" not in text
    text.encode()
