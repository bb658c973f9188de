"""A domain's DMARC reports added up: by day, ours and others, aligned or not, and who sends."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Count, F, Max, Q, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from domains.models import DmarcCount, Domain
from domains.reporting.mechanisms import ADVICE
from domains.senders import report_address

DAYS = 30
SOURCES = 20  # that are named, those with most messages


def summary(domain: Domain, *, days: int = DAYS, today: date | None = None) -> dict[str, Any]:
    """Return the figures of the last days as JSON, the newest day first."""
    since = (today or timezone.now().date()) - timedelta(days=days)
    counts = DmarcCount.objects.filter(domain=domain, day__gte=since)
    name, value = report_address.authorisation()
    checks = domain.signature_checks.filter(checked_at__date__gte=since)
    failure = checks.filter(result="fail").order_by("-checked_at").first()
    return {
        "domain": domain.name,
        "address": report_address.address(domain.pk),
        "authorisation": {"name": name, "type": "TXT", "value": value},
        "days": [
            _day(dict(row)) for row in counts.values("day").annotate(**_SUMS).order_by("-day")
        ],
        "sources": list(
            counts.values("source", "is_ours", "header_from", "results")
            .annotate(messages=_sum(), aligned=_sum(_ALIGNED))
            .order_by("-messages", "source")[:SOURCES]
        ),
        "receivers": list(
            counts.values(receiver=F("report__organization"))
            .annotate(messages=_sum(), reports=Count("report", distinct=True))
            .order_by("-messages", "receiver")[:SOURCES]
        ),
        "refusals": [_refusal(dict(row)) for row in _refusals(domain, since)],
        "verified": {
            "messages": checks.filter(result__in=("pass", "fail")).count(),
            "failed": checks.filter(result="fail").count(),
            "last_failure": {
                "at": failure.checked_at.isoformat(),
                "message": str(failure.message_id),
                "signatures": failure.findings,
            }
            if failure is not None
            else None,
        },
    }


def _refusals(domain: Domain, since: date) -> Any:
    """Add up refusals by receiver and mechanism, those with the newest answer first."""
    return (
        domain.authentication_refusals.filter(day__gte=since)
        .values("receiver", "mechanism")
        .annotate(
            answers=_sum(),
            last=Max("last_at"),
            last_answer=ArrayAgg("example", order_by="-last_at"),
        )
        .order_by("-last")[:SOURCES]
    )


def _refusal(row: dict[str, Any]) -> dict[str, Any]:
    known = ADVICE[row["mechanism"]]
    return {
        "receiver": row["receiver"], "mechanism": row["mechanism"], "title": known.title,
        "answers": int(row["answers"]), "last": row["last"].isoformat(),
        "last_answer": row["last_answer"][0], "advice": known.advice,
    }  # fmt: skip


def _sum(*conditions: Q) -> Coalesce:
    return Coalesce(Sum("amount", filter=Q(*conditions)) if conditions else Sum("amount"), 0)


_ALIGNED = Q(dkim=True) | Q(spf=True)
_SUMS = {
    f"{whose}_{what}": _sum(Q(is_ours=whose == "ours"), condition)
    for whose in ("ours", "others")
    for what, condition in (
        ("messages", Q()),
        ("aligned", _ALIGNED),
        ("dkim", Q(dkim=True)),
        ("spf", Q(spf=True)),
        ("quarantined", Q(disposition="quarantine")),
        ("rejected", Q(disposition="reject")),
    )
} | {"reports": Count("report", distinct=True)}


def _day(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "day": row["day"].isoformat(),
        "reports": row["reports"],
        **{
            whose: {
                key.removeprefix(f"{whose}_"): int(value)
                for key, value in row.items()
                if key.startswith(f"{whose}_")
            }
            for whose in ("ours", "others")
        },
    }
