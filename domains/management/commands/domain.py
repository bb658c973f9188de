"""Add, list, show and check the domains that projects send for."""

import sys
from pathlib import Path
from typing import Any

from django.utils import timezone

from domains.foundation.command import ActionCommand, AddAction, CommandError
from domains.foundation.dns.resolver import TemporaryFailure
from domains.foundation.text import texts
from domains.foundation.text.addresses import canonical_domain, readable_domain
from domains.identity import checking, signatures, subdomains
from domains.management import domain_history, domain_options, printing
from domains.management.domain_facts import facts_of, return_path_of, state_of
from domains.models import Domain
from domains.operations import audit
from domains.reporting import summary
from domains.senders import domain_alerts, names, report_address, return_paths
from domains.senders.adding import AlreadyVerified, add_domain

MARKS = {
    "found": "✓", "missing": "✗", "wrong": "✗", "spreading": "…", "bogus": "✗",
    "unreachable": "?", "unknown": "?", "unchecked": "·", "unneeded": "·",
}  # fmt: skip

VERDICTS = {"pass": "✓", "fail": "✗", "unknown": "?"}
ALIGNED = {
    True: "It aligns with From.",
    False: "It does not align with From, so DMARC does not count it.",
    None: "Whether it aligns with From cannot be told now.",
}
LARGEST = 268_435_456  # bytes of a message


class Command(ActionCommand):
    help = "The domains that a project sends for; mail leaves only under a verified one."

    def add_actions(self, add: AddAction) -> None:
        adding = domain_options.with_adding(
            add(
                "add",
                self.add,
                "Add a domain, make its DKIM key and show the DNS records to publish.",
            )
        )
        listing = add("list", self.list_all, "List the domains.")
        showing = domain_options.with_showing(
            add(
                "show", self.show, "Show the DNS records to publish, and what the last check found."
            )
        )
        checking = domain_options.with_checking(
            add(
                "check",
                self.check_now,
                "Check the DNS records now; exit status 1 while the domain is not verified.",
            )
        )
        reports = add(
            "reports", self.reports, "Show by day what DMARC reports say of mail with this domain."
        )
        reports.add_argument("--days", type=int, default=summary.DAYS)
        history = add(
            "history", self.history, "Show what checks saw differently from the ones before."
        )
        history.add_argument("--limit", type=int, default=50, help="changes, the newest; 50")
        path = domain_options.with_return_path(
            add(
                "return-path",
                self.choose_return_path,
                "Choose the name below the domain at which failures of its mail come back.",
            )
        )
        below = domain_options.with_subdomains(
            add(
                "subdomains",
                self.choose_subdomains,
                "Let any name below the domain send, signed by it, or only the domain itself.",
            )
        )
        for parser in (adding, showing, path, below, reports, history):
            parser.add_argument("name", metavar="DOMAIN")
        for parser in (adding, listing, showing, checking, path, below, reports, history):
            parser.add_argument("--project", required=parser is adding)

    def add(
        self, *, name: str, project: str, assume_verified: bool, ed25519: bool, as_json: bool
    ) -> None:
        canonical = canonical_domain(name)
        try:
            domain = add_domain(
                names.project(project), canonical, with_ed25519=ed25519, is_assumed=assume_verified
            )
        except AlreadyVerified as error:
            raise CommandError(f"Another project has verified {canonical} already.") from error
        audit.note_command("add", domain, details={"values": audit.facts(domain)})
        if not as_json:
            self.stdout.write(f"Added {domain.name} to the project {project}.")
        self._show(domain, as_json=as_json)

    def list_all(self, *, project: str | None, as_json: bool) -> None:
        domains = Domain.objects.select_related("project").order_by("project__name", "name")
        chosen = domains.filter(project=names.project(project)) if project else domains
        if as_json:
            return self.write_json([facts_of(domain) for domain in chosen])
        rows = [
            (readable_domain(domain.name), domain.project.name, state_of(domain))
            for domain in chosen
        ]
        header = ("DOMAIN", "PROJECT", "STATE")
        return self.write_table(
            [header, *rows],
            empty="There is no domain. Add one: ./ekiden domain add DOMAIN --project P",
        )

    def show(
        self, *, name: str, project: str | None, as_json: bool, zone: bool, page: str | None,
        language: str,
    ) -> None:  # fmt: skip
        domain = names.domain(name, of=project)
        if page is not None:
            return self.stdout.write(printing.written(domain, page, language), ending="")
        if zone:
            return self.stdout.write(checking.zone_of(domain), ending="")
        return self._show(domain, as_json=as_json)

    def check_now(
        self, *, name: str | None, project: str | None, message: str | None, as_json: bool
    ) -> None:
        if message is not None:
            return self._check_message(message, name, as_json=as_json)
        if name is None:
            raise CommandError("Name a domain, or give a message: --message FILE")
        domain = names.domain(name, of=project)
        was_verified = domain.is_verified
        checking.check([domain], now=timezone.now())
        audit.note_command(
            "check_now", domain, details={"verified": [was_verified, domain.is_verified]}
        )
        self._show(domain, as_json=as_json)
        if not domain.is_verified:
            raise SystemExit(1)
        return None

    def _check_message(self, path: str, name: str | None, *, as_json: bool) -> None:
        found = signatures.check_message(_message(path))
        if name is not None and canonical_domain(name) != found["from"]:
            raise CommandError(
                f"The message is from {found['from'] or 'nobody that can be read'}, not from {name}"
            )
        if as_json:
            self.write_json(found)
        else:
            self.stdout.write(f"From: {found['from'] or 'no one domain that can be read'}")
            for each in found["signatures"]:
                self.stdout.write(f"{VERDICTS[each['state']]} {each['text']}")
                self.stdout.write(f"  {ALIGNED[each['is_aligned']]}")
            if not found["signatures"]:
                self.stdout.write("✗ The message has no DKIM signature.")
        if found["state"] != "pass":
            raise SystemExit(1)

    def reports(self, *, name: str, project: str | None, days: int, as_json: bool) -> None:
        domain = names.domain(name, of=project)
        found = summary.summary(domain, days=days)
        if as_json:
            return self.write_json(found)
        header = ("DAY", "OURS", "ALIGNED", "OTHERS", "ALIGNED", "REFUSED", "REPORTS")
        rows = [
            (
                each["day"], each["ours"]["messages"], each["ours"]["aligned"],
                each["others"]["messages"], each["others"]["aligned"],
                each["ours"]["rejected"] + each["others"]["rejected"], each["reports"],
            )
            for each in found["days"]
        ]  # fmt: skip
        self.write_table(
            [header, *(tuple(map(str, row)) for row in rows)],
            empty=f"No report has come to {found['address']} in {days} days. The rua= of the DMARC "
            "record must name it.",
        )
        for each in found["sources"]:
            whose = "ours" if each["is_ours"] else "other"
            self.stdout.write(
                f"  {each['source'] or 'further addresses'} ({whose}): {each['messages']} messages,"
                f" {each['aligned']} aligned; {texts.clean(each['results'])}"
            )
        for each in found["refusals"]:
            self.stdout.write(
                f"\n{each['receiver']} refused for {each['title']}, {each['answers']} answers:"
                f" {texts.clean(each['last_answer'])}\n  {each['advice']}"
            )
        if found["verified"]["messages"]:
            self.stdout.write(
                f"\n{found['verified']['messages']} messages were verified as a receiver does,"
                f" {found['verified']['failed']} failed."
            )
        return self._show_authorisation()

    def _show_authorisation(self) -> None:
        name, value = report_address.authorisation()
        self.stdout.write(
            "\nReports come here only where the relay's own zone agrees to them, once for all "
            f"domains:\n  {name}  TXT\n  {value}"
        )

    def history(self, *, name: str, project: str | None, limit: int, as_json: bool) -> None:
        found = domain_history.changes(names.domain(name, of=project), most=max(0, limit))
        if as_json:
            return self.write_json([domain_history.as_json(each) for each in found])
        for line in (line for each in found for line in domain_history.lines(each)):
            self.stdout.write(line)
        if not found:
            self.stdout.write("No check has seen anything differently from the one before.")
        return None

    def choose_return_path(
        self, *, name: str, project: str | None, label: str | None, none: bool, as_json: bool
    ) -> None:
        domain = names.domain(name, of=project)
        before = domain.return_path_label
        return_paths.choose(domain, (label or "").lower(), now=timezone.now())
        changed = {"return_path_label": [before, domain.return_path_label]}
        audit.note_command("choose_return_path", domain, details={"changed": changed})
        self._show(domain, as_json=as_json)

    def choose_subdomains(
        self, *, name: str, project: str | None, allow: bool, forbid: bool, as_json: bool
    ) -> None:
        domain = names.domain(name, of=project)
        try:
            if allow:
                subdomains.allow(domain)
            else:
                subdomains.forbid(domain, now=timezone.now())
        except subdomains.StrictAlignment as error:
            raise CommandError(
                f"Names below {domain.name} cannot be let in: the DMARC record at _dmarc."
                f"{error.domain} has adkim=s, so receivers take no signature of {domain.name} for "
                "them. Remove adkim=s there, or add each name: ./ekiden domain add"
            ) from error
        except TemporaryFailure as error:
            raise CommandError(
                f"DNS gave no answer about the DMARC policy of {domain.name}: {error}. Try again."
            ) from error
        audit.note_command("allow_subdomains" if allow else "forbid_subdomains", domain)
        self._show(domain, as_json=as_json)

    def _show(self, domain: Domain, *, as_json: bool) -> None:
        if as_json:
            return self.write_json(facts_of(domain))
        self.stdout.write(f"{readable_domain(domain.name)} is {state_of(domain)}.")
        if not domain.is_verified:
            self.stdout.write(f"Publish these records, then: ./ekiden domain check {domain.name}")
        if domain.lets_names_below_send:
            self.stdout.write("Names below it may send, too; it signs for them.")
        self.stdout.write(return_path_of(domain))
        for alert in domain_alerts.open_alerts(domain):
            self.stdout.write(f"! {domain_alerts.english(alert)}")
        for finding in checking.records_of(domain):
            self._show_record(finding)
        if mail := checking.mail_of(domain):
            self.stdout.write("\nWhat receivers make of its mail:")
        for each in mail:
            self.stdout.write(f"  {VERDICTS[each['state']]} {each['text']}")
        self._show_authorisation()
        return None

    def _show_record(self, finding: dict[str, Any]) -> None:
        mark, purpose = MARKS[finding["state"]], finding["purpose"].upper()
        self.stdout.write(f"\n{mark} {purpose}  {finding['text']}".rstrip())
        self.stdout.write(f"  {finding['name']}  {finding['type']}\n  {finding['value']}")
        if finding["state"] not in ("found", "missing"):
            for text in finding["found"]:
                self.stdout.write(f"  found: {texts.clean(text)}")
        if finding["of"]:
            self.stdout.write(f"  {finding['have']} of {finding['of']} name servers have it")
        for host in finding["servers"]:
            if host["state"] == "silent":
                self.stdout.write(f"  {host['host']}: {host['failure']}")


def _message(path: str) -> bytes:
    try:
        if path == "-":
            return sys.stdin.buffer.read(LARGEST)
        return Path(path).read_bytes()[:LARGEST]
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from error
