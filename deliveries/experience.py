"""What a lane's hosts did lately that its row keeps: each item has an end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from deliveries.smtp.peer import Broken, Peer

MOST_HOSTS = 100  # in the lane's row; a site's names are as many as a stranger likes
TEXT = 200  # characters of what a host said


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that is kept, for people. `until` is the time of day in seconds."""

    host: str
    kind: str
    until: float
    said: str


class Experience:
    """Of one lane, as its holder knows it; `learned` is what `snapshot` gave the former holder. Times are times of day, in seconds."""

    def __init__(self, learned: dict[str, Any]) -> None:
        self._peers: dict[str, Peer] = {}
        for host, known in _hosts(learned):
            broken = {str(keyword): Broken(float(until), str(said)) for keyword, (until, said) in known.get("broken", {}).items()}
            self._peers[host] = Peer(set(known.get("proven", ())), broken)

    def peer(self, host: str) -> Peer:
        """What is known of the host, which its connections share and add to."""
        return self._peers.setdefault(host, Peer())

    @property
    def is_news(self) -> bool:
        """Whether something was found that the row should hold at once."""
        return any(peer.is_news for peer in self._peers.values())

    def snapshot(self, *, now: float) -> dict[str, Any]:
        """Return what the next holder shall know, as JSON; what has ended is left out."""
        hosts = {host: kept for host, peer in self._peers.items() if (kept := _kept(peer, now))}
        for peer in self._peers.values():
            peer.is_news = False
        return {"hosts": dict(list(hosts.items())[-MOST_HOSTS:])} if hosts else {}


def remarks(learned: dict[str, Any], *, now: float) -> Iterator[Remark]:
    """What the lane's row says of its hosts and has not ended."""
    for host, known in _hosts(learned):
        for keyword, (until, said) in known.get("broken", {}).items():
            if until > now:
                yield Remark(host, keyword, until, said)


def _hosts(learned: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from learned.get("hosts", {}).items()


def _kept(peer: Peer, now: float) -> dict[str, Any]:
    broken = {keyword: [round(each.until), each.said[:TEXT]] for keyword, each in peer.broken.items() if each.until > now}
    kept: dict[str, Any] = {"proven": sorted(peer.proven), "broken": broken}
    return {name: value for name, value in kept.items() if value}
