"""One record of a domain as each name server and then the resolver has it, and one judgement of
that.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from domains.foundation.dns.authorities import Authorities
from domains.foundation.dns.resolver import NoSuchName, Resolver, TemporaryFailure
from domains.foundation.dns.server_answers import ServerAddress, ServerAnswer, ZoneServers
from domains.identity.sentences import SlipRemark, english
from domains.identity.slips import (
    Surroundings,
    bare_name,
    doubled_name,
    keyless_name,
    slip,
)
from domains.senders import records
from domains.senders.records import Found, Purpose, Record
from domains.senders.verification import published_at

_RESOLVER = ServerAddress("", "")


@dataclass(frozen=True, slots=True)
class HostFinding:
    """One name server: the state of the record there, or why it said nothing."""

    host: str
    state: str
    addresses: tuple[str, ...] = ()
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Inspection:
    """A record's state: found, missing, wrong, spreading, unreachable or bogus.

    `text` is in English; `remark` says the same by its code, where it has one. `values` are those
    that stand there now. `published` are those that the resolver has, None where it gave no answer,
    as `failure` says.
    """

    record: Record
    state: str
    text: str
    remark: SlipRemark | None = None
    values: tuple[str, ...] = ()
    hosts: tuple[HostFinding, ...] = ()
    published: tuple[str, ...] | None = ()
    failure: str = ""

    @property
    def have(self) -> int:
        return sum(host.state == "found" for host in self.hosts)


@dataclass(slots=True)
class Inspector:
    """Looks at the records of one domain; `zone` is None where its servers cannot be asked."""

    domain: str
    zone: ZoneServers | None
    authorities: Authorities
    resolver: Resolver
    _asked: dict[tuple[str, str], asyncio.Task[list[ServerAnswer]]] = field(default_factory=dict)

    async def look(self, record: Record) -> Inspection:
        """Return what the servers and the resolver say, with the slip that explains it."""
        answers = [await self._led_on(each) for each in await self._ask(record.name, record.type)]
        seen, failure = await self._by_resolver(record)
        done = await self._explained_by(record, answers, seen, failure)
        if failure is not None:
            return replace(done, published=None, failure=seen.failure)
        return replace(done, published=seen.values)

    async def _explained_by(
        self, record: Record, answers: Sequence[ServerAnswer], seen: ServerAnswer,
        failure: Inspection | None,
    ) -> Inspection:  # fmt: skip
        hosts = self._hosts(record, answers)
        heard = [each for each in answers if not each.failure]
        if not heard:
            if failure is not None:
                return replace(failure, hosts=hosts)
            return await self._explained(record, seen, hosts)
        states = {host.state for host in hosts if host.state != "silent"}
        if states != {"found"}:
            if "found" in states:
                return _spreading(record, hosts, heard[0].values)
            return await self._explained(record, heard[0], hosts)
        done = _judged(record, heard[0].values, hosts)
        if failure is not None and failure.state == "bogus":
            return replace(failure, hosts=hosts, values=done.values)
        if remark := slip(record, Surroundings(self.domain, self.zone_name, heard[0].values)):
            return _remarked(record, "wrong", remark, hosts, heard[0].values)
        if failure is None and not isinstance(records.check(record, seen.values), Found):
            seconds = str(self.zone.negative_ttl if self.zone else 0)
            remark = SlipRemark("resolver-behind", {"seconds": seconds})
            return _remarked(record, "spreading", remark, hosts, heard[0].values)
        return done

    @property
    def zone_name(self) -> str:
        return self.zone.name if self.zone is not None else self.domain

    def _hosts(self, record: Record, answers: Sequence[ServerAnswer]) -> tuple[HostFinding, ...]:
        """Judge each server by the worst of its addresses that answered. Where a zone of its own
        begins above the record, its servers are those that count.
        """
        found = []
        below = [each for each in answers if each.zone not in ("", self.zone_name)]
        hosts = self.zone.hosts if self.zone is not None else ()
        for host in dict.fromkeys(each.server.host for each in below) if below else hosts:
            own = [each for each in answers if each.server.host == host]
            heard = [each for each in own if not each.failure]
            states = {_state(record, each.values) for each in heard}
            state = next((s for s in ("wrong", "missing", "found") if s in states), "silent")
            addresses = tuple(each.server.address for each in own)
            failure = "" if heard else own[0].failure if own else "It has no address to be asked"
            found.append(HostFinding(host, state, addresses, failure))
        return tuple(found)

    async def _by_resolver(self, record: Record) -> tuple[ServerAnswer, Inspection | None]:
        """Return what the resolver has, or the state of a record that it cannot get."""
        nobody = ServerAnswer(server=_RESOLVER)
        try:
            return replace(nobody, values=await published_at(self.resolver, record)), None
        except NoSuchName:
            return nobody, None
        except TemporaryFailure as error:
            nobody = replace(nobody, failure=str(error))
            is_bogus = await self.resolver.is_bogus(record.name)
        code = "bogus" if is_bogus else "unreachable"
        return nobody, _remarked(record, code, SlipRemark(code, {}), (), ())

    async def _explained(
        self, record: Record, answer: ServerAnswer, hosts: tuple[HostFinding, ...]
    ) -> Inspection:
        seen = await self._surroundings(record, answer)
        if remark := slip(record, seen):
            return _remarked(record, "wrong", remark, hosts, answer.values)
        return _judged(record, answer.values, hosts)

    async def _surroundings(self, record: Record, answer: ServerAnswer) -> Surroundings:
        parent = record.name.partition(".")[2] if record.name != self.domain else self.domain
        sibling = f"x{secrets.token_hex(6)}.{parent}"
        beside, at_domain, doubled, bare, keyless, typed, addresses = await asyncio.gather(
            self._first(sibling),
            self._first(self.domain),
            self._first(doubled_name(record, self.zone_name), record.type),
            self._first(bare_name(record)),
            self._first(keyless_name(record)),
            self._first(record.name, "SPF" if record.purpose is Purpose.SPF else "TXT"),
            self._first(record.name, "A" if record.type == "CNAME" else "TXT"),
        )
        return Surroundings(
            self.domain,
            self.zone_name,
            values=answer.values,
            chain=answer.chain,
            sibling=beside.values,
            sibling_chain=beside.chain,
            at_domain=at_domain.values,
            doubled=doubled.values,
            bare=bare.values if bare_name(record) != record.name else (),
            keyless=keyless.values if keyless_name(record) != record.name else (),
            type_spf=typed.values if record.purpose is Purpose.SPF else (),
            addresses=addresses.values if record.type == "CNAME" else (),
        )

    async def _first(self, name: str, kind: str = "TXT") -> ServerAnswer:
        for answer in await self._ask(name, kind):
            if not answer.failure:
                return await self._led_on(answer)
        try:
            is_text = kind in ("TXT", "SPF")
            asked = self.resolver.txt(name) if is_text else self.resolver.values(name, kind)
            return ServerAnswer(_RESOLVER, tuple(await asked))
        except (NoSuchName, TemporaryFailure):
            return ServerAnswer(_RESOLVER)

    async def _ask(self, name: str, kind: str) -> list[ServerAnswer]:
        if self.zone is None:
            return []
        if (name, kind) not in self._asked:
            asking = self.authorities.answers(self.zone, name, kind)
            self._asked[name, kind] = asyncio.ensure_future(asking)
        return await self._asked[name, kind]

    async def _led_on(self, answer: ServerAnswer) -> ServerAnswer:
        """Follow a CNAME out of the zone, which its own servers need not know."""
        if answer.values or not answer.chain or answer.failure:
            return answer
        try:
            return replace(answer, values=tuple(await self.resolver.txt(answer.chain[-1])))
        except (NoSuchName, TemporaryFailure):
            return answer


def _state(record: Record, values: Sequence[str]) -> str:
    return type(records.check(record, values)).__name__.lower()


def _judged(record: Record, values: tuple[str, ...], hosts: tuple[HostFinding, ...]) -> Inspection:
    finding = records.check(record, values)
    return Inspection(
        record, type(finding).__name__.lower(), finding.text, values=values, hosts=hosts
    )


def _spreading(
    record: Record, hosts: tuple[HostFinding, ...], values: tuple[str, ...]
) -> Inspection:
    have = [host.host for host in hosts if host.state == "found"]
    lacking = [host.host for host in hosts if host.state in ("missing", "wrong")]
    given = {"have": str(len(have)), "servers": str(len(hosts)), "lacking": ", ".join(lacking)}
    return _remarked(record, "spreading", SlipRemark("spreading", given), hosts, values)


def _remarked(
    record: Record,
    state: str,
    remark: SlipRemark,
    hosts: tuple[HostFinding, ...],
    values: tuple[str, ...],
) -> Inspection:
    return Inspection(record, state, english(remark), remark, values, hosts)
