"""What is known of a domain that receivers ask about, from roll-ups, kept checks and the sample of
what left; no message is counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Sum

from domains.foundation import sql
from domains.models import Domain, DomainReport, OwnLight, SampledDay

STATES = {"good": "pass", "bad": "fail", "unknown": "unknown"}
# What stands among the findings about SPF and is about alignment.
NOT_SPF = frozenset({"spf-aligned", "spf-not-aligned", "spf-unneeded"})
DAYS = 7  # of volume and complaints
SAMPLED = timedelta(days=30)

# By the index `tally_by_hour`.
VOLUMES = """
SELECT provider, max(delivered), sum(delivered), sum(complaints) FROM (
    SELECT provider, date_trunc('day', hour, 'UTC') AS day,
        sum(amount) FILTER (WHERE category = 'delivered') AS delivered,
        coalesce(sum(amount) FILTER (WHERE category = 'complaint'), 0) AS complaints
    FROM deliveries_tally
    WHERE hour >= %(since)s AND hour < %(until)s AND project_id = %(project)s
    GROUP BY 1, 2
) days GROUP BY provider
"""


@dataclass(frozen=True, slots=True)
class ReceiverVolume:
    """Of a whole project to one receiver: its busiest day of the last seven, and all of them."""

    busiest_day: int = 0
    delivered: int = 0
    complaints: int = 0


@dataclass(frozen=True, slots=True)
class DomainFacts:
    """`verdicts` are pass, fail or unknown by what they are about; none before the first check.

    `is_alone`: the project has no other verified domain, so that its volume is the domain's.
    `bulk` and `one_click` are sampled messages; `tls` are (by TLS, all) of sampled deliveries.
    """

    verdicts: Mapping[str, str] = field(default_factory=dict)
    volumes: Mapping[str, ReceiverVolume] = field(default_factory=dict)
    tls: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    is_alone: bool = True
    bulk: int = 0
    one_click: int = 0

    def volume(self, receiver: str) -> ReceiverVolume:
        """Return what the project sent there."""
        return self.volumes.get(receiver, ReceiverVolume())


def facts_of(domain: Domain, *, now: datetime) -> DomainFacts:
    """Return what is known now."""
    others = Domain.objects.verified().filter(project=domain.project_id).exclude(pk=domain.pk)
    sums = SampledDay.objects.filter(domain=domain, day__gt=(now - SAMPLED).date())
    counted = sums.values("receiver").annotate(
        total=Sum("amount"), tls=Sum("by_tls"), marked=Sum("bulk"), clicks=Sum("one_click")
    )
    found = {each["receiver"]: each for each in counted}
    whole = found.pop("", {"marked": 0, "clicks": 0})
    return DomainFacts(
        verdicts=_verdicts(domain),
        volumes=_volumes(domain, now=now),
        tls={receiver: (each["tls"], each["total"]) for receiver, each in found.items()},
        is_alone=not others.exists(),
        bulk=whole["marked"],
        one_click=whole["clicks"],
    )


def _volumes(domain: Domain, *, now: datetime) -> dict[str, ReceiverVolume]:
    given: dict[str, Any] = {
        "since": now - timedelta(days=DAYS),
        "until": now,
        "project": domain.project_id,
    }
    return {
        receiver: ReceiverVolume(int(busiest or 0), int(total or 0), int(complaints or 0))
        for receiver, busiest, total, complaints in sql.rows(VOLUMES, given)
    }


def _verdicts(domain: Domain) -> dict[str, str]:
    """Return what the last check of the domain and the last look at ourselves found."""
    lights = set(
        OwnLight.objects.filter(check_name__in=("ptr", "forward")).values_list("light", flat=True)
    )
    ours = next((STATES[each] for each in ("bad", "unknown", "good") if each in lights), "unknown")
    report = DomainReport.objects.filter(domain=domain).first()
    mail = report.report.get("mail", ()) if report is not None else ()
    return {"ptr": ours, **_of_mail({each["slip"]: each["state"] for each in mail}, mail)}


def _of_mail(by_slip: Mapping[str, str], mail: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    if not mail:
        return {}
    spf = {each["state"] for each in mail if _is_spf(each["slip"])}
    dkim = "pass" if "dkim-aligned" in by_slip else "fail" if "dkim-none" in by_slip else "unknown"
    policy = {"dmarc-own", "dmarc-inherited"} & by_slip.keys()
    dmarc = "pass" if policy else "fail" if "dmarc-none" in by_slip else "unknown"
    aligned = by_slip.get("dmarc-pass") or by_slip.get("dmarc-fail") or "unknown"
    return {"spf": _worst(spf), "dkim": dkim, "dmarc": dmarc, "aligned": aligned}


def _worst(states: set[str]) -> str:
    return next((each for each in ("fail", "unknown", "pass") if each in states), "unknown")


def _is_spf(slip: str) -> bool:
    return slip.startswith("spf-") and slip not in NOT_SPF
