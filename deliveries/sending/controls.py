"""Controls: what people have said that a drain heeds at once: what is paused, which lanes
are closed, how to treat a receiver, which return path a domain's mail has.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

from deliveries.backends.database import Database
from deliveries.classification import loaded_rules
from deliveries.models import Delivery, Lane, ShapingRule
from deliveries.queue.leased import Claimed, LeasedLane
from deliveries.routing.egress import Identity, Outgoing
from deliveries.routing.egress_reading import EgressReader, identity_of
from deliveries.sending.known_smarthosts import SMARTHOSTS, KnownSmarthost, known
from deliveries.sending.transcript_choice import TranscriptChoice
from deliveries.shaping import providers
from deliveries.shaping.providers import ReceiverRule
from deliveries.shaping.sharing import ProviderAllowance

logger = logging.getLogger(__name__)

MOST_RECEIVERS = 10_000  # domains whose rule is remembered


def _version(table: str, where: str = "") -> str:
    """Return a subselect whose value changes with each change of the table's rows.

    The sum does: of two changes at one moment the earlier may become visible after the later, and
    the latest time alone would not tell.
    """
    # S608 : put together from constants
    return (
        "(SELECT count(*)::text || ' ' || coalesce(sum(extract(epoch FROM changed_at)), 0)::text "  # noqa: S608
        f"FROM {table}{where})"
    )


ORDERS = f"""
SELECT (SELECT coalesce(jsonb_agg(jsonb_build_array(scope, project_id, credential_id, domain)),
    '[]')
        FROM deliveries_stop)::text,
       (SELECT coalesce(array_agg(id), '{{}}') FROM deliveries_lane WHERE closed_at IS NOT NULL
           AND holder = %(holder)s),
       {_version("deliveries_shapingrule")} || ' ' || {_version("deliveries_smarthost")}
           || ' ' || {_version("deliveries_providerlimit")},
       {_version("deliveries_localrule", " WHERE is_active")},
       (SELECT coalesce(array_agg(id), '{{}}') FROM domains_project WHERE transcript_days > 0),
       (SELECT coalesce(array_agg(delivery_id), '{{}}') FROM deliveries_transcriptrequest),
       {_version("domains_returnpath")},
       EXISTS (SELECT FROM deliveries_source)
           OR EXISTS (SELECT FROM deliveries_egressrule WHERE smarthost_id IS NOT NULL)
"""  # noqa: S608  (as above)
RETURN_PATHS = """
SELECT domain.project_id, domain.name, path.name
FROM domains_returnpath path JOIN domains_domain domain ON domain.id = path.domain_id
WHERE path.state = 'used'
"""

COLUMNS = [field.name for field in fields(ReceiverRule)]
# S608 : put together from constants
LOCAL = f"SELECT {', '.join(loaded_rules.COLUMNS)} FROM deliveries_localrule WHERE is_active"  # noqa: S608
# S608 : put together from constants
RULES = f"SELECT {', '.join(COLUMNS)} FROM deliveries_shapingrule WHERE is_edited OR NOT is_shipped"  # noqa: S608


LIMITS = """
SELECT receivers, id, name, connections, messages, period FROM deliveries_providerlimit
"""


@dataclass(frozen=True, slots=True)
class Stops:
    """What is accepted and not sent; `is_all` is the emergency stop."""

    is_all: bool = False
    projects: frozenset[int] = frozenset()
    flows: frozenset[int] = frozenset()
    domains: frozenset[str] = frozenset()

    def cover(self, claimed: Claimed) -> bool:
        """Tell whether the delivery is to be put aside. A released one goes, whatever is paused."""
        if claimed.hold == Delivery.Hold.RELEASED:
            return False
        return (
            claimed.project_id in self.projects
            or claimed.flow in self.flows
            or claimed.domain in self.domains
        )


class Controls:
    """As they were when last read; a drain reads them once a second, and when it is told that they
    changed.
    """

    def __init__(self, database: Database, holder: UUID) -> None:
        self._database = database
        self._holder = holder
        self._rules: tuple[ReceiverRule, ...] = providers.RULES
        self._default = providers.DEFAULT
        self.stops = Stops()
        self.transcripts = TranscriptChoice()
        self.egress = EgressReader(database)
        self.version = ("", 0)  # of the rules, and of what is known of sources
        self._receivers: dict[tuple[int, str], str] = {}  # of lanes and domains
        self._local_version = self._paths_version = ""
        self._return_paths: dict[tuple[int, str], str] = {}
        self._smarthosts: dict[int, KnownSmarthost] = {}
        self.limits: dict[str, ProviderAllowance] = {}  # by the name of each receiver's rule

    async def read(self) -> set[int]:
        """Read what has changed; return those of our lanes that were closed."""
        [
            (stops, closed, version, local_version, projects, asked, paths_version, has_sources)
        ] = await self._database.fetch(ORDERS, {"holder": self._holder})
        self.transcripts.take(projects, asked)
        if (now := stops_of(json.loads(stops))) != self.stops:
            self.stops = now
        if has_sources:
            await self.egress.read()
        else:
            self.egress.forget()
        if version != self.version[0]:
            smarthosts = await self._database.fetch(SMARTHOSTS)
            rows = await self._database.fetch(RULES)
            limits = await self._database.fetch(LIMITS)
            self.limits = {name: ProviderAllowance(*row[1:]) for row in limits for name in row[0]}
            self._receivers.clear()
            with _keeping("smarthosts"):
                self._smarthosts = {row[0]: known(row) for row in smarthosts}
            with _keeping("shaping rules"):
                self._take([_rule(row) for row in rows])
        if local_version != self._local_version:
            found, self._local_version = await self._database.fetch(LOCAL), local_version
            with _keeping("local rules"):
                loaded_rules.take(found)
        if paths_version != self._paths_version:
            paths = await self._database.fetch(RETURN_PATHS)
            self._return_paths = {(project, domain): name for project, domain, name in paths}
            self._paths_version = paths_version
        self.version = (version, self.egress.version)
        return set(closed)

    def chooses(self, lane: LeasedLane) -> bool:
        """Tell whether the lane's mail is led to the lanes of sources, and not sent from there."""
        is_ordinary = lane.id != Lane.ROUTING and not (lane.is_routed or lane.is_forced)
        return is_ordinary and lane.home is None and bool(self.egress.now)

    def identity(self, lane: LeasedLane) -> Identity | None:
        """Return what the lane's connections come from; None where its source is no more ours to
        use.
        """
        if lane.home is None:
            return identity_of(lane.source)
        source = self.egress.now.sources.get(lane.source)
        return source.identity if source and source.name in self.egress.bindable else None

    def stays(self, lane: LeasedLane, claimed: Claimed) -> bool:
        """Tell if the lane's source may carry the delivery. One without sources carries all."""
        if lane.home is None:
            return True
        mail, receiver = outgoing(claimed), self.receiver(lane, claimed.domain)
        return self.egress.now.carries(lane.source, mail, receiver, lane.home)

    def way_out(self, lane: LeasedLane, mail: Outgoing, domain: str) -> KnownSmarthost | None:
        """Return the smarthost to which a rule leads this mail from its site's lane.

        A static route goes before the rules, and so does an order.
        """
        if not self.egress.now.leads_out or lane.is_routed or lane.is_forced:
            return None
        found = self.egress.now.smarthost(mail, self.receiver(lane, domain))
        return self._smarthosts.get(found) if found is not None else None

    def overflow(self, lane: LeasedLane, mail: Outgoing, domain: str) -> KnownSmarthost | None:
        """Return the smarthost for this mail where no source of its pool may carry it."""
        found = self.egress.now.overflow(mail, self.receiver(lane, domain))
        return self._smarthosts.get(found) if found is not None else None

    def is_led_here(self, lane: LeasedLane, mail: Outgoing) -> bool:
        """Tell whether a rule leads this mail to the smarthost whose lane this is, or its pool's
        overflow.
        """
        smarthost = lane.smarthost
        return smarthost is not None and self.egress.now.may_lead_to(smarthost, mail)

    def receiver(self, lane: LeasedLane, domain: str) -> str:
        """Return the name of the rule for this domain's mail in this lane."""
        key = (lane.home or lane.id, domain)
        if (known := self._receivers.get(key)) is None:
            if len(self._receivers) >= MOST_RECEIVERS:
                self._receivers.clear()
            known = self._receivers[key] = self.rule(lane, domain).name
        return known

    def return_path(self, claimed: Claimed) -> str:
        """Return the From domain's own return path, or that of the nearest domain above it; "" for
        none.
        """
        domain = claimed.header_from.rpartition("@")[2] if self._return_paths else ""
        while domain:
            if name := self._return_paths.get((claimed.project_id, domain)):
                return name
            domain = domain.partition(".")[2]
        return ""

    def smarthost(self, lane: LeasedLane) -> KnownSmarthost | None:
        return self._smarthosts.get(lane.smarthost) if lane.smarthost is not None else None

    def is_gone(self, lane: LeasedLane) -> bool:
        """Tell whether it is the lane of a smarthost that was removed."""
        return lane.smarthost is not None and lane.smarthost not in self._smarthosts

    def rule(self, lane: LeasedLane, domain: str) -> ReceiverRule:
        """Return the rule for this lane, complete.

        Where a route leads, the recipient's domain says nothing about the host.
        """
        if (smarthost := self.smarthost(lane)) is not None:
            return providers.effective(smarthost.rule, self._default)
        hosts = [name for _, name, _ in sorted(lane.hosts)]
        domain = "" if lane.is_routed else domain
        found = providers.match(self._rules, hosts=hosts, domain=domain)
        return (
            self._default
            if found is providers.DEFAULT
            else providers.effective(found, self._default)
        )

    def _take(self, edited: Sequence[ReceiverRule]) -> None:
        """Put rules written here before the shipped ones, in place of those of the same name."""
        by_name = {rule.name: rule for rule in [*providers.RULES, *edited]}
        default = by_name.pop(ShapingRule.DEFAULT, providers.DEFAULT)
        self._default = providers.effective(default, providers.DEFAULT)
        self._rules = tuple(by_name.values())


def outgoing(claimed: Claimed) -> Outgoing:
    domain = claimed.header_from.rpartition("@")[2].lower()
    return Outgoing(claimed.id, claimed.project_id, claimed.flow, claimed.priority, domain)


@contextmanager
def _keeping(what: str) -> Iterator[None]:
    """Keep what was in force where the block fails, and log that.

    A row that cannot be understood must not stop delivery.
    """
    try:
        yield
    except Exception:  # whatever the row holds
        logger.exception(
            "the %s in the database cannot be used; those of before stay in force", what
        )


def stops_of(rows: Sequence[Sequence[Any]]) -> Stops:
    """Collect rows of [scope, project, credential, domain]."""
    return Stops(
        is_all=any(scope == "all" for scope, *_ in rows),
        projects=frozenset(project for scope, project, _, _ in rows if scope == "project"),
        flows=frozenset(credential for scope, _, credential, _ in rows if scope == "credential"),
        domains=frozenset(domain for scope, _, _, domain in rows if scope == "domain"),
    )


def _rule(row: Sequence[Any]) -> ReceiverRule:
    values: list[Any] = [tuple(value) if isinstance(value, list) else value for value in row]
    return ReceiverRule(**dict(zip(COLUMNS, values, strict=True)))
