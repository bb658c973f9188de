"""The form of a header section: mended where nobody loses anything, refused by name where it is
not ours to choose.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliveries.message.header_form import MAX_LINE, ONCE, in_order
from deliveries.message.headers import BadHeaders, parse

LONG_TO = (
    b"To: "
    + b", ".join(b"recipient-%03d@example-company.test" % number for number in range(60))
    + b"\r\n"
)


def order(section):
    return bytes(in_order(parse(section)))


@pytest.mark.parametrize(
    "section",
    [b"From: a@a.test\r\nSubject: s\r\nReceived: 1\r\nReceived: 1\r\nX-A: 1\r\nX-A: 2\r\n", b""],
)
def test_what_is_in_order_stays_as_it_is(section):
    assert order(section) == section


@pytest.mark.parametrize("name", [b"Message-ID", b"Date", b"message-id"])
@pytest.mark.parametrize("value", [b"", b" ", b" \r\n\t "])
def test_an_empty_field_that_we_write_ourselves_counts_as_missing(name, value):
    assert order(name + b":" + value + b"\r\nSubject:\r\n") == b"Subject:\r\n"
    assert order(name + b":" + value + b"\r\n" + name + b": x\r\n") == name + b": x\r\n"


@pytest.mark.parametrize("name", ONCE.values())
def test_two_of_a_field_that_may_stand_once_are_refused_by_its_name(name):
    with pytest.raises(BadHeaders, match=f"more than one {name} field"):
        order(f"{name}: one\r\nX-A: 1\r\n{name.upper()}: two\r\n".encode())


@pytest.mark.parametrize("name", ONCE.values())
def test_of_two_fields_that_say_the_same_the_first_stays(name):
    assert (
        order(f"{name}: a b\r\nX-A: 1\r\n{name.lower()}:a\r\n b\r\n".encode())
        == f"{name}: a b\r\nX-A: 1\r\n".encode()
    )


def test_a_long_line_is_folded_at_its_blanks_and_says_the_same():
    folded = order(LONG_TO + b"Subject: s\r\n")
    assert max(map(len, folded.split(b"\r\n"))) <= 78
    assert folded.replace(b"\r\n ", b" ") == LONG_TO + b"Subject: s\r\n"


@given(
    st.lists(
        st.sampled_from([b" ", b"\t", b"a" * 500, b"bb", "店".encode("cp932"), b"  "]), max_size=30
    )
)
def test_a_folded_field_is_the_same_when_it_is_unfolded(words):
    section = b"Subject: " + b"".join(words) + b"x" + b"a" * 400 + b" " + b"b" * 700 + b"\r\n"
    try:
        folded = order(section)
    except BadHeaders:
        assert max(map(len, section.split())) > MAX_LINE - 20
        return
    assert folded.replace(b"\r\n", b"") + b"\r\n" == section
    assert max(map(len, folded.split(b"\r\n"))) <= MAX_LINE
    assert all(line.strip() for line in folded.split(b"\r\n")[:-1])


def test_a_long_word_is_refused_by_the_name_of_its_field():
    with pytest.raises(
        BadHeaders, match="The X-Token field has a line over 998 bytes without a blank"
    ):
        order(b"X-Token: " + b"a" * 1000 + b"\r\n")
