"""Look at what waits, and do something to a selection of it."""

import argparse
import re
import sys
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.utils import timezone

from deliveries.insight.tracing import why_waiting
from deliveries.insight.wait_reasons import short
from deliveries.management.commands.route import host_and_port
from deliveries.models import Lane, Order, Route
from deliveries.models.states import LIVE
from deliveries.steering import order_commands, orders, pauses
from deliveries.steering.selection import Selection, SelectionPreview, preview
from deliveries.steering.targets import find_lane, reason
from domains.foundation.command import ActionCommand, AddAction, CommandError, CommandParser
from domains.foundation.text.addresses import canonical_domain, parse_path
from domains.operations import audit
from domains.senders import names

VERBS = {
    Order.Verb.RETRY: (
        "Try them now, whatever their next try; their lanes forget the pauses that they have "
        "learned."
    ),
    Order.Verb.CANCEL: "End them; nobody is told.",
    Order.Verb.BOUNCE: "End them; their senders get a report that holds your reason.",
    Order.Verb.REROUTE: "Look anew where they go, or lead them to a host.",
    Order.Verb.HOLD: (
        "Let them wait until they are released; what is still held at its deadline expires."
    ),
    Order.Verb.RELEASE: "Let them go on, whatever is paused but all delivery and their lane.",
}
FOR_GOOD = (Order.Verb.CANCEL, Order.Verb.BOUNCE)
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
SHOWN = 50


def age(text: str) -> timedelta:
    """Read an argument such as `90s`, `15m`, `2h`, `3d`; for argparse."""
    found = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text} is no time such as 90s, 15m, 2h or 3d")
    return timedelta(seconds=int(found[1]) * UNITS[found[2]])


class Command(ActionCommand):
    help = (
        "Look at what waits, and try, cancel, bounce, reroute, hold or release a selection of it."
    )

    def add_actions(self, add: AddAction) -> None:
        show = add(
            "show", self.show, "Show what a selection holds: how many, the oldest, a few of them."
        )
        _add_selection(show)
        for verb, meaning in VERBS.items():
            acting = add(verb.value, partial(self.order, verb), meaning)
            _add_selection(acting)
            acting.add_argument(
                "--reason", required=True, type=reason, help="why: it goes into the audit log"
            )
            acting.add_argument(
                "--dry-run",
                action="store_true",
                help="show what it would be done to, and do nothing",
            )
            if verb in FOR_GOOD:
                acting.add_argument("--yes", action="store_true", help="do not ask")
            if verb is Order.Verb.REROUTE:
                acting.add_argument(
                    "--to", metavar="HOST:PORT", help="to this host; without it: looked up anew"
                )
                acting.add_argument(
                    "--tls", choices=Route.Tls.values, default=Route.Tls.OPPORTUNISTIC.value
                )
        add("orders", self.list_orders, f"List the last {SHOWN} orders and how far they are.")
        stopping = add("stop", self.stop, "Stop an order; what is done stays done.")
        stopping.add_argument("number", type=int, metavar="ORDER")
        stopping.add_argument(
            "--reason", required=True, type=reason, help="why: it goes into the audit log"
        )

    def show(self, *, as_json: bool, **given: Any) -> None:
        self._show(_selection(given), as_json=as_json)

    def order(
        self,
        verb: Order.Verb,
        *,
        reason: str,
        dry_run: bool,
        as_json: bool,
        yes: bool = True,
        **given: Any,
    ) -> None:
        target = _target(given.pop("to", None), given.pop("tls", ""))
        selection = _selection(given)
        if dry_run:
            return self._show(selection, as_json=as_json)
        if not yes and not _is_agreed(verb, selection):
            raise CommandError("Nothing was changed.")
        parameters = _parameters(*target) if target else None
        if verb is Order.Verb.RETRY and selection.lane is not None:
            pauses.wake(Lane.objects.get(pk=selection.lane))  # also where nothing waits in it
        result = order_commands.carry_out(
            verb,
            selection,
            reason=reason,
            parameters=parameters,
            progress=None if as_json else self.stdout,
        )
        return (
            self.write_json(result.as_json())
            if as_json
            else self.stdout.write(order_commands.sentence(result))
        )

    def list_orders(self, *, as_json: bool) -> None:
        given = list(Order.objects.order_by("-id")[:SHOWN])
        if as_json:
            return self.write_json([_facts(order) for order in given])
        header = ("ORDER", "WHAT", "WHICH", "DONE", "STATE", "BY", "WHY")
        rows = [
            (str(each.pk), each.verb, str(Selection.of_json(each.selection)),
                f"{each.done:,}/{each.expected:,}", _state(each),
             each.created_by, each.reason) for each in given
        ]  # fmt: skip
        return self.write_table([header, *rows], empty="No order was given yet.")

    def stop(self, *, number: int, reason: str) -> None:
        order = Order.objects.filter(pk=number).first()
        if order is None:
            raise CommandError(f"No such order: {number}. See: ./ekiden queue orders")
        if not orders.stop(order):
            raise CommandError(f"The order {number} is finished already.")
        audit.note_command("stop_order", order, reason=reason)
        order.refresh_from_db()
        self.stdout.write(
            f"Stopped the order {number}; it was done to {order.done:,} of {order.expected:,} "
            "deliveries."
        )

    def _show(self, selection: Selection, *, as_json: bool) -> None:
        found = preview(selection)
        if as_json:
            return self.write_json(_preview_facts(found))
        if not found.count:
            return self.stdout.write(f"Nothing waits ({selection}).")
        more = "" if found.is_counted_out else "more than "
        self.stdout.write(
            f"{more}{found.count:,} wait ({selection}), the oldest accepted "
            f"{found.oldest:%Y-%m-%d %H:%M:%S %Z}:\n"
        )
        for each in found.examples:
            self.stdout.write(
                f"  {each.message_id}  {short(each.recipient)}\n"
                f"    {why_waiting(each, now=timezone.now())}"
            )
        return None


def _add_selection(parser: CommandParser) -> None:
    """Add the options that select deliveries; all that are given must hold."""
    parser.add_argument("--all", action="store_true", dest="is_all", help="everything that waits")
    parser.add_argument("--project", help="of this project")
    parser.add_argument(
        "--credential",
        metavar="USERNAME",
        help="handed in by this credential (its name where --project is given)",
    )
    parser.add_argument("--domain", help="to this recipient domain")
    parser.add_argument("--recipient", metavar="ADDRESS", help="to this address")
    parser.add_argument(
        "--lane",
        help="in this lane: its number, a recipient domain that leads there, or a host of it",
    )
    parser.add_argument("--state", choices=[state.value for state in LIVE])
    parser.add_argument(
        "--older-than", type=age, metavar="AGE", help="accepted longer ago than 90s, 15m, 2h, 3d"
    )
    parser.add_argument("--held", action="store_true", help="put aside, by a person or by a pause")
    parser.add_argument(
        "--message",
        action="append",
        default=[],
        type=_id,
        metavar="ID",
        help="of this message (again for more)",
    )
    parser.add_argument("--json", action="store_true", dest="as_json")


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is no queue id") from error


def _selection(given: dict[str, Any]) -> Selection:
    """Return the selection that the arguments make.

    Raise `CommandError` for a selection of nothing in particular, unless all was asked for.
    """
    project, credential = given["project"], given["credential"]
    selection = Selection(
        project=names.project(project).pk if project else None,
        credential=names.credential(credential, of=project).pk if credential else None,
        domain=canonical_domain(given["domain"]) if given["domain"] else "",
        recipient=parse_path(given["recipient"].strip("<>"), smtputf8=True).key
        if given["recipient"]
        else "",
        lane=find_lane(given["lane"]).pk if given["lane"] else None,
        state=given["state"] or "",
        before=_before(given["older_than"]),
        is_held=given["held"],
        messages=tuple(given["message"]),
    )
    if selection.is_everything and not given["is_all"]:
        raise CommandError("Say which deliveries, or --all (see: ./ekiden queue show --help).")
    if given["is_all"] and not selection.is_everything:
        raise CommandError("--all is everything that waits, and goes with no other choice.")
    return selection


def _before(age: timedelta | None) -> datetime | None:
    return timezone.now() - age if age is not None else None


def _target(to: str | None, tls: str) -> tuple[str, int, str] | None:
    return (*host_and_port(to), tls) if to else None


def _parameters(host: str, port: int, tls: str) -> dict[str, Any]:
    return {
        "lane": orders.forced_lane(host.lower(), port, tls).pk,
        "to": f"{host.lower()}:{port} ({tls})",
    }


def _is_agreed(verb: Order.Verb, selection: Selection) -> bool:
    if not sys.stdin.isatty():
        raise CommandError("Say --yes to do it without being asked.")
    found = preview(selection)
    return (
        input(f"{verb.label} {found.count:,} deliveries ({selection}) for good? [yes/no] ")
        .strip()
        .lower()
        == "yes"
    )


def _state(order: Order) -> str:
    if order.stopped_at:
        return "stopped"
    return "finished" if order.finished_at else "under way"


def _preview_facts(found: SelectionPreview) -> dict[str, Any]:
    examples = [
        {"id": str(each.message_id), "recipient": each.recipient, "state": each.state}
        for each in found.examples
    ]
    return {
        "waiting": found.count,
        "oldest": found.oldest and found.oldest.isoformat(),
        "examples": examples,
    }


def _facts(order: Order) -> dict[str, Any]:
    return {
        "order": order.pk,
        "what": order.verb,
        "selection": order.selection,
        "selected": order.expected,
        "looked_at": order.seen,
        "done": order.done,
        "state": _state(order),
        "by": order.created_by,
        "reason": order.reason,
        "given_at": order.created_at.isoformat(),
    }
