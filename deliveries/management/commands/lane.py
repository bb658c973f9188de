"""List the lanes in which mail waits, and show one."""

from typing import Any

from django.utils import timezone

from deliveries.insight import host_notes, stats
from deliveries.insight.tracing import site_name
from deliveries.insight.wait_reasons import pace, short, span
from deliveries.models import Lane
from deliveries.steering.selection import Selection, count
from deliveries.steering.targets import find_lane
from domains.foundation.command import ActionCommand, AddAction

SHOWN = 50


class Command(ActionCommand):
    help = (
        "A lane is one receiver's hosts seen from one source address: what is paced, paused and "
        "flushed as a whole."
    )

    def add_actions(self, add: AddAction) -> None:
        add(
            "list",
            self.list_all,
            f"List the lanes in which mail waits, the longest wait first ({SHOWN}; with --json "
            "500).",
        )
        show = add("show", self.show, "Show a lane and what it has learned.")
        show.add_argument(
            "name",
            metavar="LANE",
            help="its number, a recipient domain that leads there, or a host of it",
        )

    def list_all(self, *, as_json: bool) -> None:
        waiting = stats.waiting_lanes(now=timezone.now(), with_reasons=as_json)
        if as_json:
            return self.write_json(
                [{**each, "oldest": each["oldest"].isoformat()} for each in waiting]
            )
        return self.write_table(
            [("LANE", "SITE", "WAITING", "OLDEST", "STATE"), *map(_row, waiting[:SHOWN])],
            empty="Nothing waits.",
        )

    def show(self, *, name: str, as_json: bool) -> None:
        facts = _facts(find_lane(name))
        if as_json:
            return self.write_json(facts)
        width = max(map(len, facts))
        for fact, value in facts.items():
            self.stdout.write(f"{fact.replace('_', ' '):<{width}}  {_spelled(value)}")
        return None


def _row(each: stats.WaitingLane) -> tuple[str, ...]:
    state = (
        "paused by a person"
        if each["is_closed"]
        else "paused for a while"
        if each["is_paused"]
        else "-"
    )
    waits = span((timezone.now() - each["oldest"]).total_seconds())
    return str(each["id"]), short(each["site"]), f"{each['waiting']:,}", waits, state


def _facts(lane: Lane) -> dict[str, Any]:
    return {
        "lane": lane.pk,
        "site": site_name(lane),
        "hosts": [f"{host}:{port}" for _, host, port in sorted(lane.hosts)],
        "source": lane.source or None,
        "tls": lane.tls,
        "waiting": count(Selection(lane=lane.pk)),
        "rule": lane.provider or None,
        "connections_allowed": lane.window,
        "pace": pace(lane.rate) if lane.rate else None,
        "remembered": host_notes.lines(lane, now=timezone.now()) or None,
        "failures": lane.failures,
        "paused_until": lane.paused_until and lane.paused_until.isoformat(),
        "pause_reason": lane.pause_reason or None,
        "closed_at": lane.closed_at and lane.closed_at.isoformat(),
        "closed_by": lane.closed_by or None,
        "close_reason": lane.close_reason or None,
        "last_success_at": lane.last_success_at and lane.last_success_at.isoformat(),
    }


def _spelled(value: Any) -> str:
    if value is None:
        return "-"
    return short(", ".join(value) if isinstance(value, list) else str(value))
