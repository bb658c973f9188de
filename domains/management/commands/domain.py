"""Add, list, show and check the domains that projects send for."""

import secrets
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from domains import names
from domains.addresses import canonical_domain
from domains.command import ActionCommand, AddAction, CommandError
from domains.keys import make_key
from domains.models import Domain, Project
from domains.verification import Finding, as_finding, check, required_records

MARKS = {"found": "✓", "missing": "✗", "wrong": "✗", "unknown": "?", "unchecked": "·"}


class Command(ActionCommand):
    help = "The domains that a project sends for; mail leaves only under a verified one."

    def add_actions(self, add: AddAction) -> None:
        adding = add("add", self.add, "Add a domain, make its DKIM key and show the DNS records to publish.")
        adding.add_argument("name", metavar="DOMAIN")
        adding.add_argument("--assume-verified", action="store_true", help="let it send without a look at DNS, on your word")
        adding.add_argument("--ed25519", action="store_true", help="make an Ed25519 key too, to sign with both")
        listing = add("list", self.list_all, "List the domains.")
        show = add("show", self.show, "Show the DNS records to publish, and what the last check found.")
        checking = add("check", self.check_now, "Check the DNS records now; exit status 1 while the domain is not verified.")
        for parser in (show, checking):
            parser.add_argument("name", metavar="DOMAIN")
        for parser in (adding, listing, show, checking):
            parser.add_argument("--project", required=parser is adding)
            parser.add_argument("--json", action="store_true", dest="as_json")

    def add(self, *, name: str, project: str, assume_verified: bool, ed25519: bool, as_json: bool) -> None:
        domain = _new_domain(names.project(project), canonical_domain(name), with_ed25519=ed25519, is_assumed=assume_verified)
        if not as_json:
            self.stdout.write(f"Added {domain.name} to the project {project}.")
        self._show(domain, as_json=as_json)

    def list_all(self, *, project: str | None, as_json: bool) -> None:
        domains = Domain.objects.select_related("project").order_by("project__name", "name")
        chosen = domains.filter(project=names.project(project)) if project else domains
        if as_json:
            return self.write_json([_facts(domain) for domain in chosen])
        rows = [(domain.name, domain.project.name, _state(domain)) for domain in chosen]
        header = ("DOMAIN", "PROJECT", "STATE")
        return self.write_table([header, *rows], empty="There is no domain. Add one: ./ekiden domain add DOMAIN --project P")

    def show(self, *, name: str, project: str | None, as_json: bool) -> None:
        self._show(names.domain(name, of=project), as_json=as_json)

    def check_now(self, *, name: str, project: str | None, as_json: bool) -> None:
        domain = names.domain(name, of=project)
        check([domain], now=timezone.now())
        self._show(domain, as_json=as_json)
        if not domain.is_verified:
            raise SystemExit(1)

    def _show(self, domain: Domain, *, as_json: bool) -> None:
        if as_json:
            return self.write_json(_facts(domain))
        self.stdout.write(f"{domain.name} is {_state(domain)}.")
        if not domain.is_verified:
            self.stdout.write(f"Publish these records, then: ./ekiden domain check {domain.name}")
        for finding in _findings(domain):
            self.stdout.write(f"\n{MARKS[finding['state']]} {finding['purpose'].upper()}  {finding['text']}".rstrip())
            self.stdout.write(f"  {finding['name']}  {finding['type']}\n  {finding['value']}")
        return None


def _new_domain(project: Project, name: str, *, with_ed25519: bool, is_assumed: bool) -> Domain:
    """All or nothing: a domain without its key would send unsigned."""
    domain = Domain(project=project, name=name, token=secrets.token_hex(16))
    domain.full_clean()
    with transaction.atomic():
        domain.save(force_insert=True)
        make_key(domain)
        if with_ed25519:
            make_key(domain, "ed25519")
        if is_assumed:
            _assume(domain)
    return domain


def _assume(domain: Domain) -> None:
    try:
        domain.verify(now=timezone.now(), assumed=True)
    except IntegrityError as error:
        raise CommandError(f"Another project has verified {domain.name} already.") from error


def _state(domain: Domain) -> str:
    if domain.is_assumed:
        return "taken as verified on an operator's word"
    return "verified" if domain.is_verified else "not verified"


def _findings(domain: Domain) -> list[Finding]:
    """The records required now, each with what the last check found about just this record."""
    kept: dict[tuple[str, str], Finding] = {(finding["name"], finding["value"]): finding for finding in domain.findings}
    return [kept.get((record.name, record.value)) or as_finding(record, "unchecked", "") for record in required_records(domain)]


def _facts(domain: Domain) -> dict[str, Any]:
    return {
        "name": domain.name,
        "project": domain.project.name,
        "is_verified": domain.is_verified,
        "is_assumed": domain.is_assumed,
        "verified_at": domain.verified_at and domain.verified_at.isoformat(),
        "checked_at": domain.checked_at and domain.checked_at.isoformat(),
        "records": _findings(domain),
    }
