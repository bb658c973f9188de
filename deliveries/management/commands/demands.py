"""Show and change what receivers ask for, and how a domain stands to it."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone

from deliveries.authentication import demand_verdicts, demands
from deliveries.models import DemandMeasure, ReceiverDemand
from domains.foundation.command import ActionCommand, AddAction, CommandError
from domains.operations import audit
from domains.senders import names

MARKS = {"pass": "✓", "fail": "✗", "unknown": "?"}
FACTS = ("receiver", "measure", "limit", "asked_from", "since", "source", "read_on", "is_asked")


class Command(ActionCommand):
    help = "What large receivers ask of who sends to them, and whether a domain does it."

    def add_actions(self, add: AddAction) -> None:
        add("list", self.list_all, "List the demands with their sources.")
        check = add(
            "check",
            self.check_domain,
            "Say of each whether the domain meets it; exit status 1 where it does not.",
        )
        check.add_argument("domain", metavar="DOMAIN")
        check.add_argument("--project")
        change = add("set", self.change, "Change a demand; a release leaves it as it is then.")
        change.add_argument("--limit", type=float, help="per cent, for complaints and TLS")
        change.add_argument("--asked-from", type=int, help="messages a day; 0: of everybody")
        change.add_argument("--source", help="the page that says so")
        change.add_argument("--read-on", type=date.fromisoformat, help="the day it was read")
        change.add_argument("--asked", choices=("yes", "no"), help="whether it is looked at")
        reset = add("reset", self.reset, "Put a demand back to what is shipped.")
        for parser in (change, reset):
            parser.add_argument("name", metavar="NAME")

    def list_all(self, *, as_json: bool) -> None:
        rows = list(ReceiverDemand.objects.order_by("receiver", "name"))
        if as_json:
            return self.write_json([_facts(row) for row in rows])
        lines = [
            (row.name, str(row.get_measure_display()), _from(row), str(row.read_on), row.source)
            for row in rows
        ]
        return self.write_table(
            [("NAME", "WHAT", "ASKED OF", "READ ON", "SOURCE"), *lines],
            empty="There is none yet: ./ekiden setup",
        )

    def check_domain(self, *, domain: str, project: str | None, as_json: bool) -> None:
        row = names.domain(domain, of=project)
        found = demand_verdicts.judge(row, now=timezone.now())
        if as_json:
            self.write_json(found)
        elif not found:
            self.stdout.write("There are no demands yet: ./ekiden setup")
        receiver = ""
        for each in [] if as_json else found:
            if each["receiver"] != receiver:
                receiver = each["receiver"]
                of = " of the whole project" if each["is_volume_of_project"] else ""
                self.stdout.write(f"{receiver}: {each['busiest_day']} messages on a day{of}")
            label = str(DemandMeasure(each["measure"]).label)
            self.stdout.write(f"  {MARKS[each['state']]} {label}. {each['text']}")
        if any(each["state"] == "fail" for each in found):
            raise SystemExit(1)

    def change(
        self, *, name: str, limit: float | None, asked_from: int | None, source: str | None,
        read_on: date | None, asked: str | None, as_json: bool,
    ) -> None:  # fmt: skip
        row = _row(name)
        before = audit.facts(row, FACTS)
        given: dict[str, Any] = {
            "limit": limit, "asked_from": asked_from, "source": source, "read_on": read_on,
        }  # fmt: skip
        columns = {field: value for field, value in given.items() if value is not None}
        if asked is not None:
            columns["is_asked"] = asked == "yes"
        for field, value in columns.items():
            setattr(row, field, value)
        try:
            row.full_clean()
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        demands.save(row, columns)
        changed = audit.changes(before, audit.facts(row, FACTS))
        audit.note_command("change", row, details={"changed": changed})
        self._show(row, as_json=as_json)

    def reset(self, *, name: str, as_json: bool) -> None:
        row = _row(name)
        try:
            demands.reset(row)
        except KeyError as error:
            raise CommandError(f"{name} is not shipped by this version.") from error
        audit.note_command("reset", row)
        self._show(row, as_json=as_json)

    def _show(self, row: ReceiverDemand, *, as_json: bool) -> None:
        if as_json:
            return self.write_json(_facts(row))
        self.stdout.write(f"{row.name}: {row.get_measure_display()}, asked of {_from(row)}.")
        return None


def _row(name: str) -> ReceiverDemand:
    row = ReceiverDemand.objects.filter(name=name).first()
    if row is None:
        raise CommandError(f"There is no demand {name}. See: ./ekiden demands list")
    return row


def _from(row: ReceiverDemand) -> str:
    if not row.is_asked:
        return "nobody: it is not looked at"
    return f"{row.asked_from} a day" if row.asked_from else "everybody"


def _facts(row: ReceiverDemand) -> dict[str, Any]:
    return {"name": row.name, "is_edited": row.is_edited, **audit.facts(row, FACTS)}
