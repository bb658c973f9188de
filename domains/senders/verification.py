"""Whether a domain's DNS says what it must, and so whether the project may send as that domain."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from ipaddress import ip_address
from typing import TypedDict

from django.conf import settings
from django.db import IntegrityError, transaction

from domains.foundation.dns import resolver as dns
from domains.models import Domain
from domains.senders import delegation, records, report_address, trust
from domains.senders.records import Purpose, Record
from domains.senders.source_addresses import of_sources

# Each proves that whoever asks may change the domain's zone: their values were made for this
# project alone.
PROOFS = frozenset({Purpose.OWNERSHIP, Purpose.DKIM, Purpose.KEY_DELEGATION})

TRUST = ("verified_at", "is_assumed", "lost_at", "lapsed_at", "claims_since")
TAKEN = "Another project has verified this domain. Remove it there first."


class RecordFinding(TypedDict):
    """One record as it is kept with the domain; `state` is found, missing, wrong, or unknown where
    DNS gave no answer.
    """

    purpose: str
    name: str
    type: str
    value: str
    state: str
    text: str


def required_records(domain: Domain) -> list[Record]:
    """Return what the domain has to publish."""
    keys = domain.keys.to_publish().exclude(selector__in=delegation.selectors(domain))
    return records.required(
        domain.name,
        token=domain.token,
        keys=list(keys.values_list("selector", "public_record")),
        delegations=delegation.to_publish(domain),
        spf=our_spf().split(),
        reports=_report_tags(domain),
        return_path=domain.return_path_name,
        host=settings.EKIDEN_HOSTNAME,
    )


def _report_tags(domain: Domain) -> list[str]:
    """Return the tags of its DMARC record that let us know what receivers see."""
    tags = [f"rua=mailto:{report_address.address(domain.pk)}"]
    if report_address.takes_failure_reports():
        tags.append(f"ruf=mailto:{report_address.address(domain.pk, report_address.FAILURE)}")
    return tags


def findings(domain: Domain) -> list[RecordFinding]:
    """Return the records required now, each with what the last check found about just this one."""
    kept: dict[tuple[str, str], RecordFinding] = {
        (finding["name"], finding["value"]): finding for finding in domain.findings
    }
    return [
        kept.get((record.name, record.value)) or as_finding(record, "unchecked", "")
        for record in required_records(domain)
    ]


def our_spf() -> str:
    """Return the mechanisms that stand for our hosts, separated by blanks."""
    if sources := of_sources():
        return " ".join(f"ip{ip_address(each).version}:{each}" for each in sources)
    if not settings.EKIDEN_SOURCE:
        return f"a:{settings.EKIDEN_HOSTNAME}"
    return f"ip{ip_address(settings.EKIDEN_SOURCE).version}:{settings.EKIDEN_SOURCE}"


def finding_of(record: Record, published: Sequence[str] | None, failure: str = "") -> RecordFinding:
    """Return what a resolver's answer says of the record; None where DNS gave none."""
    if published is None:
        return as_finding(record, "unknown", f"DNS gave no answer: {failure}.")
    finding = records.check(record, published)
    return as_finding(record, type(finding).__name__.lower(), finding.text)


async def published_at(resolver: dns.Resolver, record: Record) -> tuple[str, ...]:
    """Return the records of its type there; raises `NoSuchName` and `TemporaryFailure`."""
    if record.type == "TXT":
        return tuple(await resolver.txt(record.name))
    return tuple(await resolver.values(record.name, record.type))


def as_finding(record: Record, state: str, text: str) -> RecordFinding:
    return RecordFinding(
        purpose=record.purpose.value,
        name=record.name,
        type=record.type,
        value=record.value,
        state=state,
        text=text,
    )


def keep(domain: Domain, found: Sequence[RecordFinding], *, now: datetime) -> None:
    """Keep what was found.

    A verified domain stays so for a while, whatever is found (`domains.senders.trust`): a slip in
    its zone must not stop its mail, and the findings and an alert tell.
    """
    domain.findings, domain.checked_at = list(found), now
    domain.save(update_fields=["findings", "checked_at"])
    states = [finding["state"] for finding in found if finding["purpose"] in PROOFS]
    if "found" in states:
        _verify(domain, now=now)
    elif trust.is_gone(states):
        trust.note_gone(domain, now=now)


def _verify(domain: Domain, *, now: datetime) -> None:
    if domain.is_verified and not domain.is_assumed:
        return trust.note_proof(domain, now=now)
    try:
        with transaction.atomic():
            domain.verify(now=now)
            trust.note_proof(domain, now=now)
    except IntegrityError:
        # The constraint decides, however many projects check the same domain at once.
        domain.refresh_from_db(fields=TRUST)
        trust.note_claim(domain, now=now)
        taken = {"state": "wrong", "text": TAKEN}
        domain.findings = [
            finding | taken if finding["purpose"] in PROOFS else finding
            for finding in domain.findings
        ]
        domain.save(update_fields=["findings"])
    return None
