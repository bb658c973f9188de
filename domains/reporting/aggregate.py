"""Reads a DMARC aggregate report (RFC 9990, and RFC 7489 before it) as a stream of elements.

Nothing of it is believed further than its words: no entities, bounded texts, and beyond so many
sources only a sum.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import NamedTuple
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from domains.foundation.text.texts import clean
from domains.reporting.unpacking import UnreadableReport

DEEP = 12  # elements within each other
NAMES = 200  # of elements and attributes that differ
TOKEN = 1_048_576  # bytes of one tag or comment, which the parser holds as a whole
TEXT = 300  # characters of one
RESULTS = 10  # of SPF or DKIM in one record
ROWS = 1000  # that are kept apart; the rest is summed up
AMOUNT_MOST = 10**12
_FIRST_YEAR = 2012  # of DMARC
POLICY = ("domain", "p", "sp", "np", "adkim", "aspf", "testing", "pct", "fo")
_METADATA = ("org_name", "report_id", "date_range/begin", "date_range/end")
_HEAD = frozenset(
    [f"report_metadata/{name}" for name in _METADATA]
    + [f"policy_published/{name}" for name in POLICY]
)
_RECORD = frozenset({
    "row/source_ip", "row/count", "row/policy_evaluated/dkim", "row/policy_evaluated/spf",
    "row/policy_evaluated/disposition", "identifiers/header_from", "auth_results/spf/domain",
    "auth_results/spf/result", "auth_results/dkim/domain", "auth_results/dkim/result",
})  # fmt: skip
DISPOSITIONS = frozenset({"none", "quarantine", "reject", "pass"})


class ReportRow(NamedTuple):
    """What is counted together; without a source it is the rest of a long report."""

    source: str | None
    dkim: bool
    spf: bool
    disposition: str
    header_from: str
    results: str


@dataclass(slots=True)
class AggregateReport:
    """A report whose head is whole."""

    organization: str
    report_id: str
    begins_at: datetime
    ends_at: datetime
    policy: dict[str, str]
    rows: dict[ReportRow, int] = field(default_factory=dict)

    @property
    def messages(self) -> int:
        return sum(self.rows.values())


def read(pieces: Iterable[bytes]) -> AggregateReport:
    """Return the report of an XML file; raises `UnreadableReport`."""
    target = _Target()
    parser = DefusedXMLParser(target=target, forbid_dtd=True)
    fed = 0
    try:
        for piece in pieces:
            parser.feed(piece)
            fed += len(piece)
            if fed - parser.parser.CurrentByteIndex > TOKEN:
                raise UnreadableReport("its XML has a tag of a megabyte")
        parser.close()
    except DefusedXmlException as error:
        raise UnreadableReport("its XML declares a document type or entities") from error
    except (ParseError, LookupError, ValueError) as error:
        if isinstance(error, UnreadableReport):
            raise
        raise UnreadableReport(f"its XML is broken: {error}") from error
    return target.report()


class _Target:
    """Takes the events of the parser; each record is added up when it ends."""

    def __init__(self) -> None:
        self._path: list[str] = []
        self._text: list[str] = []
        self._length = 0
        self._names: set[str] = set()  # the parser keeps each, too
        self._head: dict[str, str] = {}
        self._record: dict[str, list[str]] = {}
        self._rows: dict[ReportRow, int] = {}

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self._path) >= DEEP:
            raise UnreadableReport("its elements are nested too deep")
        self._names.update((tag, *attributes))
        if len(self._names) > NAMES:
            raise UnreadableReport("its XML has too many names")
        self._path.append(tag.rpartition("}")[2][:40])
        if len(self._path) == 1 and self._path != ["feedback"]:
            raise UnreadableReport("its XML is no DMARC report")
        self._text, self._length = [], 0

    def data(self, text: str) -> None:
        if self._length < TEXT:
            self._text.append(text[:TEXT])
            self._length += len(text)

    def end(self, tag: str) -> None:
        inner = "/".join(self._path[1:])
        text = clean("".join(self._text)[:TEXT]).strip()
        self._text, self._length = [], 0
        self._path.pop()
        if inner == "record":
            self._add()
        elif (name := inner.removeprefix("record/")) in _RECORD:
            values = self._record.setdefault(name, [])
            if len(values) < RESULTS:
                values.append(text)
        elif inner in _HEAD and text:
            self._head.setdefault(inner, text)

    def close(self) -> None: ...

    def _add(self) -> None:
        said, self._record = self._record, {}
        row = ReportRow(
            _address(_first(said, "row/source_ip")),
            _first(said, "row/policy_evaluated/dkim").lower() == "pass",
            _first(said, "row/policy_evaluated/spf").lower() == "pass",
            _disposition(_first(said, "row/policy_evaluated/disposition").lower()),
            _first(said, "identifiers/header_from").lower().rstrip(".")[:253],
            _results(said),
        )
        if row not in self._rows and len(self._rows) >= ROWS:
            row = ReportRow(None, row.dkim, row.spf, row.disposition, "", "")
        total = self._rows.get(row, 0) + _number(_first(said, "row/count"), "a count")
        self._rows[row] = min(total, AMOUNT_MOST)

    def report(self) -> AggregateReport:
        head = self._head
        organization = head.get("report_metadata/org_name", "")
        report_id = head.get("report_metadata/report_id", "")
        if not organization or not report_id:
            raise UnreadableReport("it does not say whose it is, or which")
        begins_at, ends_at = (
            _time(head.get(f"report_metadata/date_range/{end}", "")) for end in ("begin", "end")
        )
        policy = {
            name: value[:253]
            for name in POLICY
            if (value := head.get(f"policy_published/{name}", ""))
        }
        return AggregateReport(
            organization[:255], report_id[:255], begins_at, max(begins_at, ends_at), policy,
            self._rows,
        )  # fmt: skip


def _first(said: dict[str, list[str]], name: str) -> str:
    return next(iter(said.get(name, ())), "")


def _results(said: dict[str, list[str]]) -> str:
    """Tell what SPF and DKIM said of which names: that tells who a stranger is."""
    parts = []
    for kind in ("spf", "dkim"):
        domains = said.get(f"auth_results/{kind}/domain", [])
        results = said.get(f"auth_results/{kind}/result", [])
        parts += [
            f"{kind}={result.lower()} {domain.lower()}"
            for domain, result in zip(domains, results, strict=False)
        ]
    return ", ".join(parts)[:TEXT]


def _disposition(text: str) -> str:
    return text if text in DISPOSITIONS else "none"


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError as error:
        raise UnreadableReport(f"{text[:60]!r} is no address") from error


def _number(text: str, what: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise UnreadableReport(f"{text[:60]!r} is not {what}")
    return int(text)


def _time(text: str) -> datetime:
    seconds = _number(text, "a time")
    try:
        found = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise UnreadableReport(f"{text[:60]!r} is not a time") from error
    if not _FIRST_YEAR <= found.year <= 2100:
        raise UnreadableReport(f"{text[:60]!r} is not a time of a report")
    return found
