"""One look at a domain: its records at every name server, or on most days at one of them, and what
receivers make of its mail.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from ipaddress import ip_network
from itertools import islice
from queue import SimpleQueue
from threading import Thread
from typing import Any

from django.conf import settings

from domains.foundation.dns.allowed_addresses import is_allowed
from domains.foundation.dns.authorities import Authorities
from domains.foundation.dns.names import IpAddress
from domains.foundation.dns.question_rate import QuestionRate
from domains.foundation.dns.resolver import Kept, NoSuchName, Resolver, TemporaryFailure
from domains.foundation.dns.server_answers import ZoneServers
from domains.foundation.dns.servers import nameservers
from domains.identity import delegated_keys, subdomains
from domains.identity.inspection import Inspection, Inspector
from domains.identity.own_addresses import own_addresses
from domains.identity.sentences import SlipRemark, english
from domains.identity.spf import ResolverNames
from domains.identity.verdicts import MailOrigin, verdicts
from domains.models import Domain, ReturnPath
from domains.senders import return_paths
from domains.senders.records import Purpose, Record

# The negative TTL of a zone whose servers cannot be asked, and the longest that is believed
# (RFC 2308, section 5).
A_DAY = 86_400
AT_ONCE = 20  # domains
RETURN_PATH = Purpose.RETURN_PATH
Report = dict[str, Any]  # JSON; docs/commands.md names its keys


def _urgent() -> QuestionRate:
    return QuestionRate(is_urgent=True)


@dataclass(slots=True)
class Questions:
    """What looks share that follow each other: their pace, and what the resolver has said."""

    pace: QuestionRate = field(default_factory=_urgent)
    kept: Kept = field(default_factory=OrderedDict)

    def resolver(self) -> Resolver:
        return Resolver(nameservers(settings.EKIDEN_DNS), kept=self.kept, pace=self.pace)


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """What is looked for, and what was known before of the domain's own return path.

    `well` is the last report, where all was well at every name server and a look at one of them
    will do; which one, `turn` says.
    """

    domain: str
    records: list[Record]
    our_records: list[Record]  # of its delegated keys, in our own zone
    return_path: ReturnPath | None
    covers_subdomains: bool
    now: datetime
    sources: Collection[str] = ()  # addresses of ours
    well: Report | None = None
    turn: int = 0

    @property
    def needed(self) -> list[Record]:
        """The records without those that the last report, of a domain that is well, calls
        unneeded.
        """
        last = self.well["records"] if self.well is not None else ()
        unneeded = {each["name"] for each in last if each["state"] == "unneeded"}
        return [each for each in self.records if each.name not in unneeded]

    def return_path_after(self, seen: Sequence[Inspection]) -> str:
        """Return the name that the domain's mail leaves with once the check is written down; "" for
        the installation's own.
        """
        state = next((each.state for each in seen if each.record.purpose is RETURN_PATH), "")
        is_used = return_paths.will_be_used(self.return_path, state, now=self.now)
        return self.return_path.name if self.return_path is not None and is_used else ""


@dataclass(frozen=True, slots=True)
class DomainLook:
    """The records as far as they were looked at, and the report, or why there is none."""

    seen: list[Inspection]
    report: Report | BaseException


def authorities(resolver: Resolver, pace: QuestionRate) -> Authorities:
    """Return who asks zones' own servers, and only at addresses that mail may be carried to."""
    exceptions = tuple(map(ip_network, settings.EKIDEN_PRIVATE_NETWORKS))

    def may_ask(address: IpAddress) -> bool:
        return is_allowed(address, exceptions)

    return Authorities(resolver, may_ask, port=settings.EKIDEN_ZONE_PORT, pace=pace)


def look_at_all(
    plans: Iterator[tuple[Domain, CheckPlan]], questions: Questions
) -> Iterator[tuple[Domain, CheckPlan, DomainLook | BaseException]]:
    """Yield a look at each as it is done, or the error in its place.

    A few are under way at a time, and the next plan is asked for when one of them is done: a slow
    domain holds up no other. They go on while the caller works with one.
    """
    resolver = questions.resolver()
    asker = authorities(resolver, questions.pace)
    looking: dict[Future[DomainLook], tuple[Domain, CheckPlan]] = {}
    done: SimpleQueue[Future[DomainLook]] = SimpleQueue()
    with _loop_of_its_own() as loop:
        while True:
            for domain, plan in islice(plans, AT_ONCE - len(looking)):
                look = asyncio.run_coroutine_threadsafe(_look(plan, resolver, asker), loop)
                looking[look] = domain, plan
                look.add_done_callback(done.put)
            if not looking:
                return
            look = done.get()
            yield *looking.pop(look), look.exception() or look.result()


@contextmanager
def _loop_of_its_own() -> Iterator[asyncio.AbstractEventLoop]:
    """Run an event loop in a thread; what is still under way at the end is broken off."""
    with asyncio.Runner() as runner:  # it cancels what is left, and closes
        loop = runner.get_loop()
        thread = Thread(target=loop.run_forever, name="looks", daemon=True)
        thread.start()
        try:
            yield loop
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()


async def _look(plan: CheckPlan, resolver: Resolver, asker: Authorities) -> DomainLook:
    if seen := await _at_one_server(plan, resolver, asker):
        assert plan.well is not None
        found = {key: plan.well[key] for key in ("zone", "servers", "negative_ttl")}
    else:
        plan = replace(plan, well=None)  # the last report no longer tells how things are
        zone = await asker.zone_of(plan.domain)
        seen = await _at(zone, plan, resolver, asker)
        found = _facts(zone)
    # What has no report is a fault of ours, and the records count all the same.
    [report] = await asyncio.gather(
        _report(plan, seen, found, resolver, asker), return_exceptions=True
    )
    return DomainLook(seen, report)


def _facts(zone: ZoneServers | None) -> Report:
    return {
        "zone": zone.name if zone is not None else "",
        "servers": list(zone.hosts) if zone is not None else [],
        "negative_ttl": min(zone.negative_ttl, A_DAY) if zone is not None else A_DAY,
    }


async def _at_one_server(
    plan: CheckPlan, resolver: Resolver, asker: Authorities
) -> list[Inspection] | None:
    """Return what one name server and the resolver have where that is as it was; None where it is
    not, or where every server is to be asked.
    """
    if plan.well is None:
        return None
    zone = await asker.one_of(plan.well["zone"], plan.well["servers"], plan.turn)
    if zone is None:
        return None
    seen = await _at(zone, plan, resolver, asker)
    return seen if all(each.state == "found" for each in seen) else None


async def _at(
    zone: ZoneServers | None, plan: CheckPlan, resolver: Resolver, asker: Authorities
) -> list[Inspection]:
    inspector = Inspector(plan.domain, zone, asker, resolver)
    return list(await asyncio.gather(*(inspector.look(record) for record in plan.needed)))


async def _report(
    plan: CheckPlan, seen: Sequence[Inspection], found: Report, resolver: Resolver,
    asker: Authorities,
) -> Report:  # fmt: skip
    turn = plan.turn if plan.well is not None else None
    ours = await delegated_keys.look(plan.our_records, asker, resolver, turn=turn)
    dkim = [*(each for each in seen if each.record.purpose is Purpose.DKIM), *ours]
    is_signed = any(each.state == "found" for each in dkim)
    own = plan.return_path_after(seen)
    origin = await _origin(plan, resolver, return_path=own, is_signed=is_signed)
    mail = await verdicts(origin, ResolverNames(resolver))
    inherited = next((each for each in mail if each["slip"] == "dmarc-inherited"), None)
    strict_below: str | None = None
    if plan.covers_subdomains:
        with suppress(TemporaryFailure):
            strict_below = await subdomains.strict_at(plan.domain, resolver)
    records = [_kept(each) | _inherited(each, inherited) | _unneeded(each, own) for each in seen]
    return found | {
        "mail": mail,
        "strict_below": strict_below,
        "our_records": {each.record.name: each.state for each in ours},
        "records": records if plan.well is None else plan.well["records"],
    }


def _inherited(seen: Inspection, policy: dict[str, Any] | None) -> dict[str, Any]:
    """Return what to show for a missing policy where the organization's is inherited, else nothing.

    It serves as well as one of the domain's own.
    """
    if policy is None or seen.record.purpose is not Purpose.DMARC or seen.state != "missing":
        return {}
    return {
        "state": "found",
        "slip": policy["slip"],
        "given": policy["given"],
        "text": policy["text"],
    }


def _unneeded(seen: Inspection, own: str) -> dict[str, Any]:
    """Mark the SPF record of the From domain as unneeded where mail leaves with a return path of
    its own, which is where receivers look.
    """
    if not own or seen.record.purpose is not Purpose.SPF:
        return {}
    remark = SlipRemark("spf-unneeded", {"name": own, "domain": seen.record.name})
    return {
        "state": "unneeded", "slip": remark.code, "given": remark.given, "text": english(remark),
    }  # fmt: skip


async def _origin(
    plan: CheckPlan, resolver: Resolver, *, return_path: str, is_signed: bool
) -> MailOrigin:
    """Return how the domain's mail leaves here; without a source address from all of our name's."""
    host = settings.EKIDEN_HOSTNAME
    addresses: list[IpAddress] = []
    with suppress(NoSuchName, TemporaryFailure):
        addresses = await own_addresses(resolver, plan.sources)
    return MailOrigin(
        plan.domain, return_path=return_path or host, ehlo=host, addresses=addresses,
        is_signed=is_signed,
    )  # fmt: skip


def _kept(seen: Inspection) -> dict[str, Any]:
    record = seen.record
    return {
        "purpose": record.purpose.value,
        "name": record.name,
        "type": record.type,
        "value": record.value,
        "state": seen.state,
        "text": seen.text,
        "slip": seen.remark.code if seen.remark is not None else "",
        "given": seen.remark.given if seen.remark is not None else {},
        "found": list(seen.values),
        "have": seen.have,
        "of": len(seen.hosts),
        "servers": [asdict(host) for host in seen.hosts],
    }
