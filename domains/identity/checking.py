"""Checks of domains: what each name server has, kept with its history."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any

from django.conf import settings
from django.db import transaction

from domains.foundation.dns.allowed_addresses import is_allowed
from domains.foundation.dns.authorities import Authorities, QuestionRate, ZoneServers
from domains.foundation.dns.names import IpAddress
from domains.foundation.dns.resolver import NoSuchName, Resolver, TemporaryFailure
from domains.foundation.dns.servers import nameservers
from domains.identity import delegated_keys, subdomains
from domains.identity.inspection import Inspection, Inspector
from domains.identity.own_addresses import own_addresses
from domains.identity.sentences import SlipRemark, english
from domains.identity.spf import ResolverNames
from domains.identity.verdicts import MailOrigin, verdicts
from domains.identity.zone_text import zone_file
from domains.models import Domain, DomainChange, DomainReport, ReturnPath
from domains.operations.isolation import Kind, isolated
from domains.senders import key_states, return_paths, verification
from domains.senders.records import Purpose, Record
from domains.senders.source_addresses import of_sources

# The negative TTL of a zone whose servers cannot be asked, and the longest that is believed
# (RFC 2308, section 5).
A_DAY = 86_400
RETURN_PATH = Purpose.RETURN_PATH
Report = dict[str, Any]  # JSON; docs/commands.md names its keys


def check(domains: Collection[Domain], *, now: datetime, pace: QuestionRate | None = None) -> None:
    """Verify these domains, ask every name server of their zones, and keep what was seen."""
    wanted = [_plan(domain, now=now) for domain in domains]
    found = asyncio.run(verification.look_up([plan.records for plan in wanted]))
    reports = asyncio.run(_look_at_all(wanted, pace))
    for domain, findings, report in zip(domains, found, reports, strict=True):
        with isolated(Kind.DOMAIN, domain.pk):  # once: what fails in part has failed
            verification.keep(domain, findings, now=now)
            if isinstance(report, BaseException):
                raise report
            keep(domain, report, now=now)
            states = {each["name"]: each["state"] for each in report["records"]}
            watch = timedelta(seconds=report["negative_ttl"])
            delegated_keys.note_check(domain, states, report["our_records"])
            keys = states | delegated_keys.key_states(domain, states, report["our_records"])
            key_states.note_check(domain, keys, watch=watch, now=now)
            return_paths.note_check(domain, states.get(domain.return_path_name, ""), now=now)
            subdomains.note_check(domain, report["strict_below"], now=now)


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """What is looked for, and what was known before of the domain's own return path."""

    domain: str
    records: list[Record]
    our_records: list[Record]  # of its delegated keys, in our own zone
    return_path: ReturnPath | None
    covers_subdomains: bool
    now: datetime
    sources: Collection[str] = ()  # addresses of ours

    def return_path_after(self, seen: Sequence[Inspection]) -> str:
        """Return the name that the domain's mail leaves with once the check is written down; "" for
        the installation's own.
        """
        state = next((each.state for each in seen if each.record.purpose is RETURN_PATH), "")
        is_used = return_paths.will_be_used(self.return_path, state, now=self.now)
        return self.return_path.name if self.return_path is not None and is_used else ""


def _plan(domain: Domain, *, now: datetime) -> CheckPlan:
    records = verification.required_records(domain)
    own = return_paths.current(domain)
    ours = delegated_keys.our_records(domain)
    return CheckPlan(
        domain.name, records, ours, own, domain.covers_subdomains, now, sources=of_sources()
    )


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
    resolver = Resolver(nameservers(settings.EKIDEN_DNS))
    return await authorities(resolver).zone_of(domain)


def authorities(resolver: Resolver, pace: QuestionRate | None = None) -> Authorities:
    """Return who asks zones' own servers, and only at addresses that mail may be carried to."""
    exceptions = tuple(map(ip_network, settings.EKIDEN_PRIVATE_NETWORKS))

    def may_ask(address: IpAddress) -> bool:
        return is_allowed(address, exceptions)

    return Authorities(resolver, may_ask, port=settings.EKIDEN_ZONE_PORT, pace=pace)


async def _look_at_all(
    wanted: Sequence[CheckPlan], pace: QuestionRate | None
) -> list[Report | BaseException]:
    resolver = Resolver(nameservers(settings.EKIDEN_DNS))
    asker = authorities(resolver, pace)
    looks = (_look(plan, resolver, asker) for plan in wanted)
    return await asyncio.gather(*looks, return_exceptions=True)


async def _look(plan: CheckPlan, resolver: Resolver, asker: Authorities) -> Report:
    zone = await asker.zone_of(plan.domain)
    inspector = Inspector(plan.domain, zone, asker, resolver)
    seen = await asyncio.gather(*(inspector.look(record) for record in plan.records))
    ours = await delegated_keys.look(plan.our_records, asker, resolver)
    dkim = [*(each for each in seen if each.record.purpose is Purpose.DKIM), *ours]
    is_signed = any(each.state == "found" for each in dkim)
    own = plan.return_path_after(seen)
    origin = await _origin(plan, resolver, return_path=own, is_signed=is_signed)
    mail = await verdicts(origin, ResolverNames(resolver))
    inherited = next((each for each in mail if each["slip"] == "dmarc-inherited"), None)
    strict_below: str | None = None
    if plan.covers_subdomains:
        with suppress(TemporaryFailure):
            strict_below = await subdomains.strict_at(plan.domain, resolver)
    return {
        "mail": mail,
        "strict_below": strict_below,
        "our_records": {each.record.name: each.state for each in ours},
        "zone": zone.name if zone is not None else "",
        "servers": list(zone.hosts) if zone is not None else [],
        "negative_ttl": min(zone.negative_ttl, A_DAY) if zone is not None else A_DAY,
        "records": [
            _kept(each) | _inherited(each, inherited) | _unneeded(each, own) for each in seen
        ],
    }


def _inherited(seen: Inspection, policy: dict[str, Any] | None) -> dict[str, Any]:
    """Return what to show for a missing policy where the organization's is inherited, else nothing.

    It serves as well as one of the domain's own.
    """
    if policy is None or seen.record.purpose is not Purpose.DMARC or seen.state != "missing":
        return {}
    return {
        "state": "found",
        "slip": policy["slip"],
        "given": policy["given"],
        "text": policy["text"],
    }


def _unneeded(seen: Inspection, own: str) -> dict[str, Any]:
    """Mark the SPF record of the From domain as unneeded where mail leaves with a return path of
    its own, which is where receivers look.
    """
    if not own or seen.record.purpose is not Purpose.SPF:
        return {}
    remark = SlipRemark("spf-unneeded", {"name": own, "domain": seen.record.name})
    return {
        "state": "unneeded", "slip": remark.code, "given": remark.given, "text": english(remark),
    }  # fmt: skip


async def _origin(
    plan: CheckPlan, resolver: Resolver, *, return_path: str, is_signed: bool
) -> MailOrigin:
    """Return how the domain's mail leaves here; without a source address from all of our name's."""
    host = settings.EKIDEN_HOSTNAME
    addresses: list[IpAddress] = []
    with suppress(NoSuchName, TemporaryFailure):
        addresses = await own_addresses(resolver, plan.sources)
    return MailOrigin(
        plan.domain, return_path=return_path or host, ehlo=host, addresses=addresses,
        is_signed=is_signed,
    )  # fmt: skip


def _kept(seen: Inspection) -> dict[str, Any]:
    record = seen.record
    return {
        "purpose": record.purpose.value,
        "name": record.name,
        "type": record.type,
        "value": record.value,
        "state": seen.state,
        "text": seen.text,
        "slip": seen.remark.code if seen.remark is not None else "",
        "given": seen.remark.given if seen.remark is not None else {},
        "found": list(seen.values),
        "have": seen.have,
        "of": len(seen.hosts),
        "servers": [asdict(host) for host in seen.hosts],
    }
