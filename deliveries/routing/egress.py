"""Which of our sources carry which mail: a snapshot of sources, pools and rules, and the choice.

Pure: it is read from PostgreSQL elsewhere (`deliveries.routing.egress_reading`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from ipaddress import ip_address
from typing import Any
from uuid import UUID

DEFAULT_POOL = "default"
COLD, WARMING, WARM, RESTING, OUT = "cold", "warming", "warm", "resting", "out"
CARRYING = frozenset({WARMING, WARM})
URGENT = 2
BY_SITE = "lane-"  # how a receiver that no rule names is called, before the number of its site


@dataclass(frozen=True, slots=True)
class Identity:
    """Where a connection comes from, and what it says in EHLO. Without any address the system
    chooses.
    """

    ehlo_name: str
    ipv4: str | None = None
    ipv6: str | None = None

    @property
    def has_choice(self) -> bool:
        """Tell whether the system chooses the address."""
        return self.ipv4 is None and self.ipv6 is None

    def address_for(self, address: str) -> str | None:
        """Return our address of the same family as that of the host; None for the system's."""
        return self.ipv6 if ip_address(address).version == 6 else self.ipv4

    def reaches(self, address: str) -> bool:
        """Tell whether a host's address is of a family that we have an address of."""
        return self.has_choice or self.address_for(address) is not None


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """A source as it is now.

    `is_bound` says whether a node that can bind it was seen lately; `rests` are the receivers to
    which it sends nothing for a while (`called` those that no rule names), and `warm_for` those
    that know it; None: all do.
    """

    name: str
    ipv4: str | None
    ipv6: str | None
    ehlo_name: str
    state: str
    is_bound: bool = True
    rests: frozenset[str] = frozenset()
    warm_for: frozenset[str] | None = None

    @property
    def identity(self) -> Identity:
        return Identity(self.ehlo_name, self.ipv4, self.ipv6)

    def rests_for(self, receiver: str, site: int) -> bool:
        """Tell whether it sends nothing to the receiver now, or to the site with this lane."""
        return receiver in self.rests or called(site) in self.rests

    def warms_for(self, receiver: str) -> bool:
        """Tell whether it has a number of messages a day for this receiver."""
        return self.warm_for is not None and receiver not in self.warm_for


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """A pool: what each of its sources weighs, and the smarthost that carries what none of them
    may carry; None where there is none that lets us in.
    """

    weights: Mapping[str, int]
    urgent_warms: bool = False
    overflow: int | None = None


@dataclass(frozen=True, slots=True)
class RuleFacts:
    """A rule as its row says it; what is None or "" is no condition."""

    project: int | None
    credential: int | None
    sending_domain: str
    priority: int | None
    receiver: str
    pool: str | None
    smarthost: int | None = None

    def fits(self, mail: Outgoing, receiver: str) -> bool:
        return (
            self.project in (None, mail.project)
            and self.credential in (None, mail.credential)
            and self.priority in (None, mail.priority)
            and self.receiver in ("", receiver)
            and self.sending_domain in ("", mail.sending_domain)
        )


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What the choice asks of a delivery."""

    id: UUID
    project: int
    credential: int
    priority: int
    sending_domain: str = ""


@dataclass(frozen=True, slots=True)
class Egress:
    """Sources, pools and rules at one moment; empty where mail leaves as `EKIDEN_SOURCE` says."""

    sources: Mapping[str, SourceFacts] = field(default_factory=dict)
    pools: Mapping[str, PoolFacts] = field(default_factory=dict)
    rules: Sequence[RuleFacts] = ()

    def __bool__(self) -> bool:
        return bool(self.sources)

    @property
    def leads_out(self) -> bool:
        """Tell whether a rule leads to a smarthost."""
        return any(rule.smarthost is not None for rule in self.rules)

    def rule(self, mail: Outgoing, receiver: str) -> RuleFacts | None:
        """Return the first rule that fits."""
        return next((rule for rule in self.rules if rule.fits(mail, receiver)), None)

    def pool_name(self, mail: Outgoing, receiver: str) -> str:
        """Return the pool of the first rule that fits."""
        rule = self.rule(mail, receiver)
        return (rule.pool if rule else None) or DEFAULT_POOL

    def smarthost(self, mail: Outgoing, receiver: str) -> int | None:
        """Return the smarthost of the first rule that fits, where it leads to one."""
        rule = self.rule(mail, receiver)
        return rule.smarthost if rule else None

    def overflow(self, mail: Outgoing, receiver: str) -> int | None:
        """Return the smarthost for mail that no source of its pool may carry now."""
        return self.pool(self.pool_name(mail, receiver)).overflow

    def may_lead_to(self, smarthost: int, mail: Outgoing) -> bool:
        """Tell whether mail like this may go to the smarthost, for some receiver: by a rule, or as
        the overflow of its pool.
        """
        fitting = [rule for rule in self.rules if rule.fits(mail, rule.receiver)]
        if any(rule.smarthost == smarthost for rule in fitting):
            return True
        pools = {rule.pool for rule in fitting if rule.pool} | {DEFAULT_POOL}
        return any(self.pool(name).overflow == smarthost for name in pools)

    def pool(self, name: str) -> PoolFacts:
        """Return the pool. Where nobody has made the default one, it is all sources alike."""
        if name == DEFAULT_POOL and name not in self.pools:
            return PoolFacts(dict.fromkeys(self.sources, 1))
        return self.pools.get(name, PoolFacts({}))

    def carries(self, source: str, mail: Outgoing, receiver: str, site: int) -> bool:
        """Tell if mail that this source has may stay with it. Whether a node is there for it is
        for others to decide: a lane is only leased where one is.
        """
        facts = self.sources.get(source)
        if self.smarthost(mail, receiver) is not None:
            return False
        if facts is None or facts.state not in CARRYING or facts.rests_for(receiver, site):
            return False
        return source in self.pool(self.pool_name(mail, receiver)).weights

    def candidates(self, mail: Outgoing, receiver: str, site: int) -> Iterator[SourceFacts]:
        """Yield the sources that may carry it, the best first.

        The order is that of weighted rendezvous hashing over the delivery's id: always the same
        for one delivery, so that a second try leaves by the address of the first, which
        greylisting asks for; a source that comes or goes moves no mail of the others. Urgent mail
        leaves by a source that warms up only where its pool says so or has no other way.
        """
        pool = self.pool(self.pool_name(mail, receiver))
        found = [
            (_score(mail.id, name, weight), facts)
            for name, weight in pool.weights.items()
            if (facts := self.sources.get(name)) is not None
            and facts.is_bound
            and not facts.rests_for(receiver, site)
            and facts.state in CARRYING
        ]
        ways = [facts for _, facts in sorted(found, key=lambda each: each[0], reverse=True)]
        if mail.priority < URGENT or pool.urgent_warms:
            return iter(ways)
        warm = [each for each in ways if not each.warms_for(receiver)]
        last = [] if pool.overflow is not None else [each for each in ways if each not in warm]
        return iter(warm + last)


def called(site: int) -> str:
    """Name a receiver that no rule names, as a rest does: after the lane of its site."""
    return f"{BY_SITE}{site}"


def _score(id_: UUID, name: str, weight: int) -> float:
    drawn = int.from_bytes(blake2b(id_.bytes + name.encode(), digest_size=7).digest()) + 1
    return -weight / math.log(drawn / (2**56 + 1))


def egress_of(found: Mapping[str, Any]) -> Egress:
    """Return the snapshot of what `egress_reading.SNAPSHOT` says, as JSON."""
    return Egress(
        {each["name"]: SourceFacts(**each | _sets(each)) for each in found["sources"]},
        {each.pop("name"): PoolFacts(**each) for each in found["pools"]},
        tuple(RuleFacts(**each) for each in found["rules"]),
    )


def _sets(each: Mapping[str, Any]) -> dict[str, Any]:
    warm_for = each["warm_for"]
    return {
        "rests": frozenset(each["rests"]),
        "warm_for": None if warm_for is None else frozenset(warm_for),
    }
