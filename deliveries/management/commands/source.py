"""Manage the addresses that mail leaves from."""

from datetime import timedelta
from ipaddress import ip_address

from django.db import transaction
from django.utils import timezone

from deliveries.insight import sources as insight
from deliveries.management.warm_up_actions import WarmUpActions, find_source
from deliveries.models import Pool, Source, SourceState
from deliveries.routing.egress_reading import can_bind
from deliveries.steering import sources, warming
from domains.foundation.command import AddAction, CommandError
from domains.operations import audit


class Command(WarmUpActions):
    help = (
        "A source is an address that mail leaves from, with the name that it says in EHLO. "
        "Without one, mail leaves as EKIDEN_SOURCE says."
    )

    def add_actions(self, add: AddAction) -> None:
        adding = add("add", self.add, "Add a source, and put it into a pool.")
        adding.add_argument("name", metavar="NAME")
        adding.add_argument(
            "addresses", metavar="ADDRESS", nargs="+", help="an IPv4 address, an IPv6 address"
        )
        adding.add_argument("--ehlo", default="", help="name in EHLO (default: EKIDEN_HOSTNAME)")
        adding.add_argument("--pool", default=Pool.DEFAULT, help="default: %(default)s")
        adding.add_argument("--weight", type=int, default=100, help="default: %(default)s")
        add("list", self.list_all, "List the sources.")
        add("nodes", self.list_nodes, "List the machines with workers, and their sources.")
        resting = add("rest", self.rest, "Let a source send nothing, or nothing to one receiver.")
        resting.add_argument("--reason", required=True)
        resting.add_argument("--receiver", default="", help="name of the receiver's rule")
        resting.add_argument("--hours", type=float, help="with --receiver; default: no end")
        waking = add("use", self.use, "End a source's rest, or that for one receiver.")
        waking.add_argument("--receiver", default="", help="name of the receiver's rule")
        out = add("out", self.out, "Take a source out of use.")
        out.add_argument("--reason", required=True)
        removing = add("remove", self.remove, "Remove a source; its mail goes by others.")
        for parser in (resting, waking, out, removing):
            parser.add_argument("name", metavar="NAME")
        self.add_warm_up_actions(add)

    @transaction.atomic
    def add(self, *, name: str, addresses: list[str], ehlo: str, pool: str, weight: int) -> None:
        given: dict[str, str] = {}
        for address in addresses:
            family = f"ipv{_version(address)}"
            if family in given:
                raise CommandError("A source has one address of each family at most.")
            given[family] = str(ip_address(address))
        source = sources.add(Source(name=name, ehlo_name=ehlo.lower(), **given), pool, weight)
        audit.note_command("add", source, details={"values": audit.facts(source), "pool": pool})
        self.stdout.write(f"Added the source {source}, in the pool {pool}.")
        if missing := [address for address in source.addresses if not can_bind(address)]:
            self.stdout.write(
                f"This machine has not the address {', '.join(missing)}: mail leaves by it from a "
                "node that has. Nodes: ./ekiden source nodes"
            )

    def list_all(self, *, as_json: bool) -> None:
        found = insight.sources()
        if as_json:
            return self.write_json(found)
        header = ("SOURCE", "ADDRESS", "STATE", "POOLS", "NODES", "LANES", "WAITING")
        return self.write_table(
            [header, *map(_row, found)],
            empty="There is no source: mail leaves as EKIDEN_SOURCE says. "
            "Add one: ./ekiden source add NAME ADDRESS",
        )

    def list_nodes(self, *, as_json: bool) -> None:
        found = insight.nodes()
        if as_json:
            return self.write_json(found)
        header = ("NODE", "SOURCES", "LANES", "LAST SEEN", "")
        rows = [
            (each["name"], " ".join(each["sources"]), str(each["lanes"]), each["seen_at"][:19],
             "" if each["is_here"] else "gone")
            for each in found
        ]  # fmt: skip
        return self.write_table(
            [header, *rows], empty="No worker has seen a source yet (./ekiden source list)."
        )

    @transaction.atomic
    def rest(self, *, name: str, reason: str, receiver: str, hours: float | None) -> None:
        source = find_source(name)
        if receiver:
            until = timezone.now() + timedelta(hours=hours) if hours else None
            by = audit.command_line()
            sources.rest(source, receiver, reason=reason, by=by, until=until)
            what = f"{source} sends nothing to {receiver}"
        else:
            if hours:
                raise CommandError("--hours is for one receiver: give --receiver as well.")
            sources.set_state(source, SourceState.RESTING, reason)
            what = f"{source} sends nothing"
        audit.note_command("rest", source, reason=reason, details={"receiver": receiver or None})
        self.stdout.write(
            f"{what}; its mail goes by the others of its pool, or waits where there is none."
        )

    @transaction.atomic
    def use(self, *, name: str, receiver: str) -> None:
        source = find_source(name)
        if receiver:
            if not sources.end_rest(source, receiver):
                raise CommandError(f"{source} does not rest for {receiver}.")
        else:
            warming.use(source)
        audit.note_command("use", source, details={"receiver": receiver or None})
        self.stdout.write(f"{source} is in use{f' for {receiver}' if receiver else ''}.")

    @transaction.atomic
    def out(self, *, name: str, reason: str) -> None:
        source = find_source(name)
        sources.set_state(source, SourceState.OUT, reason)
        audit.note_command("out", source, reason=reason)
        self.stdout.write(f"{source} is out of use. Back: ./ekiden source use {source.name}")

    @transaction.atomic
    def remove(self, *, name: str) -> None:
        source = find_source(name)
        audit.note_command("delete", source, details={"values": audit.facts(source)})
        described = str(source)
        sources.remove(source)
        self.stdout.write(f"Removed the source {described}; its mail goes by others.")


def _version(address: str) -> int:
    try:
        return ip_address(address).version
    except ValueError as error:
        raise CommandError(f"{address} is no IP address.") from error


def _row(each: insight.SourceOverview) -> tuple[str, ...]:
    rests = [f"rests for {rest['name']}" for rest in each["rests"]]
    return (
        each["name"],
        " ".join(filter(None, (each["ipv4"], each["ipv6"]))),
        ", ".join([each["state"], *rests]),
        " ".join(f"{pool}={weight}" for pool, weight in each["pools"].items()) or "-",
        " ".join(each["nodes"]) or "none",
        str(each["lanes"]),
        f"{each['waiting']:,}",
    )
