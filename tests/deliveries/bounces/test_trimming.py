"""What is kept of a report that is too long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliveries.bounces.original import read as read_original
from deliveries.bounces.parsed_report import ReportKind
from deliveries.bounces.parser import read
from deliveries.bounces.trimming import trim

REPORT = b"""From: MAILER-DAEMON@mx.test\r
Content-Type: multipart/report; report-type=delivery-status; boundary=b\r
\r
--b\r
\r
It failed.\r
--b\r
Content-Type: message/delivery-status\r
\r
Reporting-MTA: dns; mx.test\r
\r
Final-Recipient: rfc822; you@mx.test\r
Action: failed\r
Status: 5.1.1\r
\r
--b\r
Content-Type: message/rfc822\r
Content-Disposition: inline\r
\r
Message-ID: <1@shop.test>\r
Subject: order\r
\r
"""
BODY = b"the body of the mail\r\n" * 1000


def test_a_short_mail_is_kept_as_it_is():
    assert trim(REPORT + BODY, 1_000_000) == REPORT + BODY


def test_a_long_report_ends_after_the_header_of_the_mail_that_it_returns():
    kept = trim(REPORT + BODY, 5000)
    assert kept == REPORT
    found = read(kept)
    assert (found.kind, [fate.recipient for fate in found.fates]) == (
        ReportKind.BOUNCE,
        ["you@mx.test"],
    )
    assert "1@shop.test" in str(read_original(kept))


@pytest.mark.parametrize("most", [100, 420, 560])
def test_a_long_mail_without_such_a_header_ends_with_a_line(most):
    kept = trim(REPORT + BODY, most)
    assert kept.endswith(b"\r\n")
    assert (REPORT + BODY).startswith(kept)


@given(st.binary(max_size=200), st.integers(min_value=1, max_value=300))
def test_no_more_is_kept_than_may_be(data, most):
    kept = trim(data, most)
    assert len(kept) <= most
    assert data.startswith(kept)
    assert kept or not data
