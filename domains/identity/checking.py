"""Checks of domains: what looks at them saw, kept with its history."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from domains.foundation.dns.server_answers import ZoneServers
from domains.identity import delegated_keys, subdomains
from domains.identity.looks import (
    CheckPlan,
    DomainLook,
    Questions,
    Report,
    authorities,
    look_at_all,
)
from domains.identity.zone_text import zone_file
from domains.models import Domain, DomainChange, DomainReport, ItemKind, ReturnPath, ReturnPathState
from domains.operations.isolation import isolated
from domains.senders import key_states, return_paths, verification
from domains.senders.records import Record
from domains.senders.source_addresses import of_sources

# Where all is well a domain's name servers are asked in turn, one each time; so many times later
# all of them together.
WHOLE_EVERY = 14


def check(
    domains: Iterable[Domain], *, now: datetime, questions: Questions | None = None,
    is_routine: bool = False,
) -> None:  # fmt: skip
    """Verify these domains, ask every name server of their zones, and keep what was seen.

    `is_routine`: where all was well the last time, one name server is asked, and all of them only
    where that one or the resolver has something else.
    """
    plans = ((domain, _plan(domain, now=now, is_routine=is_routine)) for domain in domains)
    for domain, plan, look in look_at_all(plans, questions or Questions()):
        with isolated(ItemKind.DOMAIN, domain.pk):  # once: what fails in part has failed
            if not _read_anew(domain):
                continue
            if isinstance(look, BaseException):
                raise look
            verification.keep(domain, _findings(domain, plan, look), now=now)
            if isinstance(look.report, BaseException):
                raise look.report
            keep(domain, look.report, now=now)
            _note(domain, look.report, now=now)


def _read_anew(domain: Domain) -> bool:
    """Read what people have done to the domain while it was looked at; their word stands. Return
    false where it is gone.
    """
    try:
        domain.refresh_from_db(from_queryset=Domain.objects.select_for_update(no_key=True))
    except Domain.DoesNotExist:
        return False
    return True


def _note(domain: Domain, report: Report, *, now: datetime) -> None:
    states = {each["name"]: each["state"] for each in report["records"]}
    watch = timedelta(seconds=report["negative_ttl"])
    delegated_keys.note_check(domain, states, report["our_records"])
    keys = states | delegated_keys.key_states(domain, states, report["our_records"])
    key_states.note_check(domain, keys, watch=watch, now=now)
    return_paths.note_check(domain, states.get(domain.return_path_name, ""), now=now)
    subdomains.note_check(domain, report["strict_below"], now=now)


def _findings(
    domain: Domain, plan: CheckPlan, look: DomainLook
) -> list[verification.RecordFinding]:
    """Return what the resolver has of each record, with what it had of those not looked at."""
    seen = [
        verification.finding_of(each.record, each.published, each.failure) for each in look.seen
    ]
    again = {(each["name"], each["value"]) for each in seen}
    before = verification.findings(domain) if plan.well is not None else ()
    return seen + [each for each in before if (each["name"], each["value"]) not in again]


def _plan(domain: Domain, *, now: datetime, is_routine: bool) -> CheckPlan:
    records = verification.required_records(domain)
    own = return_paths.current(domain)
    ours = delegated_keys.our_records(domain)
    turn = domain.pk + now.toordinal()
    well = None
    if is_routine and turn % WHOLE_EVERY:
        well = _well(domain, records, own)
    return CheckPlan(
        domain.name, records, ours, own, domain.covers_subdomains, now, sources=of_sources(),
        well=well, turn=turn,
    )  # fmt: skip


def _well(domain: Domain, records: list[Record], own: ReturnPath | None) -> Report | None:
    """Return the last report where all name servers had all that is required, and nothing waits for
    a check to find it.
    """
    kept = DomainReport.objects.filter(domain=domain).first()
    waits = own.state != ReturnPathState.USED if own else bool(domain.return_path_name)
    if kept is None or waits or domain.lost_at or not domain.is_verified:
        return None
    report: Report = kept.report
    good = {
        (each["name"], each["value"])
        for each in report.get("records", ())
        if each["state"] == "unneeded" or (each["state"] == "found" and each["have"] == each["of"])
    }
    wanted = {(each.name, each.value) for each in records}
    if wanted != good or not report.get("servers") or domain.keys.waiting().exists():
        return None
    return report


def keep(domain: Domain, report: Report, *, now: datetime) -> None:
    """Keep the report in place of the last one, and what differs between them as history."""
    with transaction.atomic():
        last = DomainReport.objects.select_for_update().filter(domain=domain).first()
        if last is not None:
            changes = differences(last.report, report)
            DomainChange.objects.bulk_create(
                DomainChange(domain=domain, at=now, subject=subject, before=before, after=after)
                for subject, before, after in changes
            )
        DomainReport.objects.update_or_create(
            domain=domain, defaults={"checked_at": now, "report": report}
        )


def differences(
    last: Mapping[str, Any], report: Mapping[str, Any]
) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Return (record, before, after) for each record that is not as it was."""
    before, after = _by_record(last), _by_record(report)
    return [
        (name, before.get(name, {}), after.get(name, {}))
        for name in {**before, **after}
        if before.get(name, {}) != after.get(name, {})
    ]


def _by_record(report: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    records = {
        f"{each['purpose']} {each['name']}"[:300]: {
            "state": each["state"], "text": each["text"], "found": sorted(each["found"]),
        }
        for each in report.get("records", ())
    }  # fmt: skip
    mail = {
        " ".join(filter(None, ("mail", each["subject"], each["given"].get("address", "")))): {
            "state": each["state"], "text": each["text"], "found": [],
        }
        for each in report.get("mail", ())
        if each["slip"] not in _FOLLOWS
    }  # fmt: skip
    return {**records, **mail}


# What only follows from other findings is no change of its own.
_FOLLOWS = frozenset({
    "spf-aligned", "spf-not-aligned", "dkim-aligned", "dkim-none", "dmarc-test", "dmarc-own",
    "dmarc-none", "dmarc-pass", "dmarc-fail",
})  # fmt: skip


def records_of(domain: Domain) -> list[dict[str, Any]]:
    """Return the records required now, each with what the last check saw of just this record."""
    report = DomainReport.objects.filter(domain=domain).first()
    kept = {
        (each["name"], each["value"]): each
        for each in (report.report.get("records", ()) if report is not None else ())
    }
    return [
        {**_PLAIN, **finding, **kept.get((finding["name"], finding["value"]), {})}
        | ({"state": finding["state"], "text": finding["text"]} if _is_taken(finding) else {})
        for finding in verification.findings(domain)
    ]


def mail_of(domain: Domain) -> list[dict[str, Any]]:
    """Return what receivers make of the domain's mail, by the last check."""
    report = DomainReport.objects.filter(domain=domain).first()
    return list(report.report.get("mail", ())) if report is not None else []


_PLAIN: dict[str, Any] = {"slip": "", "given": {}, "found": [], "have": 0, "of": 0, "servers": []}


def _is_taken(finding: verification.RecordFinding) -> bool:
    """Tell whether the finding is that another project has the domain, which is no matter of
    DNS.
    """
    return finding["text"] == verification.TAKEN


def zone_of(domain: Domain) -> str:
    """Return the domain's records as a zone file with the zone's present SOA and name servers."""
    zone = asyncio.run(_zone(domain.name))
    records = verification.required_records(domain)
    if zone is None:
        return zone_file(domain.name, records, host=settings.EKIDEN_HOSTNAME)
    return zone_file(
        zone.name, records, soa=zone.soa, servers=zone.hosts, host=settings.EKIDEN_HOSTNAME,
        addresses=[(server.host, server.address) for server in zone.servers],
    )  # fmt: skip


async def _zone(domain: str) -> ZoneServers | None:
    questions = Questions()
    return await authorities(questions.resolver(), questions.pace).zone_of(domain)
