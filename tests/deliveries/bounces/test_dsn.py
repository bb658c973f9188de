"""A report comes from a stranger: whatever its bytes, it is understood, or it is none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deliveries.bounces.dsn import Finding, read
from tests.deliveries.bounces.test_receive import REPORT

PIECES = [
    b"\r\n", b"\n", b"\r", b"\0", b"\xff\xfe", b"\x1b[31m", "\u2028".encode(), b"--x\r\n", b"--x--\r\n", b"; ", b"Action: failed\r\n",
    b"Content-Type: message/delivery-status\r\n\r\n", b"Content-Type: text/plain; charset=unicode_escape\r\n",
    b"Content-Transfer-Encoding: base64\r\n", b"=?utf-8?Q?=0D=0A?=", b"Status: 5.1.1\r\n", b"Diagnostic-Code: smtp; \xe3\x81\r\n",
]  # fmt: skip


def is_harmless(found: Finding) -> bool:
    words = (found.action, found.status, found.text, found.reporter)
    return all(len(word.encode()) <= 4000 and (word.isprintable() or not word) for word in words)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(REPORT)), st.sampled_from(PIECES) | st.binary(max_size=8)), max_size=8))
def test_a_report_with_anything_put_into_it_is_harmless_words_or_no_report(changes):
    data = REPORT % b"failed"
    for at, piece in changes:
        data = data[:at] + piece + data[at:]
    found = read(data)
    assert found is None or is_harmless(found)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=2000))
def test_any_bytes_are_no_report_or_harmless_words(data):
    found = read(data)
    assert found is None or is_harmless(found)


@pytest.mark.parametrize("end", range(0, len(REPORT), 7))
def test_a_report_cut_off_anywhere_is_a_shorter_report_or_none(end):
    found = read((REPORT % b"failed")[:end])
    assert found is None or is_harmless(found)


def test_text_in_another_charset_is_kept_as_far_as_it_can_be_read():
    found = read((REPORT % b"failed").replace(b"no such user", "宛先不明".encode("euc-jp")))
    assert found.action == "failed"
    found.text.encode()


@pytest.mark.parametrize("depth", [50, 2000])
def test_a_report_deep_inside_other_parts_ends_soon(depth):
    data = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level) for level in range(depth))
    found = read(data + REPORT % b"failed")
    assert found is None or is_harmless(found)
