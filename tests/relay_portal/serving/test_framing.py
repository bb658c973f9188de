"""The end of a body, however its bytes come."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay_portal.serving.framing import LONGEST_LINE, BadFraming, ChunkedBody, SizedBody

NEXT = b"GET / HTTP/1.1\r\n\r\n"


def taken(body, data, cuts):
    """Return how much of the data belongs to the body, where it comes in these pieces."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return sum(body.feed(data[start:end]) for start, end in pairwise(places))


@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=5),
    st.lists(st.integers(min_value=0)),
    st.sampled_from([b"", b"A: b\r\n"]),
)
def test_chunks_end_where_they_end(chunks, cuts, trailer):
    data = (
        b"".join(b"%x;a=b\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
        + b"0\r\n"
        + trailer
        + b"\r\n"
    )
    body = ChunkedBody()
    assert taken(body, data + NEXT, cuts) == len(data)
    assert body.is_whole


@given(st.binary(max_size=60), st.lists(st.integers(min_value=0)))
def test_a_sized_body_ends_after_its_size(content, cuts):
    body = SizedBody(len(content))
    assert taken(body, content + NEXT, cuts) == len(content)
    assert body.is_whole


@pytest.mark.parametrize(
    "data",
    [b"x\r\n", b"-1\r\n", b"\r\n", b"5 5\r\n", b"123456789\r\n", b"1;" + b"a" * LONGEST_LINE],
)
def test_what_is_no_chunk_is_refused(data):
    with pytest.raises(BadFraming):
        ChunkedBody().feed(data)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(data):
    body = ChunkedBody()
    try:
        assert body.feed(data) <= len(data)
    except BadFraming:
        return
