"""How many sessions a port has, and who gives way when there is no room for the next."""

from __future__ import annotations

import logging
import resource
from collections import Counter
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol

from smtp_listener.admission.limits import place
from smtp_listener.protocol import replies
from smtp_listener.protocol.replies import ServerReply

logger = logging.getLogger(__name__)

# Descriptors that are no session's: PostgreSQL, Valkey, the ports, log, certificate, and what
# closes at this moment.
OTHER_DESCRIPTORS = 64
PER_SESSION = 2  # its socket, and the file of a message that is too large for memory


class Guest(Protocol):
    """What a listener needs of a session to make room, and to end it."""

    @property
    def client(self) -> IPv4Address | IPv6Address: ...

    def give_way(self) -> bool: ...

    def drain(self) -> None: ...

    def cut(self) -> None: ...

    def give_up(self) -> None: ...


class Room:
    """The sessions of one port.

    Guests, which have not shown who they are, give way to whoever comes; others never do.

    The place with most guests loses its oldest one first: who is honest is a guest for a second,
    and has few of them.
    """

    def __init__(self, most: Callable[[], int], most_of_place: Callable[[], int]) -> None:
        self._most = most
        self._most_of_place = most_of_place
        self.sessions: set[Guest] = set()
        self._places: Counter[str] = Counter()
        self._guests: dict[str, dict[Guest, None]] = {}  # each in the order in which they came

    def admit(self, session: Guest) -> ServerReply | None:
        """Take it in until `release`; or why there is no room for it."""
        where = place(session.client)
        if self._places[where] >= self._most_of_place() and not self._give_way(where):
            return replies.TOO_MANY_FROM_ADDRESS
        if len(self.sessions) >= self._most() and not self._give_way(self._fullest()):
            return replies.TOO_MANY_SESSIONS
        self.sessions.add(session)
        self._places[where] += 1
        self._guests.setdefault(where, {})[session] = None
        return None

    def make_known(self, session: Guest) -> None:
        """Note that a session has shown who it is: no stranger can take its place."""
        where = place(session.client)
        guests = self._guests.get(where, {})
        if guests.pop(session, session) is None and not guests:
            del self._guests[where]

    def release(self, session: Guest) -> None:
        """Let a session out; a second time does nothing."""
        if session not in self.sessions:
            return
        self.make_known(session)
        self.sessions.discard(session)
        where = place(session.client)
        self._places[where] -= 1
        if not self._places[where]:
            del self._places[where]

    def _fullest(self) -> str:
        """Return the place with most guests; of several the one whose guests have been here
        longest.
        """
        return max(self._guests, key=lambda where: len(self._guests[where]), default="")

    def _give_way(self, where: str) -> bool:
        """Send the oldest guest of this place away, if there is one that is not about to be
        answered `250`.
        """
        for guest in self._guests.get(where, ()):
            if guest.give_way():
                self.release(guest)
                return True
        return False


def descriptors() -> int:
    """Return how many files this process may open, after raising its soft limit to the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (ValueError, OSError):
            return soft
    return hard if hard != resource.RLIM_INFINITY else 1_048_576


def share(asked: dict[str, int], available: int) -> dict[str, int]:
    """Return the sessions of each port that so many descriptors carry.

    They are as many as asked for, or each port its part of them. Past the limit of descriptors a
    connection is closed without a word; a port that knows its room says 421.
    """
    room = max((available - OTHER_DESCRIPTORS) // PER_SESSION, len(asked))
    wanted = sum(asked.values())
    if wanted <= room:
        return asked
    logger.warning(
        "event=few-descriptors limit=%d sessions=%d wanted=%d: raise the limit of open files "
            "(LimitNOFILE=, ulimit -n) to %d",
        available, room, wanted, wanted * PER_SESSION + OTHER_DESCRIPTORS,
    )  # fmt: skip
    return {name: max(number * room // wanted, 1) for name, number in asked.items()}
