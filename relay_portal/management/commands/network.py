"""From which networks people may log in; also the way back in for who has shut themselves out."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from domains.foundation.command import ActionCommand, AddAction, CommandError
from domains.foundation.rights import Role
from domains.operations import audit
from relay_portal.models import LogInNetwork


class Command(ActionCommand):
    help = "From which networks people may use the portal. Without any rule: from everywhere."

    def add_actions(self, add: AddAction) -> None:
        adding = add("add", self.add, "Allow a network, such as 192.0.2.0/24 or 2001:db8::/32.")
        removing = add("remove", self.remove, "Allow it no more.")
        for parser in (adding, removing):
            parser.add_argument("network")
            parser.add_argument(
                "--role", choices=Role.values, default="", help="everybody without it"
            )
        add("list", self.list_all, "List the networks.")
        add("clear", self.clear, "Remove all: log-in is possible from everywhere then.")

    @transaction.atomic
    def add(self, *, network: str, role: str) -> None:
        row = LogInNetwork(network=network, role=role)
        try:
            row.full_clean()
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        row.save()
        audit.note_command("add", row, details={"values": audit.facts(row)})
        self.stdout.write(f"{_whom(role)} may log in from {row.network}.")

    @transaction.atomic
    def remove(self, *, network: str, role: str) -> None:
        row = LogInNetwork.objects.filter(network=network, role=role).first()
        if row is None:
            raise CommandError(f"There is no such rule for {network}. See: ./ekiden network list")
        _delete(row)
        self.stdout.write(f"{network} is no network of {_whom(role).lower()} any more.")

    @transaction.atomic
    def clear(self) -> None:
        rows = list(LogInNetwork.objects.all())
        for row in rows:
            _delete(row)
        self.stdout.write(f"{len(rows)} removed: people may log in from everywhere.")

    def list_all(self, *, as_json: bool) -> None:
        found = [
            {"network": row.network, "role": row.role or None, "note": row.note}
            for row in LogInNetwork.objects.order_by("role", "network")
        ]
        if as_json:
            return self.write_json(found)
        rows = [
            (str(each["network"]), each["role"] or "everybody", each["note"] or "")
            for each in found
        ]
        empty = "There is no rule: people may log in from everywhere."
        return self.write_table([("NETWORK", "WHO", "NOTE"), *rows], empty=empty)


def _delete(row: Any) -> None:
    audit.note_command("delete", row, details={"values": audit.facts(row)})
    row.delete()


def _whom(role: str) -> str:
    return f"Whoever is {role}" if role else "Everybody"
