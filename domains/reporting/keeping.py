"""Keeps what an aggregate report says of a domain: once, in rows of a day, ours and others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from domains.models import DmarcCount, DmarcReport, Domain
from domains.reporting.aggregate import AggregateReport, ReportRow

ROWS_A_DAY = 20_000  # of one domain; anybody can send reports, and what is beyond is summed up


class KnownReport(Exception):
    """The same report has come before."""


class OtherDomain(Exception):
    """The report is about a domain that is not the one whose address it was sent to."""


@transaction.atomic
def keep(domain: Domain, report: AggregateReport, *, ours: Collection[str]) -> DmarcReport:
    """Raise `KnownReport` or `OtherDomain` where nothing of it is kept."""
    about = report.policy.get("domain", "").lower().rstrip(".")
    if not _is_same_tree(about, domain.name):
        raise OtherDomain(about)
    kept, is_new = DmarcReport.objects.get_or_create(
        domain=domain, organization=report.organization, report_id=report.report_id,
        defaults={"begins_at": report.begins_at, "ends_at": report.ends_at,
            "policy": report.policy},
    )  # fmt: skip
    if not is_new:
        raise KnownReport(report.report_id)
    # Some receivers have days of their own; the middle of a report's time is on its day.
    day = (report.begins_at + (report.ends_at - report.begins_at) / 2).date()
    DmarcCount.objects.bulk_create(
        DmarcCount(
            report=kept, domain=domain, day=day, ends_at=report.ends_at, source=row.source,
            is_ours=is_ours, dkim=row.dkim, spf=row.spf,
            disposition=row.disposition, header_from=row.header_from, results=row.results,
            amount=amount,
        )
        for row, is_ours, amount in _rows(domain, report, ours)
    )  # fmt: skip
    return kept


def _rows(
    domain: Domain, report: AggregateReport, ours: Collection[str]
) -> Iterable[tuple[ReportRow, bool, int]]:
    """Yield the rows to keep; only sums without sources where the domain has had enough rows in a
    day.
    """
    rows = [(row, row.source in ours, amount) for row, amount in report.rows.items()]
    a_day_ago = timezone.now() - timedelta(days=1)
    kept = DmarcCount.objects.filter(report__domain=domain, report__received_at__gt=a_day_ago)
    if kept.count() + len(rows) <= ROWS_A_DAY:
        return rows
    sums: Counter[tuple[ReportRow, bool]] = Counter()
    for row, is_ours, amount in rows:
        sums[ReportRow(None, row.dkim, row.spf, row.disposition, "", ""), is_ours] += amount
    return [(row, is_ours, amount) for (row, is_ours), amount in sums.items()]


def _is_same_tree(one: str, other: str) -> bool:
    """Tell whether two names are the same, or one is above the other.

    A record of the domain above asks for its subdomains' reports as well.
    """
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}" if one else "\0")
