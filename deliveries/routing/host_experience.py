"""What a lane's hosts did lately that its row keeps: each item has an end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from deliveries.smtp.peer import Broken, Peer
from deliveries.smtp.replies import Reply

MOST_HOSTS = 100  # in the lane's row; a site's names are as many as a stranger likes
UNWELL, DOMAIN = "unwell", "domain"  # a remark's kind beside the keywords of extensions
_IS_NEWS = attrgetter("is_news")
TEXT = 200  # characters of what a host said


# Seconds for which an unwell host is asked after the others; doubled each time that it still is.
FIRST, LONGEST = 300.0, 3600.0
# Of a smarthost, whose hosts are looked at without a message before they come back.
FIRST_ASIDE, LONGEST_ASIDE = 60.0, 900.0
# Messages in a row that a host left in doubt or refused where the next one took them: then it is
# put aside. One alone may be about that message.
FAILURES = 3
FORGET_AFTER = 86_400.0  # seconds without a look
# Seconds after a message for which a host is busy rather than unwell when it refuses us.
TAKING = 10.0


@dataclass(frozen=True, slots=True)
class Unwell:
    """One address of a host that refused a message for now, or could not be reached, while another
    host was well.
    """

    host: str
    until: float
    times: int
    said: str


@dataclass(frozen=True, slots=True)
class DomainTrouble:
    """A recipient domain at which the host broke off, `times` in a row."""

    until: float
    times: int
    said: str


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that is kept, for people; `host` may be a recipient domain.

    `until` is the time of day in seconds.
    """

    host: str
    kind: str
    until: float
    said: str


class Experience:
    """Of one lane, as its holder knows it; `learned` is what `snapshot` gave the former holder.

    Times are times of day, in seconds.
    """

    def __init__(self, learned: dict[str, Any]) -> None:
        self._peers: dict[str, Peer] = {}
        for host, known in _hosts(learned):
            broken = {
                str(keyword): Broken(float(until), str(said))
                for keyword, (until, said) in known.get("broken", {}).items()
            }
            self._peers[host] = Peer(set(known.get("proven", ())), broken)
        self._unwell = {address: Unwell(*facts) for address, facts in _unwell(learned)}
        self._took: dict[str, float] = {}  # when each address last took a message
        self._failures: dict[str, int] = {}  # of each address, since it last took a message
        # At each address, the recipient that was refused for now and taken by another host.
        self._refused: dict[str, str] = {}
        self._has_news = False
        self._domains = {domain: DomainTrouble(*facts) for domain, facts in _domains(learned)}
        self._in_trouble: set[str] = set()  # domains, since a message was last taken for any
        # Since when, and the last look.
        self._addressless: list[float] = [float(at) for at in learned.get("addressless", ())]

    def peer(self, host: str) -> Peer:
        """Return what is known of the host, which its connections share and add to."""
        return self._peers.setdefault(host, Peer())

    @property
    def is_news(self) -> bool:
        """Tell whether something was found that the row should hold at once."""
        return self._has_news or any(map(_IS_NEWS, self._peers.values()))

    def trouble(
        self, domain: str, reply: Reply, *, now: float, wait: Callable[[int], float]
    ) -> bool:
        """Note that the host broke off at a recipient of this domain.

        Return whether it did so for another domain too: then it is the site's.

        `wait` gives the seconds for which the domain's mail waits, by the number of such troubles
        in a row.
        """
        known = self._domains.get(domain)
        times = known.times + 1 if known else 1
        self._domains[domain] = DomainTrouble(now + wait(times), times, str(reply))
        self._in_trouble.add(domain)
        self._has_news = True
        return len(self._in_trouble) > 1

    def troubled(self, *, now: float) -> frozenset[str]:
        """Return the domains whose mail waits."""
        return (
            frozenset(domain for domain, trouble in self._domains.items() if trouble.until > now)
            if self._domains
            else frozenset()
        )

    def delivered_to(self, domain: str) -> None:
        self._in_trouble.clear()
        if domain in self._domains:
            del self._domains[domain]
            self._has_news = True

    def addressless(self, *, now: float) -> float:
        """Note that no host of the site has an address; return for how many seconds looks have
        found that.

        Looks that lie further apart than `FORGET_AFTER` begin anew.
        """
        if not self._addressless or now - self._addressless[1] > FORGET_AFTER:
            self._addressless = [now, now]
        self._addressless[1] = now
        self._has_news = True
        return now - self._addressless[0]

    def has_address(self) -> None:
        if self._addressless:
            self._addressless, self._has_news = [], True

    def is_unwell(self, address: str, *, now: float) -> bool:
        """Tell whether the other hosts should be asked first."""
        known = self._unwell.get(address)
        return known is not None and known.until > now

    def unwell(
        self, host: str, address: str, reply: Reply, *, now: float, recipient: str = ""
    ) -> None:
        """Note that this host refused or was not reached where another host was well.

        What it said of one `recipient` proves nothing yet; a second recipient does.
        """
        if now - self._took.get(address, 0.0) < TAKING:
            return
        if recipient and self._refused.setdefault(address, recipient) == recipient:
            return
        self._note(host, address, reply, first=FIRST, longest=LONGEST, now=now)

    def put_aside(self, host: str, address: str, reply: Reply, *, now: float) -> None:
        """Ask this host of a smarthost after the others, until a look finds it well."""
        self._note(host, address, reply, first=FIRST_ASIDE, longest=LONGEST_ASIDE, now=now)

    def _note(
        self, host: str, address: str, reply: Reply, *, first: float, longest: float, now: float
    ) -> None:
        known = self._unwell.get(address)
        times = known.times + 1 if known else 1
        until = now + min(first * 2.0 ** min(times - 1, 10), longest)
        self._unwell[address] = Unwell(host, until, times, str(reply))
        self._has_news = True

    def failed(self, host: str, address: str, reply: Reply, *, now: float) -> None:
        """Note that a smarthost's host did not take a message; with the third in a row it is put
        aside.
        """
        self._failures[address] = self._failures.get(address, 0) + 1
        if self._failures[address] >= FAILURES:
            self._failures.pop(address)
            self.put_aside(host, address, reply, now=now)

    def is_aside(self, address: str) -> bool:
        """Tell whether the address is put aside, however long ago that was."""
        return address in self._unwell

    def is_due(self, address: str, *, now: float) -> bool:
        """Tell whether it is time to look if an address that was put aside is well again."""
        known = self._unwell.get(address)
        return known is not None and known.until <= now

    def well(self, address: str) -> None:
        """Note that the address is well."""
        self._refused.pop(address, None)
        self._failures.pop(address, None)
        if self._unwell.pop(address, None):
            self._has_news = True

    def took(self, address: str, *, now: float) -> None:
        """Note that the address took a message: it is well."""
        self._took[address] = now
        self.well(address)

    def snapshot(self, *, now: float) -> dict[str, Any]:
        """Return what the next holder shall know, as JSON; what has ended is left out."""
        hosts = {host: kept for host, peer in self._peers.items() if (kept := _kept(peer, now))}
        # For as long again, so that a host that is still unwell then is left alone for longer.
        unwell = {
            address: _facts(each)
            for address, each in self._unwell.items()
            if each.until + LONGEST > now
        }
        domains = {
            domain: [round(each.until), each.times, each.said[:TEXT]]
            for domain, each in self._domains.items()
            if each.until + LONGEST > now
        }
        for peer in self._peers.values():
            peer.is_news = False
        self._has_news = False
        kept = {
            "hosts": _latest(hosts),
            "unwell": _latest(unwell),
            "domains": _latest(domains),
            "addressless": [round(at) for at in self._addressless],
        }
        return {name: value for name, value in kept.items() if value}


def remarks(learned: dict[str, Any], *, now: float) -> Iterator[Remark]:
    """Yield what the lane's row says of its hosts and has not ended."""
    for host, known in _hosts(learned):
        for keyword, (until, said) in known.get("broken", {}).items():
            if until > now:
                yield Remark(host, keyword, until, said)
    for address, (host, until, _, said) in _unwell(learned):
        if until > now:
            yield Remark(f"{host} [{address}]", UNWELL, until, said)
    for domain, (until, _, said) in _domains(learned):
        if until > now:
            yield Remark(domain, DOMAIN, until, said)


def _hosts(learned: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from learned.get("hosts", {}).items()


def _unwell(learned: dict[str, Any]) -> Iterator[tuple[str, tuple[str, float, int, str]]]:
    yield from learned.get("unwell", {}).items()


def _domains(learned: dict[str, Any]) -> Iterator[tuple[str, tuple[float, int, str]]]:
    yield from learned.get("domains", {}).items()


def _facts(unwell: Unwell) -> list[Any]:
    return [unwell.host, round(unwell.until), unwell.times, unwell.said[:TEXT]]


def _latest(items: dict[str, Any]) -> dict[str, Any]:
    return dict(list(items.items())[-MOST_HOSTS:])


def _kept(peer: Peer, now: float) -> dict[str, Any]:
    broken = {
        keyword: [round(each.until), each.said[:TEXT]]
        for keyword, each in peer.broken.items()
        if each.until > now
    }
    kept: dict[str, Any] = {"proven": sorted(peer.proven), "broken": broken}
    return {name: value for name, value in kept.items() if value}
