"""What the bytes after DATA and BDAT become, however they are split (hardening A1, A2, A9;
findings 4 and 5).
"""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smtp_listener.protocol.reception import Reception

MAX_LINE = 20
BITS = [
    b"\r\n",
    b"\r\n",
    b".",
    b".",
    b"\r",
    b"\n",
    b"\0",
    b"a",
    b"\r\n.\r\n",
    b"\r\n..",
    b"x" * 19,
    b"y" * 30,
]
wire = st.lists(st.sampled_from(BITS), max_size=30).map(b"".join)
sizes = st.lists(st.integers(1, 9), min_size=1, max_size=40)


def pieces(data, cuts):
    """Yield the data cut at the given lengths, over and over."""
    position, turn = 0, 0
    while position < len(data):
        size = cuts[turn % len(cuts)]
        yield data[position : position + size]
        position, turn = position + size, turn + 1


def by_data(data, cuts, *, is_repairing=False):
    """Return what is stored, the trouble, and the bytes left for commands; None where the end has
    not come.
    """
    kept, buffer, searched = [], bytearray(), 0
    reception = Reception(
        kept.append, max_size=10_000, is_repairing=is_repairing, max_line=MAX_LINE
    )
    rest = pieces(data, cuts)
    for piece in rest:
        buffer += piece
        searched, is_complete = reception.lines(buffer, searched)
        if is_complete:
            stored = b"" if reception.trouble else b"".join(kept)
            return stored, reception.trouble, bytes(buffer) + b"".join(rest)
    return None


def by_bdat(data, cuts, *, is_repairing=False):
    kept = []
    reception = Reception(
        kept.append, max_size=10_000, is_repairing=is_repairing, max_line=MAX_LINE
    )
    for piece in pieces(data, cuts):
        reception.take_chunk(piece)
    reception.end_chunks()
    return b"" if reception.trouble else b"".join(kept), reception.trouble


def expected(data):
    """Do the same by the letter of RFC 5321: find the end, then look at the lines."""
    found = (
        re.match(rb"(?s)(.*?\r\n)?\.\r\n", data)
        if not data.startswith(b".\r\n")
        else re.match(rb"()\.\r\n", data)
    )
    if found is None:
        return None
    content = re.sub(rb"(?:\A|(?<=\r\n))\.", b"", found[1] or b"")
    return content, trouble_of(content), data[found.end() :]


def trouble_of(content):
    if any(len(line) > MAX_LINE + 1 for line in content.split(b"\n")):  # one more for its CR
        return "line"
    if re.search(rb"\r(?!\n)|(?<!\r)\n", content):
        return "bare"
    return "nul" if b"\0" in content else ""


@given(wire, sizes)
def test_only_crlf_dot_crlf_ends_a_message_however_it_is_split(data, cuts):
    data += b"\r\n.\r\nQUIT\r\n"
    stored, trouble, rest = expected(data)
    assert by_data(data, cuts) == (b"" if trouble else stored, trouble, rest)


@given(wire, sizes)
@example(b"a" * 15 + b"\n." + b"b" * 15, [32])  # cut after a bare LF: the dot was never doubled
def test_repaired_content_is_the_same_however_it_is_split(data, cuts):
    data += b"\r\n.\r\n"
    assert by_data(data, cuts, is_repairing=True) == by_data(data, [len(data)], is_repairing=True)


@given(wire, sizes)
@example(b"\r\n\r.xxxxxxxxxxxxxxxxxxx", [1])  # an open line after trouble
def test_chunks_are_the_same_however_they_are_split(data, cuts):
    whole = data if not data or data.endswith((b"\n", b"\r")) else data + b"\r\n"
    trouble = trouble_of(whole)
    assert by_bdat(data, cuts) == (b"" if trouble else whole, trouble)


@given(wire, sizes)
def test_nothing_bare_is_ever_stored(data, cuts):
    for is_repairing in (False, True):
        stored, _ = by_bdat(data, cuts, is_repairing=is_repairing)
        assert not re.search(rb"\r(?!\n)|(?<!\r)\n|\0", stored)


@pytest.mark.parametrize(
    ("data", "stored"),
    [
        (b"a\nb\r\n", b"a\r\nb\r\n"),
        (b"a\rb\r\n", b"a\r\nb\r\n"),
        (b"a\n.\nb\r\n", b"a\r\n.\r\nb\r\n"),
    ],
)
def test_repairing_makes_line_ends_of_bare_ones_and_no_end_mark(data, stored):
    assert by_data(data + b".\r\n", [100], is_repairing=True) == (stored, "", b"")


def test_content_over_the_size_is_counted_and_not_kept():
    kept = []
    reception = Reception(kept.append, max_size=10, is_repairing=False)
    reception.lines(bytearray(b"0123456789\r\n.\r\n"), 0)
    assert (reception.is_too_large, reception.size, kept) == (True, 12, [])


def test_a_line_without_end_takes_no_memory():
    reception, buffer, searched = (
        Reception(bytes, max_size=10_000_000, is_repairing=False),
        bytearray(),
        0,
    )
    for _ in range(1000):
        buffer += b"x" * 10_000
        searched, _ = reception.lines(buffer, searched)
    assert len(buffer) < 80_000
    assert reception.size > 9_900_000
    assert reception.trouble == "line"


def test_a_full_disk_is_told_at_the_end():
    def full(data):
        raise OSError("no space left")

    reception = Reception(full, max_size=100, is_repairing=False)
    assert reception.lines(bytearray(b"a\r\n.\r\n"), 0) == (0, True)
    assert reception.trouble == "disk"
