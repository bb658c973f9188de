"""Strangers write what is parsed: whatever the bytes, there is an answer, and it is harmless."""

import re
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deliveries.bounces.freeform import MAX_RECIPIENTS
from deliveries.bounces.parsed_report import ReportKind
from deliveries.bounces.parser import read
from deliveries.classification.classifier import Answer, classify
from deliveries.classification.reply_text import parse
from deliveries.smtp.outcomes import Stage
from tests.cost import assert_in_proportion
from tests.deliveries.bounces.sampled import SAMPLES

SEEDS = [path.read_bytes() for path in sorted(SAMPLES.glob("*.eml"))]
PIECES = [
    b"\r\n", b"\n", b"\r", b"\0", b"\xff\xfe", b"\x1b[31m", b"\x1b$B", "\u2028".encode(),
        b"--=_b\n", b"--=_b--\n", b"; ", b"<a@b>",
    b"Content-Type: message/delivery-status\n\n", (b"Content-Type: text/plain; "
        b"charset=unicode_escape\n"), b"=?utf-8?Q?=0D=0A?=",
    b"Content-Transfer-Encoding: base64\n", b"Status: 5.1.1\n",
    b"Diagnostic-Code: smtp; \xe3\x81\n", b"Action: failed\n", b"550 5.1.1 ",
    b">>> DATA\n",
    b"Final-Recipient: utf-8; \\x{110000}\\x{D800}@x\n", (b'{"notificationType":"Bounce",'
        b'"bounce":{"bouncedRecipients":[1,null,{}]}}'),
]  # fmt: skip
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def is_harmless(report):
    """Fit for a database, a log and a page: sizes bounded, no controls, no lone surrogates."""
    assert report.kind in ReportKind
    for fate in report.fates:
        for word in (
            fate.recipient,
            fate.text,
            fate.host,
            fate.enhanced,
            fate.action,
            fate.classified.detail,
        ):
            assert len(word) <= 1000 and not CONTROLS.search(word)
            word.encode()
    return True


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(SEEDS),
    st.lists(
        st.tuples(st.integers(0, 3000), st.sampled_from(PIECES) | st.binary(max_size=8)), max_size=8
    ),
)
def test_a_report_with_anything_put_into_it_is_harmless(data, changes):
    for at, piece in changes:
        data = data[:at] + piece + data[at:]
    assert is_harmless(read(data))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=2000) | st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join))
def test_any_bytes_are_harmless(data):
    assert is_harmless(read(data))


@pytest.mark.parametrize("data", SEEDS, ids=[path.name for path in sorted(SAMPLES.glob("*.eml"))])
def test_a_report_cut_off_anywhere_is_harmless(data):
    assert all(is_harmless(read(data[:end])) for end in range(0, len(data), 37))


@settings(max_examples=300, deadline=None)
@given(
    st.text(max_size=3000),
    st.integers(0, 999),
    st.text(max_size=12),
    st.sampled_from([None, *Stage]),
    st.text(max_size=80),
)
def test_any_reply_has_a_class(text, code, enhanced, stage, host):
    assert classify(Answer(text, code, enhanced, stage, host, host)).rule
    assert len(parse(text)) == 3


HEAD = b"From: MAILER-DAEMON@x.test\nSubject: Undelivered mail\nMIME-Version: 1.0\n"
SHAPES = {
    "ten megabytes": HEAD + b"\n" + b"<a@b.test>: 550 5.1.1 User unknown\n" * 280_000,
    "100,000 parts": HEAD
    + b"Content-Type: multipart/mixed; boundary=b\n\n"
    + b"--b\nContent-Type: text/plain\n\nx\n" * 100_000,
    "100,000 parts in one another": b"Content-Type: message/rfc822\n\n" * 100_000,
    "the beginning of a phrase": HEAD + b"\n<a@b.test>: " + b"the user mailbox is " * 50_000,
    "stems without a state": HEAD
    + b"\n<a@b.test>: "
    + "der Empfänger das Postfach ".encode() * 40_000,
    "the beginning of a receiver's words": HEAD
    + b"\n<a@b.test>: "
    + b"dns error: dns type " * 50_000,
    "brackets": b'{"notificationType":"Bounce","bounce":' + b"[" * 900_000,
    "replies": HEAD + b"\n" + b"550 5.1.1 <a@b.test> \n" * 45_000,
}


@pytest.mark.parametrize("data", SHAPES.values(), ids=SHAPES)
def test_a_huge_report_costs_no_more_than_its_beginning(data):
    tracemalloc.start()
    try:
        assert len(read(data).fates) <= MAX_RECIPIENTS
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000_000
    assert_in_proportion(lambda size: read(data[:size]), len(data))
