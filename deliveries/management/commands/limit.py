"""Manage limits over providers: how much all lanes together may do there."""

from typing import Any

from django.db import transaction

from deliveries.models import ProviderLimit
from deliveries.shaping import provider_limits
from domains.foundation.command import ActionCommand, AddAction, CommandError
from domains.operations import audit


class Command(ActionCommand):
    help = (
        "A limit over a provider holds for all lanes that lead to it together, from every source "
        "and on every node; the rule of each receiver limits each lane alone."
    )

    def add_actions(self, add: AddAction) -> None:
        setting = add("set", self.set, "Write a limit down, or change it.")
        setting.add_argument("name", metavar="NAME")
        setting.add_argument(
            "receivers", metavar="RECEIVER", nargs="+", help="name of a receiver's rule"
        )
        setting.add_argument("--connections", type=int, help="at once, of all lanes together")
        setting.add_argument("--messages", type=int, help="in each period")
        setting.add_argument(
            "--per", choices=ProviderLimit.Period.values, default="minute",
            help="period (default: %(default)s)",
        )  # fmt: skip
        add("list", self.list_all, "List the limits, and what they hold now.")
        removing = add("remove", self.remove, "Remove a limit.")
        removing.add_argument("name", metavar="NAME")

    @transaction.atomic
    def set(
        self, *, name: str, receivers: list[str], connections: int | None, messages: int | None,
        per: str,
    ) -> None:  # fmt: skip
        row = ProviderLimit.objects.filter(name=name).first() or ProviderLimit(name=name)
        row.receivers, row.connections = receivers, connections
        row.messages, row.period = messages, per
        provider_limits.save(row)
        audit.note_command("change", row, details={"values": audit.facts(row)})
        self.stdout.write(f"{row}: {provider_limits.sentence(row)}, of {', '.join(row.receivers)}.")

    def list_all(self, *, as_json: bool) -> None:
        rows = [_facts(row) for row in ProviderLimit.objects.all()]
        if as_json:
            return self.write_json(rows)
        header = ("LIMIT", "RECEIVERS", "CONNECTIONS", "IN USE", "MESSAGES")
        shown = [
            (
                row["name"], " ".join(row["receivers"]), str(row["connections"] or "-"),
                str(row["in_use"]),
                f"{row['messages']:,} a {row['per']}" if row["messages"] else "-",
            )
            for row in rows
        ]  # fmt: skip
        return self.write_table(
            [header, *shown],
            empty="There is no limit over a provider: each lane has those of its receiver's rule.",
        )

    @transaction.atomic
    def remove(self, *, name: str) -> None:
        row = ProviderLimit.objects.filter(name=name).first()
        if row is None:
            raise CommandError(f"There is no limit {name}. See: ./ekiden limit list")
        audit.note_command("delete", row, details={"values": audit.facts(row)})
        provider_limits.remove(row)
        self.stdout.write(f"Removed the limit {name}.")


def _facts(row: ProviderLimit) -> dict[str, Any]:
    return {
        "name": row.name, "receivers": row.receivers, "connections": row.connections,
        "in_use": provider_limits.in_use(row), "messages": row.messages, "per": row.period,
    }  # fmt: skip
