"""Reports are read in each of their shapes, and refused where they are none."""

import gzip
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domains.reporting import aggregate, unpacking
from domains.reporting.unpacking import UnreadableReport
from tests.domains.reporting.reports import BEGIN, record, xml, zipped

NAMESPACE = ' xmlns="urn:ietf:params:xml:ns:dmarc-2.0"'


def read(file):
    return aggregate.read(unpacking.pieces(file))


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zipped], ids=["xml", "gzip", "zip"])
@pytest.mark.parametrize("attributes", ["", NAMESPACE], ids=["RFC 7489", "RFC 9990"])
def test_a_report_is_read_in_each_packing_and_by_both_rfcs(pack, attributes):
    report = read(pack(xml(record(), record("2001:db8::1", spf="pass"), attributes=attributes)))
    assert (report.organization, report.report_id, report.messages) == ("mx.test", "17", 6)
    assert report.begins_at.timestamp() == BEGIN and report.policy["p"] == "none"
    assert {(row.source, row.dkim, row.spf) for row in report.rows} == {
        ("192.0.2.1", True, False), ("2001:db8::1", True, True),
    }  # fmt: skip


def test_what_spf_and_dkim_said_is_kept_in_one_line():
    [row] = read(xml()).rows
    assert row.results == "spf=pass relay.test, dkim=pass shop.test"


def test_equal_records_are_one_row():
    report = read(xml(record(count=3), record(count=4)))
    assert list(report.rows.values()) == [7]


def test_of_a_long_report_the_rest_is_summed_up(monkeypatch):
    monkeypatch.setattr(aggregate, "ROWS", 2)
    report = read(xml(*(record(f"192.0.2.{number}") for number in range(1, 6))))
    assert report.messages == 15
    assert [row.source for row in report.rows] == ["192.0.2.1", "192.0.2.2", None]


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (b"<html/>", "no DMARC report"),
        (b"", "XML is broken"),
        (xml()[:300], "XML is broken"),
        (gzip.compress(xml())[:-20], "gzip is cut off"),
        (b"\x1f\x8b" + b"x" * 40, "gzip is damaged"),
        (zipped(xml())[:-30], "zip is damaged"),
        (zipped(xml(), xml()), "2 members"),
        (zipped(*[b""] * 20), "several members"),
        (xml(id=""), "does not say whose"),
        (xml(begin=1), "not a time of a report"),
        (xml(begin="soon", end=3), "is not a time"),
        (xml(record(source="somewhere")), "is no address"),
        (xml(record(count="-1")), "is not a count"),
    ],
)
def test_what_is_no_report_is_refused_with_a_reason(file, why):
    with pytest.raises(UnreadableReport, match=why):
        read(file)


def test_an_encrypted_zip_is_refused():
    file = bytearray(zipped(xml()))
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        file[file.index(signature) + at] |= 1
    with pytest.raises(UnreadableReport, match="encrypted"):
        read(bytes(file))


PACKED = [xml(), gzip.compress(xml()), zipped(xml())]


@settings(deadline=None)
@given(
    file=st.sampled_from(PACKED),
    cuts=st.lists(st.tuples(st.integers(0, 1500), st.binary(max_size=6)), max_size=4),
)
def test_whatever_comes_is_read_or_refused(file, cuts):
    for at, put in cuts:
        file = file[:at] + put + file[at + len(put) :]
    try:
        report = read(file)
    except UnreadableReport:
        return
    assert len(report.rows) <= aggregate.ROWS + 16 and len(report.organization) <= 255
    assert all(row.source is None or ip_address(row.source) for row in report.rows)
