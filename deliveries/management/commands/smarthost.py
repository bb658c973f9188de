"""Add, list, change, remove and try smarthosts; secrets come by stdin or a prompt."""

import asyncio
import getpass
import sys
from typing import Any

from django.db import transaction

from deliveries.management import egress_rule_actions
from deliveries.management.commands.route import host_and_port
from deliveries.models import EgressRule, Smarthost
from deliveries.routing import smarthosts
from deliveries.routing.smarthost_presets import PRESETS
from deliveries.sending import smarthost_trial
from domains.foundation.command import ActionCommand, AddAction, CommandError, CommandParser
from domains.operations import audit

LIMITS = {
    "connections": "connections at once",
    "messages_per_connection": "messages on a connection",
    "per_second": "messages a second",
    "per_minute": "messages a minute",
    "per_hour": "messages an hour",
    "per_day": "messages a day",
}
TEXTS = {
    "username": "the mailbox or account that logs in",
    "token_url": "where access tokens are got",
    "client_id": "of this relay at the authorization server",
    "scope": "of the access token",
    "tenant": "of Microsoft 365: its id or first domain",
}


class Command(ActionCommand):
    help = (
        "A smarthost is a service that takes our mail for any recipient: its hosts in order, our "
        "log-in there, and how much it takes. Lead mail there: ./ekiden route add '*' --smarthost "
        "NAME"
    )

    def add_actions(self, add: AddAction) -> None:
        adding = add("add", self.add, "Add a smarthost; its secret comes by stdin or a prompt.")
        changing = add("change", self.change, "Change a smarthost; it is tried again at once.")
        removing = add("remove", self.remove, "Remove a smarthost to which no route leads.")
        leading = add("lead", self.lead, "Lead mail that meets all conditions there.")
        egress_rule_actions.add_conditions(leading)
        unleading = add("unlead", self.unlead, "Remove a rule; its number is in `list`.")
        unleading.add_argument("number", metavar="NUMBER", type=int)
        trying = add("test", self.test, "Log in at each of its hosts, and send nothing.")
        for parser in (adding, changing, removing, trying, leading):
            parser.add_argument("name", metavar="NAME")
        adding.add_argument("--preset", choices=sorted(PRESETS), default="")
        changing.add_argument(
            "--secret",
            action="store_true",
            dest="asks_secrets",
            help="read new secrets from stdin, or ask for them",
        )
        for parser in (adding, changing):
            _add_values(parser)
        add("list", self.list_all, "List the smarthosts, without their secrets.")

    def add(self, *, name: str, preset: str, as_json: bool, **given: Any) -> None:
        values = PRESETS[preset].values(given.get("tenant") or "") if preset else {}
        row = Smarthost(name=name, **(values | _given(given)))
        if not row.hosts:
            raise CommandError("Name a host: --host HOST:PORT/TLS, or a --preset.")
        secrets = self._secrets(row)
        smarthosts.add(row, secrets)
        audit.note_command("add", row, details={"values": audit.facts(row)})
        self._say(row, f"Added the smarthost {row}.", as_json=as_json)

    def change(self, *, name: str, asks_secrets: bool, as_json: bool, **given: Any) -> None:
        row = _found(name)
        before = audit.facts(row)
        columns = _given(given)
        for field, value in columns.items():
            setattr(row, field, value)
        secrets = self._secrets(row) if asks_secrets else {}
        smarthosts.change(row, secrets, columns=columns)
        details: dict[str, Any] = {"before": before, "after": audit.facts(row)}
        if secrets:
            details["secrets"] = "new"
        audit.note_command("change", row, details=details)
        self._say(row, f"Changed the smarthost {row}.", as_json=as_json)

    def remove(self, *, name: str) -> None:
        row = _found(name)
        values = audit.facts(row)
        smarthosts.remove(_found(name))
        audit.note_command("delete", row, details={"values": values})
        self.stdout.write(f"Removed the smarthost {row}.")

    @transaction.atomic
    def lead(self, *, name: str, **given: Any) -> None:
        rule = egress_rule_actions.rule_of(smarthost=_found(name), **given)
        if not rule.conditions:
            raise CommandError("Give a condition. For all mail: ./ekiden route add '*' --smarthost")
        egress_rule_actions.add_rule(self, rule)

    @transaction.atomic
    def unlead(self, *, number: int) -> None:
        rules = EgressRule.objects.filter(smarthost__isnull=False)
        egress_rule_actions.remove_rule(self, rules, number, listed_by="smarthost list")

    def list_all(self, *, as_json: bool) -> None:
        everything = list(Smarthost.objects.all())
        if as_json:
            return self.write_json([facts(row) for row in everything])
        header = ("NAME", "HOSTS", "LOG-IN", "USER", "STATE")
        rows = [
            (
                row.name,
                ", ".join(_host(*host) for host in row.hosts),
                row.mechanism,
                row.username,
                smarthosts.state(row),
            )
            for row in everything
        ]
        self.write_table([header, *rows], empty="There is no smarthost.")
        if rules := list(EgressRule.objects.filter(smarthost__isnull=False)):
            led = [(str(rule.pk), str(rule.position), str(rule)) for rule in rules]
            self.stdout.write("")
            self.write_table([("RULE", "POSITION", "MAIL"), *led], empty="")
        return None

    def test(self, *, name: str, as_json: bool) -> None:
        row = _found(name)
        found = asyncio.run(smarthost_trial.trial(row))
        if as_json:
            self.write_json(found)
        else:
            for each in found:
                mark = "ok  " if each["ok"] else "FAIL"
                place = f"{each['host']}:{each['port']} {each['address']}".rstrip()
                self.stdout.write(f"{mark} {place}  {each['tls'] or 'no TLS'}  {each['said']}")
        if not all(each["ok"] for each in found):
            raise CommandError("Not every host lets us in.", returncode=1)

    def _secrets(self, row: Smarthost) -> dict[str, str]:
        """Read each secret from a line of stdin, or ask for it at a terminal."""
        found = {}
        for name in smarthosts.wanted_secrets(row):
            words = name.replace("_", " ")
            if sys.stdin.isatty():
                found[name] = getpass.getpass(f"{words} of {row.name}: ")
            else:
                found[name] = sys.stdin.readline().strip("\r\n")
        return found

    def _say(self, row: Smarthost, text: str, *, as_json: bool) -> None:
        if as_json:
            return self.write_json(facts(row))
        self.stdout.write(text)
        return self.stdout.write(f"Try it: ./ekiden smarthost test {row}")


def facts(row: Smarthost) -> dict[str, object]:
    """Return it as programs read it; whether it has a secret, never which."""
    known: dict[str, object] = {
        "name": row.name,
        "hosts": [
            {"host": host, "port": port, "tls": tls, "preference": place}
            for place, (host, port, tls) in enumerate(row.hosts)
        ],
        "mechanism": row.mechanism,
        "has_secret": bool(row.sealed),
        "grant": row.grant,
        "preset": row.preset,
        "state": smarthosts.state(row),
        "rules": [
            {"rule": rule.pk, "position": rule.position, "mail": rule.conditions}
            for rule in row.rules.select_related("project", "credential")
        ],
    }
    for name in (*TEXTS, *LIMITS):
        known[name] = getattr(row, name)
    return known


def _add_values(parser: CommandParser) -> None:
    parser.add_argument(
        "--host",
        action="append",
        dest="hosts",
        metavar="HOST:PORT/TLS",
        help=f"in their order (again for more); TLS: {', '.join(Smarthost.HostTls.values)}",
    )
    parser.add_argument("--mechanism", choices=Smarthost.Mechanism.values)
    parser.add_argument("--grant", choices=Smarthost.Grant.values)
    for name, meaning in TEXTS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", help=meaning)
    for limit, meaning in LIMITS.items():
        parser.add_argument(
            f"--{limit.replace('_', '-')}",
            type=int,
            metavar="N",
            help=f"at most N {meaning}; 0: no limit",
        )


def _given(options: dict[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in options.items() if value is not None}
    if "hosts" in given:
        given["hosts"] = [_of_text(each) for each in given["hosts"]]
    for name in LIMITS.keys() & given.keys():
        if given[name] < 0:
            raise CommandError(f"--{name.replace('_', '-')}: a number from 0 on.")
        given[name] = given[name] or None
    return given


def _of_text(text: str) -> list[Any]:
    place, _, tls = text.partition("/")
    host, port = host_and_port(place)
    return [host, port, tls or Smarthost.HostTls.VERIFIED.value]


def _host(host: str, port: int, tls: str) -> str:
    return f"[{host}]:{port}/{tls}" if ":" in host else f"{host}:{port}/{tls}"


def _found(name: str) -> Smarthost:
    row = Smarthost.objects.filter(name=name).first()
    if row is None:
        raise CommandError(f"No such smarthost: {name}. See: ./ekiden smarthost list")
    return row
