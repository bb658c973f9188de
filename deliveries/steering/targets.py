"""What can be paused and resumed from the command line, and by which name: all delivery, a
project, a credential, ...
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from deliveries.insight.tracing import site_name
from deliveries.models import Lane, Stop
from deliveries.steering import pauses
from deliveries.steering.selection import Selection
from domains.foundation.command import ActionCommand, AddAction, CommandError, CommandParser
from domains.foundation.text.addresses import BadAddress, canonical_domain
from domains.models import Credential, Project
from domains.operations import audit
from domains.senders import names

SEVERAL_MOST = 10


@dataclass(frozen=True, slots=True)
class Target:
    """One of them: in words, as it is typed, its row where it has one, and its mail."""

    words: str
    typed: str
    row: Project | Credential | Lane | None
    domain: str
    selection: Selection

    def pause(self) -> Stop | None:
        """Return the target's pause; a lane has none, but is closed."""
        if isinstance(self.row, Project | Credential):
            return pauses.of(self.row)
        return (
            Stop.objects.filter(domain=self.domain).first() if self.domain else pauses.emergency()
        )


def everything() -> Target:
    return Target("all delivery", "all", None, "", Selection())


def project(name: str) -> Target:
    row = names.project(name)
    return Target(f"the project {row}", f"project {row}", row, "", Selection(project=row.pk))


def credential(name: str, project: str | None) -> Target:
    row = names.credential(name, of=project)
    typed = f"credential {row.name} --project {row.project}"
    return Target(f"the credential {row}", typed, row, "", Selection(credential=row.pk))


def domain(name: str) -> Target:
    canonical = canonical_domain(name)
    return Target(
        f"mail to {canonical}", f"domain {canonical}", None, canonical, Selection(domain=canonical)
    )


def lane(name: str) -> Target:
    row = find_lane(name)
    return Target(f"the lane {site_name(row)}", f"lane {row.pk}", row, "", Selection(lane=row.pk))


def find_lane(text: str) -> Lane:
    """Find a lane by its number, a recipient domain that leads there, its site or one of its hosts.
    Raises `CommandError`.
    """
    if text.isascii() and text.isdigit():
        found = list(Lane.objects.filter(pk=int(text)))
    else:
        name = _lower(text)
        lanes = Lane.objects.exclude(pk__in=(Lane.ROUTING, Lane.PARKED))
        found = list(
            lanes.filter(destinations__domain=name)
            or lanes.filter(site=name)
            or [each for each in lanes if _has_host(each, name)]
        )
    if len(found) == 1:
        return found[0]
    if not found:
        raise CommandError(
            f"No such lane: {text} is no number, recipient domain, site or host of one. See: "
            "./ekiden lane list"
        )
    listed = ", ".join(f"{each.pk} ({site_name(each)})" for each in found[:SEVERAL_MOST])
    raise CommandError(f"Several lanes are called {text}; choose by number: {listed}.")


def _has_host(lane: Lane, name: str) -> bool:
    return any(host == name for _, host, _ in lane.hosts)


def _lower(text: str) -> str:
    try:
        return canonical_domain(text)
    except BadAddress:
        return text.lower()


class TargetCommand(ActionCommand):
    """A command about one thing: `pause project shop`."""

    verb: str

    def act(self, target: Target, *, reason: str, as_json: bool, **options: Any) -> None:
        raise NotImplementedError

    def add_actions(self, add: AddAction) -> None:
        for name, find, meaning in (
            ("all", everything, "all delivery"),
            ("project", project, "the mail of a project"),
            ("credential", credential, "the mail of a credential"),
            ("domain", domain, "the mail to a recipient domain"),
            ("lane", lane, "all that leaves by a lane"),
        ):
            adding = add(name, partial(self._found, find), f"{self.verb.capitalize()} {meaning}.")
            _ADD[name](adding)
            self.add_options(adding)

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--reason", required=True, type=reason, help="why: it goes into the audit log"
        )
        parser.add_argument("--json", action="store_true", dest="as_json")

    def _found(
        self, find: Callable[..., Target], *, reason: str, as_json: bool, **given: Any
    ) -> None:
        own = {name: given.pop(name) for name in ("name", "project") if name in given}
        self.act(find(**own), reason=reason, as_json=as_json, **given)


def _named(metavar: str, help: str) -> Callable[[CommandParser], None]:
    def add(parser: CommandParser) -> None:
        parser.add_argument("name", metavar=metavar, help=help)

    return add


def _credential_named(parser: CommandParser) -> None:
    parser.add_argument(
        "name", metavar="USERNAME", help="its user name, or its name with --project"
    )
    parser.add_argument("--project")


_ADD: dict[str, Callable[[CommandParser], None]] = {
    "all": lambda parser: None,
    "project": _named("PROJECT", "its name"),
    "credential": _credential_named,
    "domain": _named("DOMAIN", "of recipients, such as example.com"),
    "lane": _named("LANE", "its number, a recipient domain that leads there, or a host of it"),
}


def reason(text: str) -> str:
    """Read an argument that says why, in some words; for argparse."""
    if not (words := audit.one_line(text)):
        raise argparse.ArgumentTypeError("say why")
    return words
