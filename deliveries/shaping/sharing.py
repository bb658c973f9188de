"""How one limit of a provider is shared out among all lanes that lead to it, on whatever node: who
may have how many connections, and how many messages may go now.

Pure: the state is a JSON object that all nodes write in turn, and the time an argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

PERIODS = {"minute": 60.0, "hour": 3600.0, "day": 86_400.0}
HOLD = 1.0  # seconds for which messages that were granted may still go
EXPIRED = 15.0  # seconds without a word after which a lane's connections are taken for closed
STALE = 10.0  # seconds after which the lane itself takes its own share for over
TURN = 10.0  # seconds: where lanes are more than connections, they take turns
BURST = 10  # a tenth of the limit may go at once, the rest evenly
ASK_EVERY = 0.2  # seconds between two looks while mail waits


@dataclass(frozen=True, slots=True)
class ProviderAllowance:
    """A limit as its row says it; None is no limit."""

    id: int
    name: str
    connections: int | None
    messages: int | None
    period: str = "minute"

    @property
    def burst(self) -> int:
        return max(1, (self.messages or 0) // BURST)

    @property
    def spacing(self) -> float:
        """Seconds for each message, so that no period ever holds more than the limit, though what
        is granted may go a moment later (the generic cell rate algorithm, ITU-T I.371).
        """
        assert self.messages
        return (PERIODS[self.period] + HOLD) / (self.messages - self.burst + 1)

    @property
    def per_second(self) -> float | None:
        return self.messages / PERIODS[self.period] if self.messages else None


@dataclass(frozen=True, slots=True)
class LaneWish:
    """What a lane asks for: connections beside those `in_use`, and messages that could go now."""

    lane: int
    in_use: int = 0
    wanted: int = 0
    messages: int = 0
    is_urgent: bool = False


@dataclass(frozen=True, slots=True)
class UnusedMessages:
    """Messages that were granted and not sent, in hand `since` then by the monotonic clock."""

    messages: int
    since: float

    def worth(self, allowed: ProviderAllowance, now: float) -> float:
        """Return the seconds of the limit that they are worth now.

        The time since then may have paid for them already, where nobody else used the limit.
        """
        if not allowed.messages:
            return 0.0
        return max(0.0, self.messages * allowed.spacing - (now - self.since))


@dataclass(frozen=True, slots=True)
class LaneGrant:
    """What it gets; None is no limit."""

    connections: int | None
    messages: int | None


@dataclass(frozen=True, slots=True)
class Deal:
    """The state that follows, and what each lane gets."""

    state: dict[str, Any]
    grants: dict[int, LaneGrant]


def deal(
    allowed: ProviderAllowance,
    state: Mapping[str, Any],
    wishes: Sequence[LaneWish],
    *,
    holder: str,
    now: float,
    given_back: float = 0.0,
) -> Deal:
    """Share out what is there now among the lanes of one drain, the `holder`.

    `given_back` are the seconds that its unused messages are worth.
    Its lanes that ask for nothing any more are forgotten. Whoever has more connections than its
    part keeps them in the books until they are closed.
    """
    look = int(now / ASK_EVERY)  # who comes first changes, so that nobody is always the last
    ours = sorted(wishes, key=lambda each: (not each.is_urgent, _drawn(str(each.lane), look)))
    others = {
        key: row
        for key, row in _shares(state).items()
        if not key.startswith(f"{holder}/") and row[2] > now - EXPIRED
    }
    connections, shares = _connections(allowed, others, ours, holder, now)
    paid_at = float(state.get("paid_at", 0.0)) - given_back
    messages, paid_at = _messages(allowed, paid_at, ours, now)
    grants = {
        wish.lane: LaneGrant(
            connections[wish.lane] if allowed.connections else None,
            messages[wish.lane] if allowed.messages else None,
        )
        for wish in ours
    }
    return Deal({"paid_at": paid_at, "shares": others | shares}, grants)


def in_use(state: Mapping[str, Any], *, now: float) -> int:
    """Return how many connections of all nodes are in the books."""
    return sum(int(row[0]) for row in _shares(state).values() if row[2] > now - EXPIRED)


def _shares(state: Mapping[str, Any]) -> dict[str, list[float]]:
    """Return connections in the books, those wanted, and when that was said, by holder and lane."""
    return dict(state.get("shares") or {})


def _connections(
    allowed: ProviderAllowance,
    others: Mapping[str, Sequence[float]],
    ours: Sequence[LaneWish],
    holder: str,
    now: float,
) -> tuple[dict[int, int], dict[str, list[float]]]:
    asked = {key: int(row[1]) for key, row in others.items()}
    asked |= {f"{holder}/{wish.lane}": max(wish.wanted, 0) for wish in ours}
    parts = fair(asked, allowed.connections or 0, turn=int(now // TURN))
    free = (allowed.connections or 0) - sum(int(row[0]) for row in others.values())
    free -= sum(wish.in_use for wish in ours)
    given: dict[int, int] = {}
    rows: dict[str, list[float]] = {}
    for wish in ours:
        key = f"{holder}/{wish.lane}"
        more = max(0, min(parts[key] - wish.in_use, free))
        free -= more
        given[wish.lane] = min(parts[key], wish.in_use + more)
        rows[key] = [wish.in_use + more, asked[key], round(now, 3)]
    return given, rows


def fair(asked: Mapping[str, int], most: int, *, turn: int) -> dict[str, int]:
    """Share out `most` among those that ask: nobody gets more than asked, and nobody can get more
    without another with less getting less. Of what cannot be split each has one in turn.
    """
    parts = dict.fromkeys(asked, 0)
    left = most
    wanting = sorted((key for key, number in asked.items() if number > 0), key=asked.__getitem__)
    if most >= len(wanting):
        for place, key in enumerate(wanting):
            parts[key] = min(asked[key], left // (len(wanting) - place))
            left -= parts[key]
    if left > 0:
        unserved = [key for key in wanting if parts[key] < asked[key]]
        for key in sorted(unserved, key=lambda key: _drawn(key, turn))[:left]:
            parts[key] += 1
    return parts


def _drawn(key: str, turn: int) -> bytes:
    return blake2b(f"{turn} {key}".encode(), digest_size=8).digest()


def _messages(
    allowed: ProviderAllowance, paid_at: float, ours: Sequence[LaneWish], now: float
) -> tuple[dict[int, int], float]:
    given = dict.fromkeys((wish.lane for wish in ours), 0)
    if not allowed.messages:
        return given, 0.0
    spacing, burst = allowed.spacing, allowed.burst
    paid_at = min(paid_at, now + PERIODS[allowed.period] + HOLD)  # the limit may have been changed
    paid_at = max(paid_at, now)
    available = max(0, int(burst - (paid_at - now) / spacing + 1e-9))
    kept = burst // 2  # of what may go at once, for urgent mail
    for wish in _in_turns(ours):
        if available <= (0 if wish.is_urgent else kept):
            continue
        given[wish.lane] += 1
        available -= 1
        paid_at += spacing
    return given, paid_at


def _in_turns(ours: Sequence[LaneWish]) -> Iterable[LaneWish]:
    """Yield one lane for each message, those with urgent mail first, else in turns."""
    for is_urgent in (True, False):
        left = {wish.lane: wish.messages for wish in ours if wish.is_urgent is is_urgent}
        asking = [wish for wish in ours if wish.is_urgent is is_urgent]
        while any(left.values()):
            for wish in asking:
                if left[wish.lane]:
                    left[wish.lane] -= 1
                    yield wish


class ProviderShare:
    """What one lane may do by the limit of its provider, until it hears again. Times are seconds on
    the monotonic clock.
    """

    def __init__(self, allowed: ProviderAllowance) -> None:
        self.allowed = allowed
        self._connections = self._messages = 0
        self._until = 0.0

    @property
    def connections(self) -> int | None:
        """How many may be open; None is no limit."""
        return self._connections if self.allowed.connections else None

    @property
    def per_second(self) -> float | None:
        return self.allowed.per_second

    def wait(self, now: float) -> float:
        """Return the seconds until it is worth looking again; 0 where a message may go now."""
        if self.allowed.connections and not self._connections:
            return ASK_EVERY
        if self.allowed.messages and not (self._messages and now < self._until):
            return ASK_EVERY
        return 0.0

    def take(self) -> None:
        """Count a message that goes."""
        self._messages = max(0, self._messages - 1)

    def freeze(self, in_use: int) -> int:
        """Open nothing more and send nothing while the books are written; return the messages that
        were not used.
        """
        unused, self._messages = self._messages, 0
        self._connections = min(self._connections, in_use)
        return unused

    def granted(self, grant: LaneGrant, now: float) -> None:
        """Go on with what was granted, asked for at `now`."""
        self._connections, self._messages = grant.connections or 0, grant.messages or 0
        self._until = now + HOLD

    def close(self) -> None:
        """Have nothing: nobody knows what others have meanwhile."""
        self._connections = self._messages = 0
