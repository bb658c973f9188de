"""SPF as a receiver works it out (RFC 7208): may this address send under this name?"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Protocol

from domains.foundation.dns.resolver import NoSuchName, Resolver, TemporaryFailure
from domains.identity.spf_terms import (
    ASKING,
    SpfResult,
    SpfSyntaxError,
    SpfTerm,
    expanded,
    is_spf,
    parsed,
)

LOOKUPS, VOID, NAMES = 10, 2, 10  # section 4.6.4: terms that ask, empty answers, hosts of one term
IpAddress = IPv4Address | IPv6Address


class SpfNames(Protocol):
    """What SPF asks of DNS; empty where there is nothing, `TemporaryFailure` where nobody says."""

    async def ask(self, name: str, kind: str) -> tuple[str, ...]:
        """Return records of the type TXT, A, AAAA, MX (hosts) or PTR as text."""


class ResolverNames:
    """Asks a resolver."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def ask(self, name: str, kind: str) -> tuple[str, ...]:
        try:
            if kind == "TXT":
                return tuple(await self._resolver.txt(name))
            if kind == "MX":
                return tuple(mx.host for mx in await self._resolver.mx(name))
            return tuple(await self._resolver.values(name, kind))
        except NoSuchName:
            return ()


@dataclass(frozen=True, slots=True)
class SpfOutcome:
    """The result; `term` decided it, or is what is wrong, as `problem` says in a word."""

    result: SpfResult
    term: str = ""
    problem: str = ""
    lookups: int = 0
    void: int = 0


class _PermanentError(Exception):
    def __init__(self, problem: str, term: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.term = term


async def check_host(
    names: SpfNames, address: IpAddress, domain: str, *, sender: str = "", helo: str = ""
) -> SpfOutcome:
    """Return what `check_host()` of section 4 does for the reverse-path's domain, or for the EHLO
    name, where `sender` is empty.
    """
    checking = _Checking(names, address, sender or f"postmaster@{domain}", helo or domain)
    try:
        result, term = await checking.result_of(domain)
        problem = ""
    except SpfSyntaxError as error:
        result, term, problem = SpfResult.PERMERROR, error.term, "syntax"
    except _PermanentError as error:
        result, term, problem = SpfResult.PERMERROR, error.term, error.problem
    except TemporaryFailure as error:
        result, term, problem = SpfResult.TEMPERROR, checking.term, str(error)
    return SpfOutcome(result, term, problem, checking.lookups, checking.void)


class _Checking:
    def __init__(self, names: SpfNames, address: IpAddress, sender: str, helo: str) -> None:
        self._names = names
        self._address = address
        self._sender = sender if "@" in sender else f"postmaster@{sender}"
        self._helo = helo
        self.lookups = self.void = 0
        self.term = ""

    async def result_of(self, domain: str) -> tuple[SpfResult, str]:
        text = await self._record(domain)
        if text is None:
            return SpfResult.NONE, ""
        record = parsed(text)
        for term in record.terms:
            self.term = term.text
            if await self._matches(term, domain):
                return term.result, term.text
        if not record.redirect or any(term.name == "all" for term in record.terms):
            return SpfResult.NEUTRAL, ""
        self.term = f"redirect={record.redirect}"
        self._count()
        target = await self._expanded(record.redirect, domain)
        result, term_text = await self.result_of(target)
        if result is SpfResult.NONE:
            raise _PermanentError("nothing", f"redirect={record.redirect}")
        return result, term_text

    async def _record(self, domain: str) -> str | None:
        if not _is_name(domain):
            return None
        found = [text for text in await self._names.ask(domain, "TXT") if is_spf(text)]
        if len(found) > 1:  # section 4.5
            raise _PermanentError("several", self.term or domain)
        return found[0] if found else None

    async def _matches(self, term: SpfTerm, domain: str) -> bool:
        if term.name == "all":
            return True
        if term.name in ("ip4", "ip6"):
            return self._is_in(ip_network(f"{term.domain}/{term.length4}", strict=False))
        if term.name in ASKING:
            self._count()
        target = await self._expanded(term.domain, domain) if term.domain else domain
        if term.name == "include":
            return await self._includes(target, term)
        if term.name == "exists":
            return bool(await self._asked(target, "A"))
        if term.name == "ptr":
            return any(_is_below(name, target) for name in await self._validated(domain))
        hosts = [target] if term.name == "a" else await self._mail_hosts(target, term)
        for host in hosts:
            if await self._has(host, term):
                return True
        return False

    async def _includes(self, target: str, term: SpfTerm) -> bool:
        """Follow an `include`; a policy that is not there, or is broken, breaks this one (RFC 7208,
        section 5.2).
        """
        result, _ = await self.result_of(target)
        if result is SpfResult.NONE:
            raise _PermanentError("nothing", term.text)
        self.term = term.text
        return result is SpfResult.PASS

    async def _mail_hosts(self, target: str, term: SpfTerm) -> list[str]:
        hosts = [host for host in await self._asked(target, "MX") if host]
        if len(hosts) > NAMES:
            raise _PermanentError("hosts", term.text)
        return hosts

    async def _has(self, host: str, term: SpfTerm) -> bool:
        kind = "A" if self._address.version == 4 else "AAAA"
        found = await self._asked(host, kind)
        length = term.length4 if self._address.version == 4 else term.length6
        return any(self._is_in(ip_network(f"{text}/{length}", strict=False)) for text in found)

    async def _validated(self, domain: str) -> list[str]:
        """Return the names of the address that lead back to it (section 5.5).

        Errors match nothing.
        """
        kind = "A" if self._address.version == 4 else "AAAA"
        good = []
        try:
            names = await self._asked(self._address.reverse_pointer, "PTR")
        except TemporaryFailure:
            return []
        for name in names[:NAMES]:
            try:
                addresses = await self._names.ask(name, kind)
            except TemporaryFailure:
                continue
            if any(ip_address(text) == self._address for text in addresses):
                good.append(name)
        return sorted(good, key=lambda name: (name != domain, not _is_below(name, domain)))

    async def _asked(self, name: str, kind: str) -> tuple[str, ...]:
        found = await self._names.ask(name, kind) if _is_name(name) else ()
        if not found:
            self.void += 1
            if self.void > VOID:
                raise _PermanentError("void", self.term)
        return found

    async def _expanded(self, text: str, domain: str) -> str:
        local, _, sender_domain = self._sender.rpartition("@")
        validated = ""
        if "%{p" in text.lower():
            validated = next(iter(await self._validated(domain)), "unknown")
        dotted = str(self._address)
        if self._address.version == 6:
            dotted = ".".join(self._address.exploded.replace(":", ""))
        letters = {
            "s": self._sender, "l": local, "o": sender_domain, "d": domain, "i": dotted,
            "p": validated, "v": "in-addr" if self._address.version == 4 else "ip6",
            "h": self._helo,
        }  # fmt: skip
        return expanded(text, letters)

    def _count(self) -> None:
        self.lookups += 1
        if self.lookups > LOOKUPS:
            raise _PermanentError("lookups", self.term)

    def _is_in(self, network: IPv4Network | IPv6Network) -> bool:
        return self._address.version == network.version and self._address in network


def _is_name(name: str) -> bool:
    """Tell whether DNS can be asked for the name, and it has two labels at least (RFC 7208, section
    4.3).
    """
    labels = name.removesuffix(".").split(".")
    return len(labels) > 1 and len(name) <= 253 and all(0 < len(each) < 64 for each in labels)


def _is_below(name: str, domain: str) -> bool:
    return name.lower() == domain.lower() or name.lower().endswith(f".{domain.lower()}")
